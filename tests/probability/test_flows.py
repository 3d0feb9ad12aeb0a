import numpy as np
import pytest
import tensorflow as tf

from tfvae.batch import DataInfo
from tfvae.models import vae
from tfvae.networks import mlp
from tfvae.probability import flows, noise


def planar(rng, rows, dim, length, scale=1.0):
    family = flows.planar(length)
    return family, tf.constant(rng.normal(scale=scale, size=[rows, family.num_params(dim)]), tf.float32)


def iaf(rng, rows, dim, steps):
    from tfvae.layers.posterior import InverseAutoregressive

    family = InverseAutoregressive(dim, steps, name="flow")
    for variable in family.trainable_variables:
        variable.assign(rng.normal(scale=0.5, size=variable.shape))
    return family, tf.constant(rng.normal(size=[rows, family.num_params(dim)]), tf.float32)


KINDS = {"planar": lambda rng, dim: planar(rng, 3, dim, 4), "iaf": lambda rng, dim: iaf(rng, 3, dim, 2)}


@pytest.mark.parametrize("kind", KINDS)
def test_the_log_determinant_is_that_of_the_jacobian(rng, kind):
    family, params = KINDS[kind](rng, 3)
    transform = family.distribution(params).transform
    z0 = tf.constant(rng.normal(size=[3, 3]), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(z0)
        z, log_det = transform.forward(z0)
    jacobian = tape.batch_jacobian(z, z0)
    np.testing.assert_allclose(log_det, np.linalg.slogdet(jacobian)[1], atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_the_density_integrates_to_one(rng, kind):
    family, params = KINDS[kind](rng, 2)
    edges = np.arange(-12.0, 12.0, 0.1)
    points = tf.constant(np.stack(np.meshgrid(edges, edges), axis=-1).reshape(-1, 1, 2), tf.float32)
    density = np.exp(family.distribution(params[:1]).log_prob(points), dtype=np.float64)
    np.testing.assert_allclose(density.sum() * 0.1**2, 1.0, atol=0.01)


@pytest.mark.parametrize("kind", KINDS)
def test_a_draws_own_density_is_that_of_the_inverse(rng, kind):
    family, params = KINDS[kind](rng, 4)
    q = family.distribution(params)
    z = q.sample(5, seed=noise.seed(1))
    np.testing.assert_allclose(q.log_prob(z), family.distribution(params).log_prob(z), atol=1e-3)


def test_eighty_planar_layers_are_undone(rng):
    """In float32 alone the way back is off by up to 0.5."""
    family, params = planar(rng, 20, 50, 80, scale=0.3)
    q = family.distribution(params)
    z = q.sample(seed=noise.seed(2))
    z0 = q.transform.inverse(z)[0]
    np.testing.assert_allclose(q.transform.forward(z0)[0], z, atol=2e-4)


def test_gradients_of_the_inverse_are_finite_differences(rng):
    family, params = planar(rng, 1, 2, 3)
    z = tf.constant([[0.3, -0.8]])

    def log_prob(params, z):
        return family.distribution(params).log_prob(z)[0]

    with tf.GradientTape() as tape:
        tape.watch([params, z])
        value = log_prob(params, z)
    for variable, gradient in zip((params, z), tape.gradient(value, [params, z])):
        direction = tf.constant(rng.normal(size=variable.shape), tf.float32)
        ends = [
            log_prob(
                params + (h * direction if variable is params else 0.0), z + (h * direction if variable is z else 0.0)
            )
            for h in (1e-2, -1e-2)
        ]
        np.testing.assert_allclose(
            tf.reduce_sum(gradient * direction), (ends[0] - ends[1]) / 2e-2, rtol=0.02, atol=2e-3
        )


def test_no_parameters_make_a_layer_that_has_no_inverse():
    """w·u far below −1 would fold the space (Rezende & Mohamed 2015, appendix A.1)."""
    layers = flows.Planar(tf.constant([[[-50.0, 0.0]]]), tf.constant([[[1.0, 0.0]]]), tf.zeros([1, 1]))
    assert layers.slope > -1.0
    z = tf.constant([[0.01, 0.0]])
    np.testing.assert_allclose(layers.forward(layers.inverse(z)[0])[0], z, atol=1e-5)


def test_a_layer_of_nothing_is_the_identity():
    z = tf.constant([[0.5, -1.0]])
    moved, log_det = flows.Planar(tf.zeros([1, 3, 2]), tf.ones([1, 3, 2]), tf.ones([1, 3])).forward(z)
    np.testing.assert_allclose(moved, z, atol=1e-6)
    np.testing.assert_allclose(log_det, 0.0, atol=1e-6)


@pytest.mark.parametrize("posterior", ["planar", "iaf"])
def test_a_flow_comes_nearer_to_a_posterior_than_a_gaussian(posterior):
    """Trained on the bound of one model whose posterior is bent: p(x | z) knows z₁ + z₂² alone."""
    x = {"unlabelled": {"image": tf.ones([64, 1])}}

    def best_bound(kind):
        config = vae.Config(
            2, mlp.Config(hidden=(8,)), "gaussian", posterior=kind, flow_length=8 if kind == "planar" else 2
        )
        tf.keras.utils.set_random_seed(0)
        model = config.build(DataInfo((1,), 0, 100, 0))
        model.decode = model.p_x_given_z = lambda z, training=False: flows.DiagGaussian(
            z[..., :1] + z[..., 1:] ** 2, tf.fill(tf.shape(z[..., :1]), -4.0)
        )
        adam, variables = tf.keras.optimizers.Adam(1e-2), model.q_z_given_x.trainable_variables
        adam.build(variables)

        @tf.function
        def step(seed):
            with tf.GradientTape() as tape:
                loss = model.objective(x, seed, training=True).loss
            adam.apply(tape.gradient(loss, variables), variables)
            return loss

        return -np.mean([step(noise.seed(t)) for t in range(500)][-100:])

    assert best_bound(posterior) > best_bound("gaussian") + 0.1
