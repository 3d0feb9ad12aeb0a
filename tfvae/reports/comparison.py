"""The model beside its rivals: who makes fewer errors, and how sure that is."""

import math
from typing import NamedTuple

from tfvae.evaluation.measurement import measurements
from tfvae.evaluation.rivals import contest
from tfvae.metrics import METRICS


class Entrant(NamedTuple):
    """A line of the comparison: errors are fractions; `std` is over draws of labels, None for one draw."""

    name: str
    error: float
    std: float | None
    ours: bool
    learned_from: str


def comparison(metrics, model_name, data):
    """The model and its rivals as `Entrant`s, the fewest errors first; from draws of labels where there were several.

    A line has a spread only where draws were made; [] if the model does not predict classes.
    """
    labels, num_train = f"{len(data.labelled)} labels", f"{len(data.train):,}"
    entrants = [
        _entrant(metrics, key, model_name + suffix, True, f"{labels} + {num_train} unlabelled rows")
        for measurement in measurements().values()
        for key, suffix in measurement.errors.items()
    ]
    also = f" + {metrics.get(contest.UNLABELLED_ROWS, 0):,} unlabelled rows"
    entrants += [
        _entrant(metrics, key, rival.title, False, labels + (also if rival.uses_unlabelled else ""))
        for key, rival in contest.found().items()
    ]
    return sorted(filter(None, entrants), key=lambda entrant: entrant.error)


def _entrant(metrics, key, name, ours, learned_from):
    """A line, or None where its error was not measured."""
    spread = metrics.get("draws", {}).get(key)
    if spread:
        return Entrant(name, spread["mean"], spread["std"], ours, learned_from)
    if metrics.get(key) is None:
        return None
    return Entrant(name, metrics[key], None, ours, learned_from)


def verdict(entrants, num_draws):
    """One honest sentence about ours beside the best rival; empty without both."""
    ours = next((each for each in entrants if each.ours), None)
    best = next((each for each in entrants if not each.ours), None)
    if not ours or not best:
        return ""
    gap = abs(ours.error - best.error)
    noise = math.hypot(ours.std or 0.0, best.std or 0.0)
    smaller, larger = sorted((ours.error, best.error))
    numbers = f"{METRICS['error'].shown(smaller)} against {METRICS['error'].shown(larger)}"
    if num_draws > 1 and gap <= noise:
        return f"{ours.name} and {best.name} are about equal here ({numbers}): the gap lies within the spread of draws."
    caveat = "" if num_draws > 1 else " One draw of labels only: how much of that is luck, --draws=3 tells."
    if ours.error < best.error:
        return f"{ours.name} makes fewer errors than the best rival, {best.name} ({numbers}).{caveat}"
    if ours.error == best.error:
        return f"{ours.name} and {best.name} make equally many errors ({numbers}).{caveat}"
    return f"{best.name} makes fewer errors than {ours.name} on these data ({numbers}).{caveat}"
