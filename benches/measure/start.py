"""From the start of the process to the first answer that came through it.

For ours that includes its authentication; the peers were given the token. The files are in the page cache.
"""

from .throughput import rotated

STARTS = 10


def measure(bench, starts=STARTS):
    """Milliseconds, one result a start."""
    results = []
    for number in range(starts):
        for kind in rotated(bench.kinds, number):
            proxy = bench.start(kind)
            took = proxy.took * 1000
            bench.processes.end(proxy.process)
            results.append({"round": number, "cell": "start", "proxy": kind.name, "ms": took})
            bench.say(f"start {number + 1}/{starts}  {kind.name:20} {took:7.1f} ms to the first answer")
    return results
