"""The model beside its rivals: who makes fewer errors, and how sure that is."""

import math
from typing import NamedTuple

from tfvae.evaluation import intervals, nouns
from tfvae.evaluation.measurement import EVALUATED_ROWS, measurements
from tfvae.evaluation.rivals import contest
from tfvae.metrics import METRICS


class Entrant(NamedTuple):
    """A line of the comparison.

    error:         a fraction.
    std:           over draws of labels, None for one draw.
    ours:          whether it is the model of the report.
    learned_from:  in words.
    rows:          that the error was counted on.
    """

    name: str
    error: float
    std: float | None
    ours: bool
    learned_from: str
    rows: int = 0

    @property
    def interval(self):
        """The 95 % interval of the error: (low, high); both the error itself where nobody knows the number of rows."""
        return intervals.wilson(self.error * self.rows, self.rows) if self.rows else (self.error, self.error)


def comparison(metrics, model_name, data):
    """The model and its rivals as `Entrant`s, the fewest errors first; from draws of labels where there were several.

    A line has a spread only where draws were made; [] if the model does not predict classes.
    """
    labels, num_train = f"{len(data.labelled):,} labels", nouns.counted(data.info.num_train, data, "unlabelled")
    entrants = [
        _entrant(metrics, data, key, model_name + suffix, True, f"{labels} + {num_train}")
        for measurement in measurements().values()
        for key, suffix in measurement.errors.items()
    ]
    also = f" + {nouns.counted(metrics.get(contest.UNLABELLED_ROWS, 0), data, 'unlabelled')}"
    entrants += [
        _entrant(metrics, data, key, rival.title, False, labels + (also if rival.uses_unlabelled else ""))
        for key, rival in contest.found().items()
    ]
    return sorted(filter(None, entrants), key=lambda entrant: entrant.error)


def _entrant(metrics, data, key, name, ours, learned_from):
    """A line, or None where its error was not measured."""
    rows, spread = intervals.judged(metrics, data), metrics.get("draws", {}).get(key)
    if spread:
        return Entrant(name, spread["mean"], spread["std"], ours, learned_from, rows)
    if metrics.get(key) is None:
        return None
    return Entrant(name, metrics[key], None, ours, learned_from, rows)


def judged(metrics, data):
    """What the errors were counted on, in words: "16 test images"."""
    return nouns.counted(intervals.judged(metrics, data), data, metrics.get(EVALUATED_ROWS, "test"))


def verdict(entrants, num_draws, judged):
    """One honest sentence about ours beside the best rival; empty without both.

    Nobody is called the better one where the difference may be none, as far as the rows and the draws of labels tell.

    Args:
        entrants: `comparison`.
        num_draws: of labels.
        judged: what the errors were counted on, in words.
    """
    ours = next((each for each in entrants if each.ours), None)
    best = next((each for each in entrants if not each.ours), None)
    if not ours or not best or not ours.rows:
        return ""
    percent = METRICS["error"].shown
    smaller, larger = sorted((ours.error, best.error))
    numbers = f"{percent(smaller)} against {percent(larger)}"
    caveat = "" if num_draws > 1 else " One draw of labels only: how much of that is luck, --draws=3 tells."
    low, high = intervals.difference(larger, smaller, ours.rows)
    ends = " to ".join(f"{100.0 * end:.1f}".replace("-", "\N{MINUS SIGN}") for end in (low, high))
    of_difference = f"the 95\N{NO-BREAK SPACE}% interval of the difference is {ends} points"
    if low <= 0.0:
        return (
            f"{ours.name} and {best.name} cannot be told apart on {judged} ({numbers}): {of_difference}, which "
            f"includes zero.{caveat}"
        )
    if num_draws > 1 and larger - smaller <= math.hypot(ours.std or 0.0, best.std or 0.0):
        return f"{ours.name} and {best.name} are about equal here ({numbers}): the gap lies within the spread of draws."
    better, other = (ours, best) if ours.error < best.error else (best, ours)
    which = "the best rival, " if better.ours else ""
    return (
        f"{better.name} makes fewer errors than {which}{other.name} on these data ({numbers}; {of_difference}).{caveat}"
    )
