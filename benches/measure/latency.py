"""What a proxy adds to the time of a request: at one connection, and at a rate that it has no trouble with.

The same load goes directly to the upstream, over TLS, in the same round: its time is taken away.
"""

from . import load
from .throughput import WARM_UP_S, rotated
from .upstream import BODIES

DIRECT = "direct"
RATE, RATE_CONNECTIONS = 2000, 16


def percentile(ordered, share):
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def targets(bench):
    """Port and authority by name; None is the upstream itself."""
    running = {kind.name: bench.start(kind) for kind in bench.kinds}
    ports = {name: (proxy.port, None) for name, proxy in running.items()}
    return running, {DIRECT: (bench.upstream.http1, bench.upstream.certificates.authority), **ports}


def measure(bench, rounds, seconds):
    """p50 and p99 in microseconds: results of the cells `1 connection` and `2000 requests/s`."""
    path, size = BODIES["200 B"]
    results = []
    for number in range(rounds):
        running, ports = targets(bench)
        for name in rotated(list(ports), number):
            port, authority = ports[name]
            load.wrk(port, path, size, 1, WARM_UP_S, 1, authority=authority)
            alone = load.wrk(port, path, size, 1, seconds, 1, authority=authority)
            steady = load.at_rate(port, path, size, RATE_CONNECTIONS, RATE, seconds, bench.directory, authority)
            found = [
                ("1 connection", alone["p50_us"], alone["p99_us"]),
                (f"{RATE} requests/s", percentile(steady, 0.5), percentile(steady, 0.99)),
            ]
            for cell, p50, p99 in found:
                results.append({"round": number, "cell": cell, "proxy": name, "p50_us": p50, "p99_us": p99})
                bench.say(f"round {number + 1}/{rounds}  {cell:22} {name:20} p50 {p50:6} µs, p99 {p99:6} µs")
        for proxy in running.values():
            bench.processes.end(proxy.process)
    return with_added(results)


def with_added(results):
    """Each result with what its proxy adds to the direct way of the same round."""
    direct = {(result["round"], result["cell"]): result for result in results if result["proxy"] == DIRECT}
    for result in results:
        base = direct[result["round"], result["cell"]]
        for share in ("p50", "p99"):
            result[f"added_{share}_us"] = result[f"{share}_us"] - base[f"{share}_us"]
    return results
