"""Models and bounds that must coincide."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.batch import DataInfo
from tfvae.inference import elbo, importance_weighted
from tfvae.inference.bound import LogWeights, bound
from tfvae.models import adgm, auxiliary_vae, m2, vae
from tfvae.networks import mlp
from tfvae.probability import noise

tfd = tfp.distributions
NET = mlp.Config(hidden=(16,))


@pytest.fixture
def linear_gaussian(rng):
    """p(z) = N(0, I), p(x|z) = N(Wz, s² I): log joint, the true posterior and log p(x) for five x."""
    w = rng.normal(size=[6, 2]).astype("float32")
    s = 0.7
    x = rng.normal(size=[5, 6]).astype("float32")
    precision = np.eye(2) + w.T @ w / s**2
    covariance = np.linalg.inv(precision).astype("float32")
    posterior = tfd.MultivariateNormalTriL((x @ w / s**2) @ covariance, np.linalg.cholesky(covariance))
    marginal = w @ w.T + s**2 * np.eye(6)
    evidence = tfd.MultivariateNormalTriL(np.zeros(6, "float32"), np.linalg.cholesky(marginal).astype("float32"))

    def log_joint(z):
        log_p_z = tfd.MultivariateNormalDiag(tf.zeros(2), tf.ones(2)).log_prob(z)
        p_x = tfd.MultivariateNormalDiag(tf.linalg.matmul(z, w, transpose_b=True), s * tf.ones(6))
        return log_p_z + p_x.log_prob(x)

    return log_joint, posterior, evidence.log_prob(x)


def weights(log_joint, q, num):
    z = q.sample(num, seed=(1, 2))
    return LogWeights(log_joint(z), q.log_prob(z))


@pytest.mark.parametrize("estimator", [elbo, importance_weighted])
def test_bound_is_tight_at_the_true_posterior(estimator, linear_gaussian):
    log_joint, posterior, evidence = linear_gaussian
    np.testing.assert_allclose(bound(estimator, weights(log_joint, posterior, 3)).value, evidence, rtol=1e-4)


def test_bounds_are_ordered_and_tighten(linear_gaussian):
    log_joint, posterior, evidence = linear_gaussian
    q = tfd.MultivariateNormalDiag(posterior.mean() + 0.3, tf.ones(2))
    log_w = weights(log_joint, q, 50_000)
    loose = bound(elbo, log_w).value
    middle = tf.reduce_mean(importance_weighted(tf.reshape(log_w.value(), [10, 5000, 5])), axis=0)
    tight = importance_weighted(log_w.value())
    assert np.all(loose < middle)
    assert np.all(middle < tight + 1e-3)
    np.testing.assert_allclose(tight, evidence, atol=0.1)


def test_one_sample_importance_weighting_is_the_elbo(rng):
    log_w = tf.constant(rng.normal(size=[1, 7]).astype("float32"))
    np.testing.assert_allclose(importance_weighted(log_w), elbo(log_w), rtol=1e-6)


def test_elbo_is_reconstruction_minus_the_closed_form_kl(info, batch):
    """The sampled divergence agrees in expectation with KL(q ‖ N(0, I))."""
    model = vae.Config(3, NET, num_samples=20_000).build(info)
    x = batch["unlabelled"]["image"]
    sampled = tf.reduce_mean(model.log_weights(x, noise.seed(0), 20_000).divergence, axis=0)
    exact = tf.reduce_sum(model.kl_per_unit(x, noise.seed(0))["z"], axis=-1)
    np.testing.assert_allclose(sampled, exact, atol=0.05)


def test_iwae_with_one_sample_has_the_vaes_loss_and_gradient(info, batch):
    models = [vae.Config(3, NET, bound=name).build(info) for name in ("elbo", "importance")]
    models[1].set_weights(models[0].get_weights())
    gradients = []
    for model in models:
        with tf.GradientTape() as tape:
            loss = model.objective(batch, noise.seed(5), training=True).loss
        gradients.append(tape.gradient(loss, model.trainable_variables))
    for first, second in zip(*gradients):
        np.testing.assert_allclose(first, second, rtol=1e-4, atol=1e-6)


def silence(layer, parent):
    """Cuts a parent off: the rows of the first layer that multiply it become 0."""
    index = list(layer.merge.widths).index(parent)
    kernel = layer.merge.maps[index].kernel
    kernel.assign(tf.zeros_like(kernel))


def test_adgm_whose_auxiliary_is_never_read_is_m2(info, batch):
    """With q(a|x) = p(a|z,y) = N(0, I) and nobody listening to a, the a-terms cancel and M2 is left."""
    model = adgm.Config(3, 2, NET, num_samples=1000).build(info)
    plain = m2.Config(3, NET, num_samples=1000).build(info)
    for name in ("q_a_given_x", "p_a_given_zy"):
        params = getattr(model, name).trunk.layers[-1]
        params.set_weights([np.zeros_like(w) for w in params.get_weights()])
    silence(model.q_y_given_ax, "a")
    silence(model.q_z_given_ayx, "a")
    copies = {"q_y_given_x": "q_y_given_ax", "q_z_given_xy": "q_z_given_ayx", "p_x_given_yz": "p_x_given_yz"}
    for ours, theirs in copies.items():
        source, target = getattr(model, theirs), getattr(plain, ours)
        by_parent = dict(zip(source.merge.widths, source.merge.maps))
        for parent, layer in zip(target.merge.widths, target.merge.maps):
            layer.set_weights(by_parent[parent].get_weights())
        target.merge.bias.assign(source.merge.bias)
        target.trunk.set_weights(source.trunk.get_weights())
    x = batch["unlabelled"]["image"]
    np.testing.assert_allclose(model.classify(x), plain.classify(x), rtol=1e-5)
    bounds = [np.mean(m.unlabelled_bound(x, noise.seed(0))[0].value) for m in (model, plain)]
    assert bounds[0] == pytest.approx(bounds[1], abs=0.05)


def test_sdgm_that_ignores_a_in_x_is_the_adgm(info, batch):
    sdgm = adgm.Config(3, 2, NET, skip=True).build(info)
    model = adgm.Config(3, 2, NET).build(info)
    silence(sdgm.p_x_given_yz, "a")
    for name in ("p_a_given_zy", "q_a_given_x", "q_y_given_ax", "q_z_given_ayx"):
        getattr(model, name).set_weights(getattr(sdgm, name).get_weights())
    by_parent = dict(zip(sdgm.p_x_given_yz.merge.widths, sdgm.p_x_given_yz.merge.maps))
    for parent, layer in zip(model.p_x_given_yz.merge.widths, model.p_x_given_yz.merge.maps):
        layer.set_weights(by_parent[parent].get_weights())
    model.p_x_given_yz.merge.bias.assign(sdgm.p_x_given_yz.merge.bias)
    model.p_x_given_yz.trunk.set_weights(sdgm.p_x_given_yz.trunk.get_weights())
    for seed in range(3):
        losses = [float(m.objective(batch, noise.seed(seed), training=True).loss) for m in (sdgm, model)]
        assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_auxiliary_vae_bound_cannot_exceed_the_normaliser_of_its_potential():
    model = auxiliary_vae.Config(2, 4, NET, prior="u2").build(DataInfo((0,), 0, 100, 0))
    log_w = model.log_weights(tf.zeros([4000, 0]), noise.seed(0), 1).value()
    assert float(tf.reduce_mean(log_w)) < model.p_z.log_normaliser()
    # Importance weights are unbiased for Z itself, whatever q is.
    assert float(importance_weighted(tf.reshape(log_w, [4000, 1]))[0]) < model.p_z.log_normaliser() + 0.5
