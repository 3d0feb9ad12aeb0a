"""The stated power of a comparison agrees with repeated tests of simulated shifts."""

import numpy as np
import pytest
from scipy import stats

from tfvae.monitoring import drift, power


@pytest.mark.parametrize(("reference", "new"), [(24, 160), (60, 60), (500, 500)])
def test_the_shift_is_found_four_times_of_five(rng, reference, new):
    level = 0.002
    size = power.shift(reference, new, level)
    found = [
        stats.ks_2samp(rng.normal(size=reference), size + rng.normal(size=new), method="asymp").pvalue < level
        for _ in range(200)
    ]
    assert 0.68 < np.mean(found) < 0.92


def test_more_images_find_less_and_very_few_find_nothing():
    sizes = [power.shift(n, n, 0.002) for n in (15, 50, 200, 1000)]
    assert sizes == sorted(sizes, reverse=True) and sizes[0] > 1.5 and sizes[-1] < 0.4
    assert power.shift(4, 4, 0.002) is None
    enough = power.enough(0.002)
    assert power.shift(enough, enough, 0.002) <= power.WEAK < power.shift(enough // 4, enough // 4, 0.002)


@pytest.mark.parametrize("probs", [[0.5, 0.3, 0.2], [0.1] * 10, [0.7, 0.3]])
def test_the_share_is_found_four_times_of_five(rng, probs):
    moved, other = power.share(probs, 200, 200, 0.01)
    assert other == 1
    changed = (1 - moved) * np.array(probs) + moved * np.eye(len(probs))[other]
    found = []
    for _ in range(60):
        x, y = (rng.choice(len(probs), 200, p=p) for p in (probs, changed))
        found.append(drift.divergence(x, y, len(probs), rng, permutations=300)["p_value"] < 0.01)
    assert 0.55 < np.mean(found) <= 1.0
    assert power.share([1.0], 200, 200, 0.01) == (None, 0)
    assert 0.02 < power.share([1.0, 0.0], 200, 200, 0.01)[0] < 0.1


@pytest.mark.parametrize("count", [40, 150])
def test_the_shift_of_codes_is_found_four_times_of_five(rng, count):
    spread = np.array([3.0, 1.0, 0.5])
    codes = spread * rng.normal(size=(count, 3))
    null = drift.discrepancy(codes, spread * rng.normal(size=(count, 3)), rng, 300)["values"]["null"]
    size = power.code_shift(codes, count, null, 0.02)
    found = []
    for _ in range(40):
        x, y = (spread * rng.normal(size=(count, 3)) for _ in range(2))
        found.append(drift.discrepancy(x, y + size * spread * [1, 0, 0], rng, 200)["p_value"] < 0.02)
    assert 0.5 < np.mean(found) <= 1.0
