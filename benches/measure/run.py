"""A run of the benchmark: its parts, one after the other, and what they found."""

import json
import tempfile
from pathlib import Path

from . import counted, goals, latency, machine, memory, page, start, throughput
from .bench import Bench
from .envoy import Envoy
from .peers import Haproxy, Nginx
from .processes import Failed, Processes
from .proxies import Ours
from .ratios import absolute, paired

OURS = "liquid-auth-proxy"
PARTS = ["throughput", "latency", "start", "memory", "counted"]
# Those that take no minutes.
QUICK_PARTS = 3


def builds(given):
    """The builds by name."""
    named = [entry.partition("=") if "=" in entry else (OURS, "=", entry) for entry in given]
    kinds = [Ours(name, Path(path).resolve()) for name, _, path in named]
    for kind in kinds:
        if not kind.program.is_file():
            raise Failed(f"there is no {kind.program}: `cargo build --release --locked` makes one")
    return kinds


def run(options):
    ours = builds(options.proxy or [options.default])
    peers = [Nginx(), Haproxy()] if options.peers == "all" else []
    peers += [Envoy(options.envoy)] if options.envoy else []
    rounds = options.rounds or (3 if options.quick else 6)
    seconds = options.seconds or (2 if options.quick else 5)
    results = {"machine": machine.describe(ours, commit=not options.proxy), "ours": [kind.name for kind in ours], "rounds": rounds, "seconds": seconds}
    if options.envoy:
        results["machine"]["versions"]["Envoy"] = machine.first(r"/([\d.]+)/", [options.envoy, "--version"])
    with tempfile.TemporaryDirectory(prefix="bench-") as directory, Processes() as processes:
        bench = Bench(processes, directory, peers + ours, machine.cores())
        if "throughput" in options.only:
            chosen = throughput.cells(options.cells, options.quick)
            results["throughput"] = throughput.measure(bench, chosen, rounds, seconds)
            show(results["throughput"], [str(cell) for cell in chosen], ours, peers)
        if "latency" in options.only:
            results["latency"] = latency.measure(bench, rounds, seconds)
        if "start" in options.only:
            results["start"] = start.measure(bench, 3 if options.quick else start.STARTS)
        if "memory" in options.only:
            results["memory"] = memory.measure(bench, 1 if options.quick else 3, seconds)
        if "counted" in options.only:
            results["counted"] = counted.measure(bench)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(results, indent=1) + "\n")
    print(f"\nall results: {options.json}")
    show_goals(results)
    page.write(options.json, options.page, options.note)
    print(f"the page: {options.page}")


def show_goals(results):
    """The goals, for a terminal."""
    print("\ngoals: plain, with PGO, stretch; " + ", ".join(results["ours"]))
    for name, *columns in goals.rows(results):
        limits, figures = columns[:3], columns[3:3 + len(results["ours"])]
        print(f"  {name:74}{''.join(f'{limit:10}' for limit in limits)}{', '.join(figures).replace('*', '')}")


def show(results, cells, ours, peers):
    """The ratios, for a terminal."""
    for kind in ours:
        for peer in [*peers, *(other for other in ours if other is not kind)]:
            print(f"\n{kind.name} against {peer.name}: the median of the rounds' ratios (least–most)")
            print(f"  {'':24}{'requests/s':24}{'CPU a request':24}CPU a request, µs")
            for cell in cells:
                rps, cpu = (paired(results, cell, kind.name, peer.name, value) for value in ("rps", "cpu_us"))
                if rps:
                    us = [absolute(results, cell, name, "cpu_us") for name in (kind.name, peer.name)]
                    print(f"  {cell:24}{str(rps):24}{str(cpu):24}{us[0]:.1f} against {us[1]:.1f}")
