"""z = f(x, ξ) and the volume of its map."""

import numpy as np
import pytest
import tensorflow as tf

from tfvae import ranges
from tfvae.networks import conv, mlp, residual
from tfvae.networks.implicit import ImplicitMLP, Skip


@pytest.fixture
def made(rng):
    def build(activation="tanh", hidden=(6, 5)):
        encoder = ImplicitMLP(4, 3, mlp.Config(hidden=hidden, activation=activation))
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


@pytest.mark.parametrize("shared", [True, False])
def test_a_skip_adds_scaled_noise_and_its_jacobian(made, rng, shared):
    encoder = Skip(made(), 4, name="skip")
    image = tf.constant(rng.normal(size=[2, 4]), tf.float32)
    xi = tf.constant(rng.normal(size=[5, 3] if shared else [5, 2, 3]), tf.float32)
    own = xi[:, None] if shared else xi
    np.testing.assert_allclose(encoder(image, xi), encoder.encoder(image, xi) + 0.51 * own, atol=5e-3)
    encoder.scale.kernel.assign(rng.normal(size=[4, 3]))
    z, log_volume = encoder.log_volume(image, xi)
    np.testing.assert_allclose(z, encoder(image, xi), rtol=1e-5, atol=1e-6)
    step = 1e-2
    aside = step * np.eye(3, dtype="float32")
    columns = [(encoder(image, xi + to) - encoder(image, xi - to)) / (2 * step) for to in aside]
    np.testing.assert_allclose(log_volume, np.linalg.slogdet(np.stack(columns, axis=-1))[1], atol=2e-2)


def test_a_saturated_layer_has_a_small_volume_and_no_singular_one(rng):
    """Long documents drive tanh units to where 1 − tanh² is 0 in float32."""
    encoder = ImplicitMLP(1, 2, mlp.Config(hidden=(2,), activation="tanh"))
    for variable in encoder.weights:
        variable.assign(tf.zeros(variable.shape))
    encoder.merge.maps[0].kernel.assign([[12.0, -15.0]])
    encoder.merge.maps[1].kernel.assign(np.eye(2))
    encoder.dense[0].kernel.assign(np.eye(2))
    _, log_volume = encoder.log_volume(tf.ones([1, 1]), tf.zeros([1, 2]))
    expected = -2.0 * np.log(np.cosh(12.0)) - 2.0 * np.log(np.cosh(15.0))
    np.testing.assert_allclose(log_volume, [[expected]], rtol=1e-4)


def test_the_density_of_draws_is_that_of_the_map(made, rng):
    """Σ over a grid of q(z) dz is the share of ξ that falls there: here of a map of one dimension."""
    encoder = ImplicitMLP(1, 1, mlp.Config(hidden=(1,), activation="softplus"))
    for variable in encoder.weights:
        variable.assign(tf.ones(variable.shape) * 0.7)
    xi = tf.linspace(-6.0, 6.0, 4001)[:, None]
    z, log_volume = encoder.log_volume(tf.zeros([1, 1]), xi)
    density = np.exp(-0.5 * xi[:, 0] ** 2 - 0.5 * np.log(2 * np.pi) - log_volume[:, 0])
    assert np.trapezoid(density, z[:, 0, 0]) == pytest.approx(1.0, abs=1e-3)


CONVOLUTIONAL = {
    "conv": (conv.Config(filters=(3, 4), kernel=3, activation="tanh"), (6, 5, 2), 3),
    "residual": (residual.Config((3, 4), 1, 3, 2, code_channels=4, label_units=5), (8, 4, 2), 8),
}


@pytest.mark.parametrize("kind", CONVOLUTIONAL)
def test_the_volume_of_a_convolutional_map_is_that_of_finite_differences(rng, kind):
    config, shape, latent_dim = CONVOLUTIONAL[kind]
    encoder = config.implicit("q", shape, latent_dim)
    image = tf.constant(rng.normal(size=[2, *shape]), tf.float32)
    xi = tf.constant(rng.normal(size=[3, latent_dim]), tf.float32)
    z, log_volume = encoder.log_volume(image, xi)
    np.testing.assert_allclose(z, encoder(image, xi), rtol=1e-4, atol=1e-5)
    step = 1e-3  # Leaky units have kinks: a small step seldom crosses one.
    aside = step * np.eye(latent_dim, dtype="float32")
    columns = [(encoder(image, xi + to) - encoder(image, xi - to)) / (2 * step) for to in aside]
    np.testing.assert_allclose(log_volume, np.linalg.slogdet(np.stack(columns, axis=-1))[1], atol=0.15)


@pytest.mark.parametrize("kind", CONVOLUTIONAL)
def test_the_first_convolution_is_that_of_the_image_with_the_noise_stacked_on_it(rng, kind):
    """The source stacks ξ on x (tables 4.3 and 4.5); two convolutions and a sum are the same."""
    config, shape, latent_dim = CONVOLUTIONAL[kind]
    encoder = config.implicit("q", shape, latent_dim)
    image = tf.constant(rng.normal(size=[2, *shape]), tf.float32)
    xi = tf.constant(rng.normal(size=[3, latent_dim]), tf.float32)
    plane = encoder.align(xi)
    stacked = tf.concat([tf.tile(image[None], [3, 1, 1, 1, 1]), tf.tile(plane[:, None], [1, 2, 1, 1, 1])], axis=-1)
    kernel = tf.concat([encoder.of_image.kernel, encoder.of_noise.kernel], axis=2)
    maps = tf.nn.conv2d(tf.reshape(stacked, [-1, *stacked.shape[2:]]), kernel, encoder.of_image.strides[0], "SAME")
    codes = encoder.trunk(maps + encoder.of_image.bias)
    np.testing.assert_allclose(encoder(image, xi), tf.reshape(codes, [3, 2, latent_dim]), rtol=1e-4, atol=1e-5)


def test_the_noise_of_a_position_lies_above_its_patch_of_the_image():
    config, shape, latent_dim = CONVOLUTIONAL["residual"]
    plane = config.implicit("q", shape, latent_dim).align(np.arange(latent_dim, dtype="float32")[None])[0, ..., 0]
    np.testing.assert_array_equal(plane[:4, :4], np.kron([[0, 1], [2, 3]], np.ones([2, 2])))
    np.testing.assert_array_equal(plane[4:, :4], np.kron([[4, 5], [6, 7]], np.ones([2, 2])))


@pytest.mark.parametrize("kind", CONVOLUTIONAL)
def test_a_decoder_puts_out_an_image_of_two_parameters_a_pixel(rng, kind):
    config, shape, latent_dim = CONVOLUTIONAL[kind]
    decoder = config.decoder("p", latent_dim, shape, "gaussian")
    z = tf.constant(rng.normal(size=[3, 2, latent_dim]), tf.float32)
    image = tf.constant(rng.normal(size=[2, *shape]), tf.float32)
    p_x = decoder(z)
    loc, log_variance = tf.split(tf.reshape(decoder.params(z), [3, 2, 2, *shape]), 2, axis=2)
    np.testing.assert_allclose(p_x.mean(), loc[:, :, 0], rtol=1e-5, atol=1e-6)
    expected = -0.5 * (
        (image - loc[:, :, 0]) ** 2 / np.exp(log_variance[:, :, 0]) + log_variance[:, :, 0] + np.log(2 * np.pi)
    )
    np.testing.assert_allclose(p_x.log_prob(image), tf.reduce_sum(expected, axis=[2, 3, 4]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("config", "shape", "told"),
    [
        (conv.Config(), (784,), "flatten=False"),
        (mlp.Config(), (8, 8, 1), "flatten=True"),
        (residual.Config(), (30, 30, 3), "multiple of 32"),
    ],
)
def test_observations_that_a_network_cannot_read_are_refused(config, shape, told):
    with pytest.raises(ValueError, match=told):
        config.check(shape)


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (conv.Config(filters=()), "`filters` must be .*, 1 at least"),
        (residual.Config(code_channels=3), "square number"),
    ],
)
def test_sizes_that_no_network_has_are_refused(config, told):
    with pytest.raises(ValueError, match=told):
        ranges.check(config)


def test_a_code_of_another_size_than_the_map_is_refused():
    with pytest.raises(ValueError, match=r"set `model\.latent_dim`"):
        residual.Config(code_channels=4).decoder("p", 50, (32, 32, 3), "gaussian")


@pytest.mark.parametrize("kind", CONVOLUTIONAL)
def test_a_gaussian_encoder_reads_images(rng, kind):
    config, shape, latent_dim = CONVOLUTIONAL[kind]
    q_z = config.encoder("q", shape, latent_dim)(tf.constant(rng.normal(size=[3, *shape]), tf.float32))
    assert q_z.mean().shape == q_z.stddev().shape == (3, latent_dim)
    assert np.ptp(q_z.mean(), axis=0).min() > 0
