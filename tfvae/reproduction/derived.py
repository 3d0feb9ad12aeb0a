"""Numbers that follow from measured ones."""

import math

from tfvae.metrics import METRICS


def with_derived(metrics):
    """Adds, for a potential, `shortfall`: log Z − bound; and `mass_found`: exp(importance-weighted bound − log Z).

    The second is the share of its mass that q covers. Draws of q can only weigh what q reaches, so a q on one of two
    equal modes finds half. With finitely many draws it is an estimate, on average too low.
    """
    if metrics.get("iw_bound") is None or metrics.get("log_normaliser") is None:
        return metrics
    log_z = metrics["log_normaliser"]
    return {**metrics, "shortfall": log_z - metrics["bound"], "mass_found": math.exp(metrics["iw_bound"] - log_z)}


def best(records):
    """The record whose training reached the best validation metric; the first of equals."""
    monitor = records[0]["monitor"]
    return METRICS[monitor].best(records, key=lambda record: record[f"validation_{monitor}"])
