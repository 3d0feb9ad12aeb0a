"""z = f(x, ξ) and the volume of its map."""

import numpy as np
import pytest
import tensorflow as tf

from tfvae.networks import mlp
from tfvae.networks.implicit import ImplicitEncoder


@pytest.fixture
def made(rng):
    def build(activation="tanh", hidden=(6, 5)):
        encoder = ImplicitEncoder(4, 3, mlp.Config(hidden=hidden, activation=activation))
        for variable in encoder.weights:
            variable.assign(rng.normal(size=variable.shape))
        return encoder

    return build


@pytest.mark.parametrize("activation", ["tanh", "softplus"])
@pytest.mark.parametrize("hidden", [(6,), (6, 5)])
def test_the_volume_is_that_of_finite_differences(made, rng, activation, hidden):
    encoder = made(activation, hidden)
    image, xi = tf.constant(rng.normal(size=[2, 4]), tf.float32), tf.constant(rng.normal(size=[5, 3]), tf.float32)
    z, log_volume = encoder.log_volume(image, xi)
    np.testing.assert_allclose(z, encoder(image, xi), rtol=1e-5, atol=1e-6)
    step = 1e-2
    aside = step * np.eye(3, dtype="float32")
    columns = [(encoder(image, xi + to) - encoder(image, xi - to)) / (2 * step) for to in aside]
    jacobian = np.stack(columns, axis=-1)
    np.testing.assert_allclose(log_volume, np.linalg.slogdet(jacobian)[1], atol=2e-2)


def test_the_density_of_draws_is_that_of_the_map(made, rng):
    """Σ over a grid of q(z) dz is the share of ξ that falls there: here of a map of one dimension."""
    encoder = ImplicitEncoder(1, 1, mlp.Config(hidden=(1,), activation="softplus"))
    for variable in encoder.weights:
        variable.assign(tf.ones(variable.shape) * 0.7)
    xi = tf.linspace(-6.0, 6.0, 4001)[:, None]
    z, log_volume = encoder.log_volume(tf.zeros([1, 1]), xi)
    density = np.exp(-0.5 * xi[:, 0] ** 2 - 0.5 * np.log(2 * np.pi) - log_volume[:, 0])
    assert np.trapezoid(density, z[:, 0, 0]) == pytest.approx(1.0, abs=1e-3)
