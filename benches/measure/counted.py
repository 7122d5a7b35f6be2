"""What noise cannot change: instructions and allocations a request, counted by valgrind, and system calls, by strace.

A proxy runs under callgrind on one core, once for `FEW` requests and once for `MANY`, one after the other on one
connection. The difference is without start, authentication and end.
"""

import os
import re
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from . import auxv, load
from .client import Connection
from .processes import Failed, eventually, family
from .upstream import ANSWER, BODIES, POST

FEW, MANY = 500, 2500
# The functions of the C library that give memory; `realloc` counts, as it may copy.
ALLOCATE = re.compile(r"(__libc_)?(malloc|calloc|realloc|memalign)|posix_memalign|aligned_alloc")


@dataclass(frozen=True)
class Scenario:
    """Requests that are all the same."""

    name: str
    path: str
    size: int
    post: int = 0
    http2: bool = False

    def send(self, port, requests):
        """One after the other, each answer checked."""
        body = load.BODY(self.post) if self.post else None
        with Connection(port, timeout=60) as connection:
            for _ in range(requests):
                connection.ask(self.path, body=body).expect(self.size, self.name)


GET_200_B = Scenario("GET 200 B", *BODIES["200 B"])
GET_8_KIB = Scenario("GET 8 KiB", *BODIES["8 KiB"])
POST_900_B = Scenario("POST 900 B", POST[0], len(ANSWER), POST[1])
HTTP2_UPSTREAM = Scenario("GET 200 B, HTTP/2 upstream", *BODIES["200 B"], http2=True)


def by_callgrind(bench, kind, scenario):
    """Instructions in user space and allocations, a request."""
    few, many = (counted(bench, kind, scenario, requests) for requests in (FEW, MANY))
    return {name: (many[name] - few[name]) / (MANY - FEW) for name in many}


def counted(bench, kind, scenario, requests):
    out = Path(bench.directory, "callgrind.out")
    out.unlink(missing_ok=True)
    core = min(os.sched_getaffinity(0))
    wrapper = ["taskset", "-c", core, "valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"]
    proxy = bench.start(kind, cores=1, http2=scenario.http2, wrapper=(wrapper, auxv.hide))
    scenario.send(proxy.port, requests)
    bench.processes.end(proxy.process, within=60)
    if not out.exists():
        raise Failed(f"callgrind wrote nothing about {kind.name}:\n{proxy.process.log.read_text(errors='replace')[-2000:]}")
    return read_callgrind(out.read_text())


def read_callgrind(text):
    """The totals of a profile. A name is written once, and stands as its number from then on."""
    names, called, allocations = {}, None, 0
    for line in text.splitlines():
        if line.startswith(("fn=", "cfn=")):
            number, _, name = line.partition("=")[2].partition(" ")
            name = names.setdefault(number, name) if name else names[number]
            called = name if line.startswith("cfn=") else None
        elif line.startswith("calls=") and called and ALLOCATE.fullmatch(called.split("'")[0]):
            allocations += int(line[6:].split()[0])
    return {"instructions": int(re.search(r"^(?:summary|totals): (\d+)", text, re.M).group(1)), "allocations": allocations}


def by_strace(bench, kind, requests=20_000, connections=64):
    """System calls a request, by name, of a proxy under load. strace makes it slow: times would mean nothing.

    None where strace may not look: at a process that hides its memory, as ours does, only root may.
    """
    path, size = BODIES["200 B"]
    proxy = bench.start(kind)
    send = lambda: load.h2load(proxy.port, path, size, connections, 1, requests, bench.cores, 60, http1=True)
    send()
    out = Path(bench.directory, "strace.out")
    attach = [argument for pid in family(proxy.pid) for argument in ("-p", str(pid))]
    tracer = subprocess.Popen(["strace", "-f", "-c", "-o", out, *attach], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        if "attached" not in tracer.stderr.readline():
            return None
        send()
        tracer.send_signal(signal.SIGINT)
        tracer.communicate(timeout=20)
    finally:
        tracer.kill()
        tracer.wait()
        bench.processes.end(proxy.process)
    calls = {}
    for line in out.read_text().splitlines():
        columns = line.split()
        if len(columns) >= 5 and columns[3].isdigit():
            calls[columns[-1]] = int(columns[3]) / requests
    return calls


def measure(bench):
    """Instructions, allocations and system calls a request, of each proxy."""
    results = []
    for kind in bench.kinds:
        for scenario in [GET_200_B, GET_8_KIB, POST_900_B, HTTP2_UPSTREAM]:
            if kind.valgrind and (kind.http2_upstream or not scenario.http2):
                found = by_callgrind(bench, kind, scenario)
                results.append({"round": 0, "cell": scenario.name, "proxy": kind.name, **found})
                bench.say(f"{scenario.name:28} {kind.name:20} {found['instructions']:8.0f} instructions, "
                          f"{found['allocations']:.1f} allocations")
        calls = by_strace(bench, kind)
        if calls is None:
            bench.say(f"{'system calls':28} {kind.name:20} only root may see them")
            continue
        results.append({"round": 0, "cell": "system calls", "proxy": kind.name, "calls": calls})
        bench.say(f"{'system calls, 64 connections':28} {kind.name:20} {calls['total']:8.2f}")
    return results
