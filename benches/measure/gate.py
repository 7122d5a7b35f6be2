"""The regression gate: what a request costs may not grow unseen.

It compares counts, not times, so a busy machine changes nothing: two runs of one program differ by a thousandth.
"""

import platform
import tomllib
from pathlib import Path

from . import counted, machine
from .bench import Bench
from .processes import Failed
from .proxies import Ours

FIGURES = Path(__file__).parents[1] / "gate.toml"
SCENARIOS = [counted.GET_200_B, counted.GET_8_KIB, counted.POST_900_B, counted.HTTP2_UPSTREAM]
HEAD = """\
# What a request may cost, as `make gate` counts it: instructions in user space and allocations, of the release build.
# More than these and the margin fails. `make gate UPDATE=1` writes what it counts: the commit that brings higher
# figures says what they buy.
margin_percent = {margin}

# What they were counted with. Another compiler, C library or processor counts a few percent otherwise.
architecture = "{architecture}"
rustc = "{rustc}"
"""


def run(processes, directory, program, update):
    """Counts every scenario; True if none costs more than it may."""
    bench = Bench(processes, directory, [], cores=1)
    kind = Ours("liquid-auth-proxy", program)
    found = {scenario.name: counted.by_callgrind(bench, kind, scenario) for scenario in SCENARIOS}
    allowed = tomllib.loads(FIGURES.read_text())
    if update:
        FIGURES.write_text(written(found, allowed["margin_percent"]))
        print(f"gate: new figures are in {FIGURES.relative_to(FIGURES.parents[1])}")
    elif allowed["architecture"] != platform.machine():
        print(f"gate: the figures are for {allowed['architecture']}, this is {platform.machine()}: nothing is compared")
        allowed = None
    return compare(found, allowed if not update else tomllib.loads(FIGURES.read_text()))


def written(found, margin):
    """The file of these figures."""
    text = HEAD.format(margin=margin, architecture=platform.machine(), rustc=machine.versions()["rustc"])
    for name, figures in found.items():
        text += f'\n["{name}"]\n' + "".join(f"{what} = {figure:.1f}\n" for what, figure in figures.items())
    return text


def compare(found, allowed):
    """Prints a line for each figure; True if all of them are allowed."""
    fine, better = True, False
    margin = 1 + allowed["margin_percent"] / 100 if allowed else None
    for name, figures in found.items():
        for what, figure in figures.items():
            line = f"gate: {name:26} {figure:10.1f} {what} a request"
            if allowed:
                if name not in allowed:
                    raise Failed(f"{FIGURES.name} has no figures for {name}: `make gate UPDATE=1` writes them")
                before = allowed[name][what]
                too_many = figure > before * margin
                fine, better = fine and not too_many, better or figure * margin < before
                line += f", {before * margin:10.1f} allowed, {100 * (figure / before - 1):+.1f} %{'  TOO MANY' * too_many}"
            print(line, flush=True)
    if not fine:
        print(f"gate: a request costs more than benches/{FIGURES.name} allows. Find out what it buys, and if that is worth"
              " it: `make gate UPDATE=1`")
        if allowed["rustc"] != machine.versions()["rustc"]:
            print(f"gate: the figures are of rustc {allowed['rustc']}, this is {machine.versions()['rustc']}")
    elif better:
        print("gate: a request costs less than before: `make gate UPDATE=1` keeps it so")
    return fine
