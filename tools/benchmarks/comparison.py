"""From seconds a call to ratios beside their goals."""

import statistics
from typing import NamedTuple


class Comparison(NamedTuple):
    """One ratio of two cases.

    name: of its line.
    case: ours.
    peer: what it is compared with.
    goal: the ratio to reach, None for a comparison that only informs.
    dream: a ratio beyond it.
    share: False for units a second of the case in those of the peer (a goal is reached from below), True for the
        seconds a call of the case in those of the peer (a goal is an upper limit).
    """

    name: str
    case: str
    peer: str
    goal: float | None = None
    dream: float | None = None
    share: bool = False


class Result(NamedTuple):
    """A comparison, measured.

    ratio: the median of the rounds' ratios.
    spread: their least and greatest.
    """

    comparison: Comparison
    ratio: float
    spread: tuple[float, float]

    @property
    def reached(self):
        """Whether the goal is reached; None without one."""
        goal = self.comparison.goal
        if goal is None:
            return None
        return self.ratio <= goal if self.comparison.share else self.ratio >= goal

    def line(self):
        """`name ratio goal`; the goal is `-` where there is none, and `goal/dream` where there are two."""
        of = self.comparison
        goal = "-" if of.goal is None else f"{'<=' if of.share else ''}{of.goal:g}"
        return f"{of.name} {self.ratio:.3g} {goal}{'' if of.dream is None else f'/{of.dream:g}'}"


def compare(comparison, seconds, units):
    """A `Result` from what was timed.

    Args:
        comparison: `Comparison`.
        seconds: case -> seconds a call, one a round; the same rounds for all cases.
        units: case -> units a call.
    """
    case, peer = comparison.case, comparison.peer
    rounds = zip(seconds[case], seconds[peer], strict=True)
    if comparison.share:
        ratios = [ours / theirs for ours, theirs in rounds]
    else:
        ratios = [(units[case] / ours) / (units[peer] / theirs) for ours, theirs in rounds]
    return Result(comparison, statistics.median(ratios), (min(ratios), max(ratios)))


def table(seconds, units, unit):
    """A line for each case: the median of its milliseconds a call and its units a second."""
    width = max(map(len, seconds))
    lines = [f"{'case':<{width}} {'ms/call':>10} {unit + '/s':>14}"]
    for name, rounds in seconds.items():
        median = statistics.median(rounds)
        lines.append(f"{name:<{width}} {1e3 * median:>10.3f} {units[name] / median:>14,.1f}")
    return "\n".join(lines)
