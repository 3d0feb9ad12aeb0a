"""Intervals of errors and of their differences."""

import dataclasses

import numpy as np
import pytest

from tfvae.evaluation import intervals


def test_the_interval_of_no_errors_does_not_end_at_zero():
    low, high = intervals.wilson(0, 100)
    assert low == 0.0
    assert high == pytest.approx(0.037, abs=0.001)
    low, high = intervals.wilson(50, 100)
    assert (low, high) == (pytest.approx(0.404, abs=0.001), pytest.approx(0.596, abs=0.001))


def test_the_interval_of_a_difference_is_newcombes():
    """Newcombe 1998, table II, contrast (a): 56/70 − 48/80 has 0.0524 to 0.3339; here with one number of rows."""
    (low, high), (other_low, other_high) = intervals.wilson(56, 70), intervals.wilson(42, 70)
    assert (low, high) == (pytest.approx(0.6918, abs=1e-3), pytest.approx(0.8773, abs=1e-3))
    found = intervals.difference(0.8, 0.6, 70)
    assert found[0] == pytest.approx(0.2 - np.hypot(0.8 - low, other_high - 0.6))
    assert found[1] == pytest.approx(0.2 + np.hypot(high - 0.8, 0.6 - other_low))
    assert intervals.difference(0.6, 0.8, 70) == pytest.approx((-found[1], -found[0]))


@pytest.mark.parametrize(("rows", "share", "other"), [(12, 0.5, 0.5), (100, 0.1, 0.3), (1000, 0.05, 0.08)])
def test_the_interval_of_a_difference_covers_it_19_times_of_20(rng, rows, share, other):
    drawn = rng.binomial(rows, [share, other], (2000, 2)) / rows
    inside = [low <= share - other <= high for low, high in (intervals.difference(a, b, rows) for a, b in drawn)]
    assert 0.92 < np.mean(inside) < 0.985


def test_rows_that_errors_were_counted_on_are_known_for_old_metrics_too(digits):
    assert intervals.judged({"classified_rows": 7}, digits) == 7
    assert intervals.judged({"svm_error": 0.1}, digits) == len(digits.test)
    assert intervals.judged({"evaluated_rows": "validation"}, digits) == len(digits.validation)
    bare = dataclasses.replace(digits, test=digits.test.with_columns(label=np.full(len(digits.test), -1)))
    assert intervals.judged({}, bare) == 0 and intervals.in_words(0.1, 0) == ""
