"""`docs/performance.md` and its plots, from the results of a run."""

import json
from pathlib import Path

from . import goals, latency, memory, tables
from .counted import FEW, MANY
from .upstream import TOKEN


def write(results, page, note):
    """Writes the page, and the plots beside it into a directory of its name. What was not measured has no section."""
    run = json.loads(Path(results).read_text())
    page = Path(page)
    plots = page.with_suffix("")
    plots.mkdir(parents=True, exist_ok=True)
    for old in plots.glob("*.svg"):
        old.unlink()

    def plot(name, text, svg):
        if svg is None:
            return ""
        (plots / f"{name}.svg").write_text(svg)
        return f"![{text}]({plots.name}/{name}.svg)\n\n"

    page.write_text("\n".join(part for part in sections(run, plot, note) if part))


def sections(run, plot, note):
    reader = tables.Reader(run)
    yield opening(run, note)
    yield goals_section(run)
    if "throughput" in run:
        yield throughput(run, reader, plot)
    if "latency" in run:
        yield latencies(reader, plot)
    if "start" in run:
        yield "## Start\n\nFrom the start of the process to the first answer through it, over TLS. Ours has fetched its token by then; the peers\n" \
            "were given it. The files are in the page cache.\n\n" + tables.start(reader)
    if "memory" in run:
        yield memories(reader, plot)
    if "counted" in run:
        yield counts(reader)
    yield method(run)


def opening(run, note):
    machine = run["machine"]
    busy = machine["load_before"] > 0.3
    text = "# Performance\n\n"
    text += "What the proxy costs, beside nginx and HAProxy doing the same. This page is written by `make bench`, from one run.\n\n"
    text += f"> {note}\n\n" if note else ""
    text += (f"> The machine was busy with something else (load {machine['load_before']:.1f} before the run): take the times as a hint.\n\n" if busy else "")
    text += f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['kernel']}; {machine['date']}, " \
            f"commit `{machine['commit']}`.\n"
    return text


def goals_section(run):
    text = "## Goals\n\nRatios are medians of the ratios of one round, with everything on and no access log on any side. A build named `pgo` is\n" \
           "held to that column, every other to the plain one. A goal that is missed is missed.\n\n"
    return text + tables.table(["", "plain", "PGO", "stretch", *run["ours"], "nginx", "HAProxy"], goals.rows(run))


def throughput(run, reader, plot):
    text = "## Under load\n\nThe load generator, the upstream and the proxy share the cores, so requests a second depend on all of them, and CPU a\n" \
           "request of the proxy's own process is the honest figure. In brackets: the least and the most of " \
           f"{run['rounds']} rounds.\n\n### CPU a request, µs\n\n"
    text += plot("cpu", "CPU a request against nginx, by body", tables.relative(reader, "cpu_us", "CPU a request, nginx = 1, 64 connections: less is better"))
    text += tables.throughput(reader, "cpu_us", "{:,.1f}")
    text += "\n### Requests a second\n\n"
    text += plot("requests", "Requests a second against nginx, by body", tables.relative(reader, "rps", "Requests a second, nginx = 1, 64 connections: more is better"))
    return text + tables.throughput(reader, "rps", "{:,.0f}")


def latencies(reader, plot):
    return "## Latency\n\nWhat a proxy adds to the time of a request of 200 B: its time less that of the direct way, over TLS, in the same round.\n" \
           f"At one connection by wrk; at {latency.RATE} requests a second over {latency.RATE_CONNECTIONS} connections by h2load, which counts from the " \
           "moment that a\nrequest is sent, not from the one at which it was due.\n\n" \
           + plot("latency", "Added median latency", tables.latency_plot(reader)) + tables.latency(reader)


def memories(reader, plot):
    return "## Memory\n\nThe proxy and all its processes. PSS counts a page once that several of them share. Idle clients have had an answer\n" \
           f"each and keep their connection; the {memory.BUSY} busy ones never pause; the gigabytes go through one connection, and the\nfigure is the most that was seen.\n\n" \
           + plot("memory", "Memory by situation", tables.memory_plot(reader)) + tables.memory(reader)


def counts(reader):
    return f"## Counts\n\nInstructions in user space and allocations, counted by callgrind: {MANY:,} requests less {FEW}, one after the other on one\n" \
           "connection, on one core. Noise does not change them, and `make gate` holds them.\n\n" + tables.counted(reader) \
           + "\nSystem calls a request at 64 connections, counted by `strace -c`:\n\n" + tables.system_calls(reader)


def method(run):
    versions = ", ".join(f"{name} {version}" for name, version in run["machine"]["versions"].items() if version)
    sizes = ", ".join(f"{name} {size / (1 << 20):.1f} MiB" for name, size in run["machine"]["builds"].items())
    return f"""## How it was made

- Everything is on the loopback address of one machine. The upstream is nginx with fixed bodies, TLS 1.3 and as many workers as
  there are cores; it answers 403 without the right token of {len(TOKEN)} bytes.
- Each proxy verifies the upstream's certificate against an authority made for the run, has as many threads as there are cores, keeps
  connections to the upstream, puts `Authorization` on each request and writes no access log. nginx has
  `proxy_buffer_size 16k; proxy_buffers 8 32k; proxy_busy_buffers_size 128k` and `reuseport`, HAProxy `http-reuse always`. Ours has
  its defaults.
- Each of {run['rounds']} rounds starts the proxies anew and loads them in turn, for {run['seconds']} s a cell after a second of warm-up, in an order that
  moves on. A ratio is taken within one round and cell.
- HTTP/1.1 is loaded by wrk, HTTP/2 by h2load. A run counts only if every answer was a 200 and the bytes were those of whole answers.
- CPU is that of all threads of all of a proxy's processes, from `/proc/PID/task/*/schedstat`. CPU differences of a few percent
  are noise.
- {versions}. The programs: {sizes}.

`make bench` does it again; `make bench QUICK=1` is done in minutes and no more than a hint. `make help` has the rest.
"""
