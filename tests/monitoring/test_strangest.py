"""The strangest images are those that were made strange, each by the measure that was changed."""

import numpy as np
import pytest

from tfvae.monitoring import strangest
from tfvae.monitoring.strangest import DISTANCE


@pytest.mark.parametrize("measure", ["brightness", "contrast", "bound", DISTANCE])
@pytest.mark.parametrize("far", [9.0, np.nan])
def test_an_image_that_lies_far_off_by_any_measure_comes_first(rng, measure, far):
    measured = {name: (rng.random(50), rng.random(30)) for name in ("brightness", "contrast", "bound", DISTANCE)}
    measured[measure][1][17] = far
    first, *others = strangest.strangest(measured, most=5)
    assert (first.number, first.measure) == (17, measure) and len(others) == 4
    low, high = first.usual
    assert 0 <= low < high <= 1


def test_low_values_are_strange_but_not_short_distances(rng):
    reference = 10 + rng.random(50)
    new = np.append(10 + rng.random(9), 1.0)
    assert strangest.strangest({"brightness": (reference, new)})[0].number == 9
    assert strangest.strangest({DISTANCE: (reference, new)})[-1].number == 9


def test_the_distance_of_a_code_is_that_to_the_fifth_nearest(rng):
    reference, new = rng.normal(size=(20, 3)), rng.normal(size=(4, 3))
    own, others = strangest.code_distances(reference, new)
    gaps = np.sort(np.linalg.norm(new[:, None] - reference[None], axis=-1), axis=1)
    np.testing.assert_allclose(others, gaps[:, 4])
    gaps = np.linalg.norm(reference[:, None] - reference[None], axis=-1)
    np.testing.assert_allclose(own, [np.sort(np.delete(gaps[i], i))[4] for i in range(20)])
