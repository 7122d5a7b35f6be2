"""Requests a second and CPU a request, under load: the proxies one after the other, in rounds.

Every round starts each proxy anew and measures all cells, in an order that moves on from round to round. A ratio
compares two proxies within one round and cell, so that what the machine does meanwhile meets both.
"""

from dataclasses import dataclass

from . import load
from .processes import cpu_ns
from .upstream import ANSWER, BODIES, POST

WARM_UP_S = 1


@dataclass(frozen=True)
class Cell:
    """One kind of load. `way` is the protocol of clients and upstream."""

    body: str
    connections: int
    way: str = "http1"

    def __str__(self):
        return f"{self.body.replace(' ', '_')}@{self.connections}" + ("" if self.way == "http1" else f"/{self.way}")

    @property
    def target(self):
        """Path, size of the answer, size of a POST's body."""
        if self.body.startswith("POST"):
            return POST[0], len(ANSWER), POST[1]
        return *BODIES[self.body], 0

    def runs_with(self, kind):
        return kind.http2_upstream if self.way == "http2-out" else True

    def measure(self, proxy, seconds, cores):
        path, size, post = self.target
        if self.way == "http2-in":
            measured = http2_clients(proxy, path, size, self.connections, seconds, cores)
        else:
            load.wrk(proxy.port, path, size, self.connections, WARM_UP_S, cores, post)
            before = cpu_ns(proxy.pid)
            measured = load.wrk(proxy.port, path, size, self.connections, seconds, cores, post)
            measured["cpu_us"] = (cpu_ns(proxy.pid) - before) / measured["requests"] / 1000
        return measured


def http2_clients(proxy, path, size, requests_at_once, seconds, cores):
    """h2load is told how many requests to send: as many as take about that long by a first run."""
    connections = max(1, requests_at_once // 16)
    streams = requests_at_once // connections
    first = load.h2load(proxy.port_http2, path, size, connections, streams, 2000, cores, 20)
    requests = max(1000, int(first["rps"] * seconds))
    before = cpu_ns(proxy.pid)
    measured = load.h2load(proxy.port_http2, path, size, connections, streams, requests, cores, 4 * seconds)
    return {**measured, "cpu_us": (cpu_ns(proxy.pid) - before) / requests / 1000}


BODY_NAMES = [*BODIES, "POST 900 B"]
FULL = [Cell(body, connections) for body in BODY_NAMES for connections in (1, 16, 64, 256)]
FULL += [Cell(body, 64, way) for way in ("http2-in", "http2-out") for body in ("200 B", "8 KiB")]
QUICK = [Cell("200 B", 1), *(Cell(body, 64) for body in BODY_NAMES), Cell("200 B", 64, "http2-in"), Cell("200 B", 64, "http2-out")]


def cells(chosen, quick):
    """All of them, those of a quick run, or the ones that are named, such as `200_B@64/http2-out`."""
    if not chosen:
        return QUICK if quick else FULL
    known = {str(cell): cell for cell in FULL}
    unknown = [name for name in chosen if name not in known]
    if unknown:
        raise SystemExit(f"no cell {', '.join(unknown)}; there are {', '.join(known)}")
    return [known[name] for name in chosen]


def rotated(items, by):
    by %= len(items)
    return items[by:] + items[:by]


def measure(bench, chosen, rounds, seconds):
    """A list of results, each with its round, cell and proxy."""
    results = []
    for number in range(rounds):
        running = {}
        for position, cell in enumerate(rotated(chosen, number)):
            for kind in rotated([kind for kind in bench.kinds if cell.runs_with(kind)], number + position):
                http2 = cell.way == "http2-out"
                if (kind.name, http2) not in running:
                    running[kind.name, http2] = bench.start(kind, http2=http2)
                measured = cell.measure(running[kind.name, http2], seconds, bench.cores)
                results.append({"round": number, "cell": str(cell), "proxy": kind.name, **measured})
                bench.say(f"round {number + 1}/{rounds}  {str(cell):22} {kind.name:20} "
                          f"{measured['rps']:9.0f} requests/s {measured['cpu_us']:8.1f} µs CPU a request")
        for proxy in running.values():
            bench.processes.end(proxy.process)
    return results
