"""Particles of weights against the networks that they stand for."""

import numpy as np
import pytest
import tensorflow as tf

from tfvae.layers.particles import Particles
from tfvae.networks import conv, mlp
from tfvae.probability import families

NET = mlp.Config(hidden=(6, 5), activation="tanh")


def copies(num, likelihood="bernoulli", net=NET):
    shape = (5,) if isinstance(net, mlp.Config) else (6, 5, 2)
    return [net.decoder(f"net{j}", 3, shape, likelihood) for j in range(num)]


@pytest.mark.parametrize(
    ("net", "likelihood"),
    [(NET, "bernoulli"), (NET, "gaussian"), (conv.Config(filters=(3, 4), kernel=3), "gaussian")],
    ids=["mlp", "two parameters", "convolutional"],
)
def test_one_pass_is_that_of_every_network(rng, net, likelihood):
    networks = copies(3, likelihood, net)
    particles, z = Particles(networks, name="all"), tf.constant(rng.normal(size=[2, 4, 3]), tf.float32)
    x = tf.constant(rng.random([4, 5] if net is NET else [4, 6, 5, 2]), tf.float32)
    expected = tf.stack([network(z).log_prob(x) for network in networks])
    np.testing.assert_allclose(particles(z).log_prob(x), expected, rtol=1e-4, atol=1e-4)
    traced = tf.function(lambda: particles(z).log_prob(x))()
    np.testing.assert_allclose(traced, expected, rtol=1e-4, atol=1e-4)


def test_a_particle_has_the_gradient_of_its_own_network(rng):
    networks = copies(3)
    particles, z = Particles(networks, name="all"), tf.constant(rng.normal(size=[4, 3]), tf.float32)
    x = tf.constant(rng.random([4, 5]) > 0.5, tf.float32)
    with tf.GradientTape(persistent=True) as tape:
        together = tf.reduce_sum(particles(z).log_prob(x))
        alone = [tf.reduce_sum(network(z).log_prob(x)) for network in networks]
    stacked = tape.gradient(together, particles.trainable_variables)
    for j, network in enumerate(networks):
        for ours, theirs in zip(stacked, tape.gradient(alone[j], network.trainable_variables)):
            np.testing.assert_allclose(ours[j], theirs, rtol=1e-4, atol=1e-5)


def test_its_variables_are_the_stacked_ones_alone():
    particles = Particles(copies(3), name="all")
    assert len(particles.variables) == len(particles.trainable_variables) == 6
    assert all(variable.shape[0] == 3 for variable in particles.variables)
    assert len({variable.path for variable in particles.variables}) == 6


def test_the_mixture_is_the_mean_of_the_probabilities(rng):
    particles, z = Particles(copies(3, "gaussian"), name="all"), tf.constant(rng.normal(size=[2, 4, 3]), tf.float32)
    x = tf.constant(rng.random([4, 5]), tf.float32)
    expected = tf.reduce_logsumexp(particles(z).log_prob(x), axis=0) - np.log(3)
    np.testing.assert_allclose(particles.mixture(z).log_prob(x), expected, rtol=1e-5)
    mean = tf.reduce_mean(particles(z).mean(), axis=0)
    np.testing.assert_allclose(particles.mixture(z).mean(), mean, rtol=1e-5, atol=1e-6)


def test_networks_with_a_state_are_refused():
    net = mlp.Config(hidden=(6,), batch_norm=True)
    with pytest.raises(ValueError, match=r"moving_mean.* is not"):
        Particles([net.decoder(f"net{j}", 3, (5,), "bernoulli") for j in range(2)])


def test_a_network_without_weights_is_refused():
    class Known(tf.keras.layers.Layer):
        family = families.BERNOULLI

    with pytest.raises(ValueError, match="nothing to learn"):
        Particles([Known(name="a"), Known(name="b")])
