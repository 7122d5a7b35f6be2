"""`python3 -m measure`: what `make bench` and `make gate` call."""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from . import gate, page, run
from .processes import Failed, Processes, prepare

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))


def arguments():
    parser = argparse.ArgumentParser(prog="measure", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    bench = commands.add_parser("run", help="measure this proxy beside its peers")
    bench.add_argument("--proxy", nargs="+", metavar="[NAME=]PATH",
                       help="the builds to measure; one that is named pgo is held to the goals of that column")
    bench.add_argument("--quick", action="store_true", help="few cells, short rounds: no more than a hint")
    bench.add_argument("--only", nargs="+", choices=run.PARTS, metavar="PART",
                       help=f"{', '.join(run.PARTS)}; a quick run has the first {run.QUICK_PARTS}")
    bench.add_argument("--cells", nargs="+", metavar="CELL", help="such as 200_B@64 or 8_KiB@64/http2-out")
    bench.add_argument("--rounds", type=int)
    bench.add_argument("--seconds", type=int, help="how long each load lasts")
    bench.add_argument("--envoy", metavar="PATH", help="the program, if it is to take part")
    bench.add_argument("--peers", choices=["all", "none"], default="all", help="whether nginx and HAProxy take part")
    bench.add_argument("--json", type=Path, default=TARGET / "bench/results.json", help="where all results go")
    bench.add_argument("--page", type=Path, help="where the page goes: docs/performance.md after a whole run, else beside the results")
    bench.add_argument("--note", help="a sentence for the top of the page")

    again = commands.add_parser("page", help="write the page of a run once more")
    again.add_argument("--json", type=Path, default=TARGET / "bench/results.json")
    again.add_argument("--page", type=Path, default=ROOT / "docs/performance.md")
    again.add_argument("--note")

    check = commands.add_parser("gate", help="fail if a request costs more than it may")
    check.add_argument("--proxy", type=Path, default=TARGET / f"release/{run.OURS}")
    check.add_argument("--update", action="store_true", help="write what is counted as what may be")
    return parser.parse_args()


def main(options):
    if options.command == "run":
        options.only = options.only or (run.PARTS[:run.QUICK_PARTS] if options.quick else run.PARTS)
        whole = not options.quick and not options.cells and options.only == run.PARTS and options.peers == "all"
        options.page = options.page or (ROOT / "docs/performance.md" if whole else options.json.parent / "performance.md")
        options.default = f"{TARGET}/release/{run.OURS}"
        run.run(options)
        return 0
    if options.command == "page":
        page.write(options.json, options.page, options.note)
        return 0
    with tempfile.TemporaryDirectory(prefix="gate-") as directory, Processes() as processes:
        return 0 if gate.run(processes, directory, options.proxy.resolve(), options.update) else 1


if __name__ == "__main__":
    prepare()
    try:
        sys.exit(main(arguments()))
    except Failed as failed:
        sys.exit(f"measure: {failed}")
    except KeyboardInterrupt:
        sys.exit(130)
