import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfvae.networks import modality
from tfvae.networks.pixelcnn import PixelCNN
from tfvae.probability import noise, pixels

CASES = {
    "binary": ((6, 5, 1), "bernoulli"),
    "levels": ((4, 4, 1), "categorical"),
    "colours": ((4, 5, 3), "logistic_mixture"),
}


def made(shape, likelihood, filters=7, blocks=3):
    keras.utils.set_random_seed(1)
    net = PixelCNN(shape, 2, filters, blocks, pixels.PIXELS[likelihood], name="pixels")
    for variable in net.trainable_variables:  # Biases and lengths as after training, not as before.
        if variable.name in ("g", "b"):
            variable.assign(tf.random.stateless_normal(variable.shape, [3, 4]))
    return net, tf.random.stateless_normal([3, *shape[:2], 2], [5, 6])


@pytest.fixture(params=CASES, scope="module")
def case(request):
    shape, likelihood = CASES[request.param]
    return *made(shape, likelihood), shape


def test_a_value_never_sees_itself_or_a_later_one_and_sees_all_before_it_nearby(case):
    net, maps, shape = case
    x = tf.random.stateless_uniform([1, *shape], [0, 1])
    with tf.GradientTape() as tape:
        tape.watch(x)
        # A weight a parameter: the sum of a softmax's logits must not hide what one of them sees.
        params = tf.reduce_sum(net(x, maps[:1]) * tf.random.stateless_normal([net.family.num_params], [7, 8]), -1)
    jacobian = np.reshape(tape.jacobian(params, x), [np.prod(shape)] * 2)
    np.testing.assert_array_equal(np.triu(jacobian), 0.0)
    assert all(jacobian[i, i - 1] for i in range(1, len(jacobian)) if i % (shape[1] * shape[2]))


def test_drawn_value_by_value_is_exactly_what_full_passes_draw(case):
    net, maps, shape = case
    uniforms = noise.uniform([3, *shape], noise.seed(2))
    drawn = tf.function(net.draw)(maps, uniforms).numpy()
    expected = np.zeros([3, *shape], np.float32)
    for i, j, c in itertools.product(*map(range, shape)):
        expected[:, i, j, c] = net.family(net(expected, maps)).inverted(uniforms)[:, i, j, c]
    np.testing.assert_array_equal(drawn, expected)
    assert len(np.unique(drawn)) > 1


def test_a_row_is_drawn_as_it_is_alone(case):
    net, maps, shape = case
    uniforms = noise.uniform([3, *shape], noise.seed(4))
    np.testing.assert_array_equal(net.draw(maps, uniforms)[1:2], net.draw(maps[1:2], uniforms[1:2]))


def test_probabilities_of_all_images_of_two_by_two_bits_sum_to_one():
    net, maps = made((2, 2, 1), "bernoulli")
    x = np.reshape(list(itertools.product([0.0, 1.0], repeat=4)), [16, 2, 2, 1]).astype(np.float32)
    log_p = net.family(net(x, tf.repeat(maps[:1], 16, axis=0))).log_prob(x)
    np.testing.assert_allclose(tf.reduce_sum(tf.exp(log_p)), 1.0, rtol=1e-5)
    assert np.std(log_p) > 0.1


@pytest.mark.parametrize("likelihood", pixels.PIXELS)
def test_draws_have_the_probabilities_that_the_family_states(likelihood):
    family = pixels.PIXELS[likelihood]
    params = tf.random.stateless_normal([1, 1, 1, 1, family.num_params], [1, 1])
    levels = np.array([0, 255] if likelihood == "bernoulli" else np.arange(256))
    p, repeated = family(params), family(tf.repeat(params, len(levels), axis=0))
    probs = np.exp(repeated.log_probs(np.float32(levels / 255.0)[:, None, None, None])[:, 0, 0, 0])
    np.testing.assert_allclose(probs.sum(), 1.0, rtol=1e-4)
    uniforms = np.float32((np.arange(20_000) + 0.5) / 20_000)[:, None, None, None]
    drawn = np.round(255.0 * np.ravel(p.inverted(uniforms))).astype(int)
    np.testing.assert_allclose(np.bincount(drawn, minlength=256)[levels] / 20_000, probs, atol=2e-4)
    np.testing.assert_allclose(np.ravel(p.mean()), np.sum(probs * levels / 255.0), atol=1e-4)


@pytest.mark.parametrize("kind", modality.KINDS)
def test_networks_fit_images_whose_sides_no_stride_divides(kind):
    config = modality.Config(kind=kind, hidden=6, filters=4, strides=(2, 1, 2), masked_blocks=1)
    features, decoder = config.features("x", (7, 5, 3)), config.decoder("p_x", 2, (7, 5, 3), "categorical")
    assert features(tf.zeros([2, 7, 5, 3])).shape == (2, 6)
    p_x = decoder(tf.zeros([4, 2, 2]))
    assert p_x.log_prob(tf.zeros([2, 7, 5, 3])).shape == (4, 2)
    assert p_x.picture().shape == (4, 2, 7, 5, 3)
