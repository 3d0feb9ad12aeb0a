"""The auxiliary VAE on a potential."""

import numpy as np
import pytest
import tensorflow as tf

from tfvae.batch import DataInfo
from tfvae.models import adgm, auxiliary_vae
from tfvae.networks import mlp
from tfvae.probability import noise

NET = mlp.Config(hidden=(16,))
NOTHING = {"unlabelled": {"image": tf.zeros([50, 0])}}


def potential(**fields):
    return auxiliary_vae.Config(2, 4, NET, prior="u2", **fields).build(DataInfo((0,), 0, 100, 0))


@pytest.mark.parametrize(("step", "weight"), [(0, 0.01), (50, 0.51), (100, 1.0), (500, 1.0)])
def test_the_target_warms_up_alone_and_the_true_bound_is_reported(step, weight):
    model = potential(target_warmup_steps=100).prepare(NOTHING)
    model.compile(optimizer="adam")
    model.step.assign(step)
    seed = noise.seed(0)
    weights = model.log_weights(NOTHING["unlabelled"]["image"], seed, 1)
    warm = model.objective(NOTHING, seed, training=True)
    expected = tf.reduce_mean(weights.divergence - weight * weights.log_likelihood)
    assert float(warm.loss) == pytest.approx(float(expected), rel=1e-5)
    np.testing.assert_allclose(warm.terms["bound"], weights.value()[0], rtol=1e-5)
    assert float(model.objective(NOTHING, seed).loss) == pytest.approx(
        -float(tf.reduce_mean(weights.value())), rel=1e-5
    )


def test_images_have_no_target_to_warm_up(info):
    with pytest.raises(ValueError, match=r"`target_warmup_steps` is for potentials, got 5 .* set `kl_warmup_steps`"):
        auxiliary_vae.Config(2, 2, NET, target_warmup_steps=5).build(info)


@pytest.mark.parametrize("fields", [{}, {"skip": True}, {"auxiliary_sees_image": True}])
def test_kl_of_an_auxiliary_unit_is_never_negative_and_repeats(info, batch, fields):
    image = batch["unlabelled"]["image"]
    for model in (
        adgm.Config(3, 2, NET, **fields).build(info),
        auxiliary_vae.Config(3, 2, NET).build(info),
    ):
        first, again = (model.kl_per_unit(image, noise.seed(3))["a"] for _ in range(2))
        assert first.shape == (len(image), 2) and np.all(first >= 0)
        np.testing.assert_array_equal(first, again)


def test_kl_of_an_auxiliary_unit_is_that_of_many_draws(info, batch):
    model = auxiliary_vae.Config(3, 2, NET).build(info)
    image = batch["unlabelled"]["image"]
    closed = np.mean([model.kl_per_unit(image, noise.seed(s))["a"] for s in range(40)], axis=0)
    q_a = model.encode_auxiliary(image)
    z = model.q_z_given_ax(q_a.sample(20_000, seed=noise.seed(1)), image).sample(seed=noise.seed(2))
    a = q_a.sample(20_000, seed=noise.seed(3))
    drawn = q_a.distribution.log_prob(a) - model.p_a_given_xz(image, z).distribution.log_prob(a)
    np.testing.assert_allclose(closed, tf.reduce_mean(drawn, axis=0), rtol=0.05, atol=0.1)
