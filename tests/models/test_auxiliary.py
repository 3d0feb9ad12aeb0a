"""The auxiliary VAE on a potential."""

import numpy as np
import pytest
import tensorflow as tf

from tfvae.batch import DataInfo
from tfvae.models import auxiliary
from tfvae.networks import mlp
from tfvae.probability import noise

NET = mlp.Config(hidden=(16,))
NOTHING = {"unlabelled": {"image": tf.zeros([50, 0])}}


def potential(**fields):
    return auxiliary.AuxiliaryVAEConfig(2, 4, NET, prior="u2", **fields).build(DataInfo((0,), 0, 100, 0))


@pytest.mark.parametrize(("step", "weight"), [(0, 0.01), (50, 0.51), (100, 1.0), (500, 1.0)])
def test_the_target_warms_up_alone_and_the_true_bound_is_reported(step, weight):
    model = potential(target_warmup_steps=100).prepare(NOTHING)
    model.compile(optimizer="adam")
    model.optimizer.iterations.assign(step)
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
        auxiliary.AuxiliaryVAEConfig(2, 2, NET, target_warmup_steps=5).build(info)
