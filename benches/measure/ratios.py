"""Medians of paired ratios, with their spread."""

from dataclasses import dataclass
from statistics import median


@dataclass
class Ratio:
    """The median of ratios, the smallest and the largest."""

    median: float
    least: float
    most: float

    def __str__(self):
        return f"{self.median:.2f} ({self.least:.2f}–{self.most:.2f})"


def by_round(results, cell, proxy, value):
    """A proxy's figures in a cell, by round; what is None was not to be had."""
    ours = (result for result in results if (result["cell"], result["proxy"]) == (cell, proxy))
    return {result["round"]: result[value] for result in ours if result.get(value) is not None}


def absolute(results, cell, proxy, value):
    """The median over all rounds; None where it was not measured."""
    values = by_round(results, cell, proxy, value).values()
    return median(values) if values else None


def paired(results, cell, proxy, peer, value):
    """`proxy` against `peer`, each round by itself; None where one of them was not measured."""
    ours, theirs = (by_round(results, cell, name, value) for name in (proxy, peer))
    return ratio([ours[number] / theirs[number] for number in ours if number in theirs])


def ratio(values):
    return Ratio(median(values), min(values), max(values)) if values else None
