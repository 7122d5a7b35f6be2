"""What the proxy is meant to reach, and whether a build does.

Ratios are medians of paired ratios of one run, with everything on and no access log on any side.
"""

from dataclasses import dataclass
from typing import Callable

from .ratios import absolute, paired

MIB = 1 << 20


@dataclass(frozen=True)
class Goal:
    """One line of the table: `plain`, `pgo` and `stretch` are limits, `measured` reads a build's figure from a run."""

    name: str
    more_is_better: bool
    limits: tuple
    measured: Callable
    peers: tuple = ()
    form: str = "{:.2f}"

    def limit(self, build):
        """The one that this build is held to: that of its column, plain unless it is named pgo."""
        return self.limits[1 if build == "pgo" else 0]

    def met(self, figure, limit):
        return figure >= limit if self.more_is_better else figure <= limit

    def written(self, limit):
        return "–" if limit is None else f"{'≥' if self.more_is_better else '≤'} {self.form.format(limit)}"


def against(part, cell, value, peer):
    """The median of ratios to a peer."""

    def read(run, build):
        found = paired(run.get(part, []), cell, build, peer, value)
        return found and found.median

    return read


def of(part, cell, value, divisor=1.0):
    """A median of its own."""

    def read(run, name):
        found = absolute(run.get(part, []), cell, name, value)
        return None if found is None else found / divisor

    return read


def added_latency(run, build, peer="nginx"):
    """Median over median: in a single round a peer may add next to nothing."""
    ours, theirs = (absolute(run.get("latency", []), "1 connection", name, "added_p50_us") for name in (build, peer))
    return ours / theirs if ours is not None and theirs and theirs > 0 else None


def growth(run, build):
    """How much more memory the rest of a gigabyte takes than its first eighth, the worse of both ways, MiB."""
    results = [result for result in run.get("memory", []) if result["proxy"] == build and "first_rss" in result]
    return max((result["rss"] - result["first_rss"]) / MIB for result in results) if results else None


def load(name, cell, value, peer, more, *limits):
    return Goal(f"{name} against {peer}", more, limits, against("throughput", cell, value, peer))


def memory(cell, *limits):
    return Goal(f"memory (RSS): {cell}, MiB", False, limits, of("memory", cell, "rss", MIB), ("nginx", "HAProxy"), "{:.1f}")


GOALS = [
    load("requests/s, 200 B, 64 connections,", "200_B@64", "rps", "nginx", True, 1.35, 1.55, 1.7),
    load("requests/s, 200 B, 64 connections,", "200_B@64", "rps", "HAProxy", True, 1.25, 1.4, 1.55),
    load("CPU a request, 200 B, 64 connections,", "200_B@64", "cpu_us", "nginx", False, 0.68, 0.55, 0.47),
    load("CPU a request, 200 B, 64 connections,", "200_B@64", "cpu_us", "HAProxy", False, 0.72, 0.58, 0.50),
    load("CPU a request, 8 KiB, 64 connections,", "8_KiB@64", "cpu_us", "nginx", False, 0.80, 0.66, 0.55),
    load("CPU a request, 8 KiB, 64 connections,", "8_KiB@64", "cpu_us", "HAProxy", False, 0.80, 0.66, 0.55),
    load("CPU a request, 100 KiB, 64 connections,", "100_KiB@64", "cpu_us", "nginx", False, 0.95, 0.85, 0.70),
    Goal("added p50 at one connection, against what nginx adds", False, (0.9, 0.8, 0.65), added_latency),
    load("HTTP/2 upstream, CPU a request, 200 B, 64 connections,", "200_B@64/http2-out", "cpu_us", "HAProxy", False, 0.95, 0.85, 0.7),
    Goal("instructions in user space a request, 200 B, thousands", False, (42, 33, 25),
         of("counted", "GET 200 B", "instructions", 1000), ("nginx", "HAProxy"), "{:.1f}"),
    memory("idle", 8, 8, 5),
    memory("2,000 idle clients", 30, 30, 15),
    memory("256 busy connections, 8 KiB", 40, 40, 20),
    Goal("start to the first proxied answer, ms", False, (30, 30, 15), of("start", "start", "ms"), ("nginx", "HAProxy"), "{:.1f}"),
    Goal("1 GiB up and down: growth of the memory (RSS) after the first eighth, MiB", False, (1, 1, None), growth, ("nginx", "HAProxy"), "{:.1f}"),
]


def rows(run):
    """The table's cells, one list a goal."""
    for goal in GOALS:
        row = [goal.name, *(goal.written(limit) for limit in goal.limits)]
        for build in run["ours"]:
            figure = goal.measured(run, build)
            verdict = None if figure is None else "met" if goal.met(figure, goal.limit(build)) else "**missed**"
            row.append("not measured" if figure is None else f"{goal.form.format(figure)} {verdict}")
        for peer in ("nginx", "HAProxy"):
            figure = goal.measured(run, peer) if peer in goal.peers else None
            row.append("" if figure is None else goal.form.format(figure))
        yield row
