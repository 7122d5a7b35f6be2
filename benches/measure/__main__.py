"""`python3 -m measure run`: see `make bench`."""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from . import machine, throughput
from .bench import Bench
from .processes import Failed, Processes, prepare
from .proxies import Envoy, Haproxy, Nginx, Ours
from .ratios import absolute, paired

ROOT = Path(__file__).resolve().parents[2]
OURS = "liquid-auth-proxy"
PARTS = ["throughput"]


def arguments():
    parser = argparse.ArgumentParser(prog="measure", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="measure this proxy beside its peers")
    run.add_argument("--proxy", nargs="+", default=[f"{ROOT}/target/release/{OURS}"], metavar="[NAME=]PATH",
                     help="the builds to measure; one that is named pgo is held to the goals of that column")
    run.add_argument("--quick", action="store_true", help="few cells, short rounds: no more than a hint")
    run.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help=", ".join(PARTS))
    run.add_argument("--cells", nargs="+", metavar="CELL", help="such as 200_B@64 or 8_KiB@64/http2-out")
    run.add_argument("--rounds", type=int)
    run.add_argument("--seconds", type=int, help="how long each load lasts")
    run.add_argument("--envoy", metavar="PATH", help="the program, if it is to take part")
    run.add_argument("--peers", choices=["all", "none"], default="all", help="whether nginx and HAProxy take part")
    run.add_argument("--json", type=Path, default=ROOT / "target/bench/results.json", help="where all results go")
    return parser.parse_args()


def builds(given):
    """The builds by name."""
    named = [entry.partition("=") if "=" in entry else (OURS, "=", entry) for entry in given]
    kinds = [Ours(name, Path(path).resolve()) for name, _, path in named]
    for kind in kinds:
        if not kind.program.is_file():
            raise Failed(f"there is no {kind.program}: `cargo build --release --locked` makes one")
    return kinds


def run(options):
    ours = builds(options.proxy)
    peers = [Nginx(), Haproxy()] if options.peers == "all" else []
    peers += [Envoy(options.envoy)] if options.envoy else []
    rounds = options.rounds or (3 if options.quick else 6)
    seconds = options.seconds or (2 if options.quick else 5)
    results = {"machine": machine.describe(ours), "ours": [kind.name for kind in ours], "rounds": rounds, "seconds": seconds}
    with tempfile.TemporaryDirectory(prefix="bench-") as directory, Processes() as processes:
        bench = Bench(processes, directory, peers + ours, machine.cores())
        if "throughput" in options.only:
            chosen = throughput.cells(options.cells, options.quick)
            results["throughput"] = throughput.measure(bench, chosen, rounds, seconds)
            show(results["throughput"], [str(cell) for cell in chosen], ours, peers)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(results, indent=1) + "\n")
    print(f"all results: {options.json}")


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


if __name__ == "__main__":
    prepare()
    try:
        run(arguments())
    except Failed as failed:
        sys.exit(f"bench: {failed}")
    except KeyboardInterrupt:
        sys.exit(130)
