import numpy as np
import pytest

from tests.presets import embedded
from tfvae.evaluation import chains
from tfvae.evaluation.measurement import Settings

NUM_ROWS, UNITS = 30, 8


def autoregressive(rng, coefficient, draws=2000, means=None):
    """Chains [S, 4, NUM_ROWS, UNITS] of x_t = mean + c (x_{t−1} − mean) + noise, begun in their stationary law."""
    means = np.zeros([4, NUM_ROWS, UNITS]) if means is None else means
    x = rng.normal(size=means.shape)
    found = []
    for _ in range(draws):
        x = coefficient * x + np.sqrt(1.0 - coefficient**2) * rng.normal(size=means.shape)
        found.append(means + x)
    return np.stack(found).astype(np.float32)


@pytest.mark.parametrize("coefficient", [0.0, 0.5])
def test_draws_that_remember_their_predecessors_are_worth_fewer(rng, coefficient):
    """Autocorrelations c^k leave S (1 − c) / (1 + c) of S draws."""
    found = chains.diagnosed(autoregressive(rng, coefficient))
    np.testing.assert_allclose(found["code_ess"], 4 * 2000 * (1 - coefficient) / (1 + coefficient), rtol=0.1)
    assert found["code_rhat"] < 1.01 and found["code_not_converged"] == 0.0


def test_codes_of_the_image_repeat_and_codes_of_the_chain_do_not(rng):
    of_image = np.broadcast_to(rng.normal(size=[1, NUM_ROWS, UNITS]), [4, NUM_ROWS, UNITS])
    of_chain = rng.normal(size=[4, NUM_ROWS, UNITS])
    same = chains.diagnosed(autoregressive(rng, 0.0, 400, 3.0 * of_image))
    other = chains.diagnosed(autoregressive(rng, 0.0, 400, 3.0 * of_chain))
    assert same["code_repeatability"] > 0.99 and same["code_rhat"] < 1.02
    assert abs(other["code_repeatability"]) < 0.15 and other["code_not_converged"] == 1.0
    assert not chains.caveats(same, None) and "different codes" in chains.caveats(other, None)[0]


def test_a_unit_that_never_moves_is_left_out(rng):
    draws = autoregressive(rng, 0.0, 400)
    draws[..., 0] = 0.0
    assert np.isfinite(chains.diagnosed(draws)["code_rhat"])


def test_a_model_that_is_inferred_by_chains_is_asked():
    experiment, data = embedded("dgdn_gibbs_digits")
    model = experiment.model.build(data.info).prepare(next(iter(data.training_batches(0))))
    rows = data.test.take(np.arange(5))
    assert chains.applies(model, data, rows)
    found = chains.measure(model, data, rows, Settings())
    assert found == chains.measure(model, data, rows, Settings()) and found["chain_rows"] == 5
    (headline,) = chains.headlines(found, data)
    assert "R-hat" in headline.meaning
