"""What follows from measured numbers."""

import math


def with_derived(metrics):
    """Adds `mass_found` for a potential: exp(importance-weighted bound − log Z), the share of its mass that q covers.

    Draws of q can only weigh what q reaches, so a q on one of two equal modes finds half. With finitely many draws it
    is an estimate, on average too low.
    """
    if metrics.get("iw_bound") is None or metrics.get("log_normaliser") is None:
        return metrics
    return {**metrics, "mass_found": math.exp(metrics["iw_bound"] - metrics["log_normaliser"])}


def best(records):
    """The record whose training reached the best validation metric; the first of equals."""
    monitor = records[0]["monitor"]
    choose = max if monitor == "bound" else min
    return choose(records, key=lambda record: record[f"validation_{monitor}"])
