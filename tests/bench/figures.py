"""A goal as measured, and the statistics of rounds."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

ROUNDS = 5


@dataclass(frozen=True)
class Figure:
    """One goal as measured. `bound` is None where there is no goal: the figure is there to be compared."""

    goal: str
    what: str
    ratio: float
    bound: float | None = None
    at_least: bool = False

    def __str__(self) -> str:
        line = f"{self.goal:10} {self.what:92} {self.ratio:8.2f}"
        if self.bound is None:
            return line
        return f"{line} {'>=' if self.at_least else '<='} {self.bound:<6g} {'yes' if self.is_reached else 'NO'}"

    @property
    def is_reached(self) -> bool:
        """Whether it is as the goal wants it; also where there is none."""
        if self.bound is None:
            return True
        return self.ratio >= self.bound if self.at_least else self.ratio <= self.bound


def median_of(measure: Callable[[], float], rounds: int = ROUNDS) -> float:
    """The median of some rounds."""
    return statistics.median(measure() for _ in range(rounds))


def median_of_pairs(rounds: Sequence[tuple[float, ...]], upper: int, lower: int) -> float:
    """The median of the ratios of each round, so that a drift of the machine falls out."""
    return statistics.median(r[upper] / r[lower] for r in rounds)


def longest(goal: str, what: str, seconds: Sequence[float], bound: float) -> Figure:
    """The longest of these times against a bound in seconds, with their median and 95th percentile in words."""
    ordered = sorted(seconds)
    middle, high = statistics.median(ordered), ordered[math.ceil(len(ordered) * 0.95) - 1]
    words = f"{what}: s, longest of {len(ordered)} (median {middle:.3f}, p95 {high:.3f})"
    return Figure(goal, words, ordered[-1], bound)
