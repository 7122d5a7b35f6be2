"""`docs/performance.md` and its plots, from the results of a run."""

import json
import textwrap
from pathlib import Path

from . import goals, latency, memory, tables
from .counted import FEW, MANY
from .upstream import TOKEN

# What people say about the figures, such as why a goal is missed; it goes below the goals, if there is any.
REMARKS = Path(__file__).parents[1] / "remarks.md"

# With more of the processors' time than this taken, something else had a part in what was measured.
QUIET = 0.05


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

    page.write_text("\n".join(sections(run, plot, note)))


def paragraph(text):
    """In lines of the length that the other pages have."""
    return textwrap.fill(" ".join(text.split()), 132, break_long_words=False, break_on_hyphens=False) + "\n\n"


def sections(run, plot, note):
    """The page in pieces."""
    reader = tables.Reader(run)
    yield opening(run, note)
    yield aims(run)
    if REMARKS.exists():
        yield REMARKS.read_text()
    if "throughput" in run:
        yield throughput(run, reader, plot)
    if "latency" in run:
        yield latencies(reader, plot)
    if "start" in run:
        yield start(reader)
    if "memory" in run:
        yield memories(reader, plot)
    if "counted" in run:
        yield counts(reader)
    yield method(run)


def opening(run, note):
    machine = run["machine"]
    text = "# Performance\n\n" + paragraph(
        "What the proxy costs, beside nginx and HAProxy doing the same. `make bench` writes this page, from one run."
    )
    if note:
        text += f"> {note}\n\n"
    if machine["busy_before"] > QUIET:
        text += f"> Before the run {machine['busy_before']:.0%} of the machine was busy with something else: the times are a hint.\n\n"
    commit = f", commit `{machine['commit']}`" if machine["commit"] else ""
    return text + (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['kernel']}; {machine['date']}{commit}.\n"
    )


def aims(run):
    return "## Goals\n\n" + paragraph("""
        Ratios are medians of the ratios of single rounds, with everything on and no access log on any side. A build that is named pgo
        is held to that column, every other to the plain one.
    """) + tables.table(["", "plain", "PGO", "stretch", *run["ours"], "nginx", "HAProxy"], goals.rows(run))


def throughput(run, reader, plot):
    cpu = tables.relative(reader, "cpu_us", "CPU a request, nginx = 1, 64 connections: less is better")
    rps = tables.relative(reader, "rps", "Requests a second, nginx = 1, 64 connections: more is better")
    return (
        "## Under load\n\n"
        + paragraph(f"""
            The load generator, the upstream and the proxy share the cores: requests a second depend on all of them, and the CPU time of the
            proxy's own processes is the honest figure. In brackets stand the least and the most of {run['rounds']} rounds.
        """)
        + "### CPU a request, µs\n\n"
        + plot("cpu", "CPU a request against nginx, by body", cpu)
        + tables.throughput(reader, "cpu_us", "{:,.1f}")
        + "\n### Requests a second\n\n"
        + plot("requests", "Requests a second against nginx, by body", rps)
        + tables.throughput(reader, "rps", "{:,.0f}")
    )


def latencies(reader, plot):
    return (
        "## Latency\n\n"
        + paragraph(f"""
            What a proxy adds to the time of a request of 200 B: its time less that of the direct way, over TLS, in the same round. At one
            connection by wrk; at {latency.RATE:,} requests a second over {latency.RATE_CONNECTIONS} connections by h2load, which counts from the
            moment that a request is sent, not from the one at which it was due.
        """)
        + plot("latency", "Added median latency", tables.latency_plot(reader))
        + tables.latency(reader)
    )


def start(reader):
    return "## Start\n\n" + paragraph("""
        From the start of the process to the first answer through it, over TLS. Ours has fetched its token by then; the peers were given
        it. The files are in the page cache.
    """) + tables.start(reader)


def memories(reader, plot):
    return (
        "## Memory\n\n"
        + paragraph(f"""
            Of the proxy and all its processes. RSS counts a page for each process that has it, PSS shares it out. The idle clients have
            had an answer each and keep their connection; the {memory.BUSY} busy ones never pause; the gigabytes go through one connection. It is
            the most that was seen meanwhile.
        """)
        + plot("memory", "Memory by situation", tables.memory_plot(reader))
        + tables.memory(reader)
    )


def counts(reader):
    return (
        "## Counts\n\n"
        + paragraph(f"""
            Instructions in user space and allocations a request, counted by callgrind on one core: {MANY:,} requests less {FEW}, one after the
            other on one connection. `make gate` holds ours.
        """)
        + tables.counted(reader)
        + "\nSystem calls a request at 64 connections, counted by `strace -c`:\n\n"
        + tables.system_calls(reader)
    )


def method(run):
    versions = ", ".join(f"{name} {version}" for name, version in run["machine"]["versions"].items() if version)
    sizes = ", ".join(f"{name} {size / (1 << 20):.1f} MiB" for name, size in run["machine"]["builds"].items())
    return f"""## How it was made

- Everything is on the loopback address of one machine. The upstream is nginx with fixed bodies, TLS 1.3 and as many workers as
  there are cores; it answers 403 without the right token of {len(TOKEN)} bytes.
- Each proxy verifies the upstream's certificate against an authority made for the run, has as many threads as there are cores, keeps
  its connections to the upstream, puts `Authorization` on each request and writes no access log. nginx has
  `proxy_buffer_size 16k; proxy_buffers 8 32k; proxy_busy_buffers_size 128k` and `reuseport`, HAProxy `http-reuse always`. Ours has
  its defaults.
- Each of {run['rounds']} rounds starts the proxies anew and loads them in turn, {run['seconds']} s a cell after a second of warm-up, in an order that
  moves on from round to round. A ratio compares two proxies within one round and cell.
- HTTP/1.1 is loaded by wrk, HTTP/2 by h2load. A run counts only if every answer was a 200 and the bytes were those of whole answers.
- CPU is that of all threads of all of a proxy's processes, from `/proc/PID/task/*/schedstat`. Differences of a few percent are noise.
- {versions}.
- The size of the program: {sizes}.

`make bench` does it again; `make bench QUICK=1` takes minutes and is no more than a hint. The [Makefile](../Makefile) names its other
options.
"""
