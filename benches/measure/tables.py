"""The tables and plots of the page, each read from a run's results."""

from .latency import DIRECT
from .plots import Bar, bars
from .ratios import absolute, paired

MIB = 1 << 20


class Reader:
    """A run, its builds and its peers in the order in which they are shown."""

    def __init__(self, run):
        self.run, self.ours = run, run["ours"]
        seen = {result["proxy"] for part in ("throughput", "latency", "memory", "start", "counted") for result in run.get(part, [])}
        self.peers = [name for name in ("nginx", "HAProxy", "Envoy") if name in seen]
        self.names = [*self.peers, *self.ours]

    def cells(self, part):
        """In the order of their first result, which is that of the first round."""
        return list(dict.fromkeys(result["cell"] for result in self.run.get(part, [])))

    def value(self, part, cell, name, value):
        return absolute(self.run.get(part, []), cell, name, value)

    def ratio(self, part, cell, name, peer, value):
        return paired(self.run.get(part, []), cell, name, peer, value)


def table(head, rows):
    """A Markdown table; the first column is text."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) + "\n"


def number(value, form="{:,.1f}", divisor=1.0):
    return "–" if value is None else form.format(value / divisor)


def load(cell):
    """`200_B@64/http2-out` for people."""
    body, _, rest = cell.replace("_", " ").partition("@")
    connections, _, way = rest.partition("/")
    what = {"http2-in": f"HTTP/2 clients, {connections} streams", "http2-out": f"{connections} connections, HTTP/2 upstream"}
    return f"{body}, {what.get(way, connections + (' connections' if connections != '1' else ' connection'))}"


def throughput(reader, value, form):
    """Absolute medians, and ratios of each build to nginx and HAProxy."""
    pairs = [(build, peer) for build in reader.ours for peer in reader.peers if peer != "Envoy"]
    label = lambda build, peer: f"{build} / {peer}" if len(reader.ours) > 1 else f"ours / {peer}"
    rows = []
    for cell in reader.cells("throughput"):
        figures = [number(reader.value("throughput", cell, name, value), form) for name in reader.names]
        ratios = [reader.ratio("throughput", cell, build, peer, value) or "–" for build, peer in pairs]
        rows.append([load(cell), *figures, *ratios])
    return table(["load", *reader.names, *(label(*pair) for pair in pairs)], rows)


def relative(reader, value, title):
    """A plot of ratios to nginx at 64 connections."""
    groups = []
    for cell in (cell for cell in reader.cells("throughput") if cell.endswith("@64")):
        ratios = {name: reader.ratio("throughput", cell, name, "nginx", value) for name in reader.names}
        members = {name: Bar(ratio.median, ratio.least, ratio.most) for name, ratio in ratios.items() if ratio}
        groups.append((cell.partition("@")[0].replace("_", " "), members))
    return bars(title, groups, reader.names, reference=1) if any(members for _, members in groups) else None


def latency(reader):
    """Direct, and what each proxy adds, at p50 and p99."""
    rows = []
    for cell in reader.cells("latency"):
        for share in ("p50", "p99"):
            direct = number(reader.value("latency", cell, DIRECT, f"{share}_us"), "{:,.0f}")
            added = [number(reader.value("latency", cell, name, f"added_{share}_us"), "{:+,.0f}") for name in reader.names]
            rows.append([f"{cell}, {share}", direct, *added])
    return table(["µs", "direct", *reader.names], rows)


def latency_plot(reader):
    groups = []
    for cell in reader.cells("latency"):
        added = {name: reader.value("latency", cell, name, "added_p50_us") for name in reader.names}
        groups.append((cell, {name: Bar(value) for name, value in added.items() if value and value > 0}))
    return bars("Added to the median time of a request, µs", groups, reader.names) if any(m for _, m in groups) else None


def memory(reader):
    """RSS, and PSS where the kernel tells it."""
    rows = []
    for cell in reader.cells("memory"):
        both = [[reader.value("memory", cell, name, kind) for kind in ("rss", "pss")] for name in reader.names]
        rows.append([cell, *(f"{number(rss, divisor=MIB)} ({number(pss, divisor=MIB)})" for rss, pss in both)])
    return table(["MiB: RSS (PSS)", *reader.names], rows)


def memory_plot(reader):
    """PSS, if it was seen of all of them."""
    kind = "pss" if all(result["pss"] is not None for result in reader.run["memory"]) else "rss"
    groups = []
    for cell in reader.cells("memory"):
        sizes = {name: reader.value("memory", cell, name, kind) for name in reader.names}
        groups.append((cell, {name: Bar(size / MIB) for name, size in sizes.items() if size}))
    return bars(f"Memory, MiB ({kind.upper()})", groups, reader.names)


def start(reader):
    figure = lambda name: [result["ms"] for result in reader.run["start"] if result["proxy"] == name]
    rows = [[name, number(reader.value("start", "start", name, "ms")), f"{min(figure(name)):.1f}–{max(figure(name)):.1f}"] for name in reader.names]
    return table(["", "median, ms", "least–most"], rows)


def counted(reader):
    """Instructions and allocations of each scenario."""
    rows = []
    for cell in (cell for cell in reader.cells("counted") if cell != "system calls"):
        figures = [[reader.value("counted", cell, name, what) for what in ("instructions", "allocations")] for name in reader.names]
        rows.append([cell, *("–" if one is None else f"{one:,.0f} ({other:.0f})" for one, other in figures)])
    return table(["instructions (allocations)", *reader.names], rows)


def system_calls(reader):
    """Those that are made more than once in a hundred requests."""
    calls = {result["proxy"]: result["calls"] for result in reader.run["counted"] if "calls" in result}
    named = {call for made in calls.values() for call, times in made.items() if times >= 0.01 and call != "total"}
    ordered = sorted(named, key=lambda call: -max(made.get(call, 0) for made in calls.values()))
    rows = [[f"`{call}`", *(number(calls.get(name, {}).get(call), "{:.2f}") for name in reader.names)] for call in ordered]
    rows.append(["all", *(number(calls.get(name, {}).get("total"), "{:.2f}") for name in reader.names)])
    return table(["", *reader.names], rows)
