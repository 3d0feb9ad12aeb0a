"""Clusters of a DGDN: they begin as N(0, I), from codes, and learn."""

import numpy as np
import pytest
import tensorflow as tf

from tfvae.batch import DataInfo
from tfvae.capabilities import Capability
from tfvae.models import cluster_prior, dgdn
from tfvae.networks import dgdn as networks
from tfvae.probability import families, noise

NETWORK = networks.Config(elements=(3, 4), sizes=(3, 2), pooling=(2,))
INFO = DataInfo((8, 8, 1), 0, 50, 0)


def build(unpooling="stochastic", **clusters):
    config = cluster_prior.Config(**{"most": 4, "begin_epochs": 2, **clusters})
    fields = {"label_weight": 0.0, "prior": "stick_breaking", "unpooling": unpooling}
    return dgdn.Config(NETWORK, clusters=config, **fields).build(INFO)


@pytest.fixture
def images(rng):
    """Two kinds of images."""
    return (rng.normal(size=[40, 8, 8, 1]) * 0.1 + 2.0 * (np.arange(40) % 2)[:, None, None, None]).astype(np.float32)


@pytest.fixture
def batch(images):
    return {"unlabelled": {"image": tf.constant(images[:8])}}


def begun(images, **clusters):
    model = build(**clusters)
    model.begin_epoch(2, lambda: images)
    return model


def gradients(model, batch):
    with tf.GradientTape() as tape:
        loss = model.objective(batch, noise.seed(0), training=True).loss
    return tape.gradient(loss, model.p_s.trainable_weights)


def test_before_clusters_begin_the_model_is_the_one_without_them(batch):
    ours = build()
    theirs = dgdn.Config(NETWORK, label_weight=0.0).build(INFO)
    theirs.set_weights([w for v, w in zip(ours.variables, ours.get_weights()) if "p_s/" not in v.path])
    for training in (False, True):
        found, expected = (model.objective(batch, noise.seed(0), training).terms for model in (ours, theirs))
        for name, value in expected.items():
            np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-4, err_msg=name)
    image = batch["unlabelled"]["image"]
    bounds = (model.log_prob_bound(image, 5, noise.seed(1)) for model in (ours, theirs))
    np.testing.assert_allclose(*bounds, rtol=1e-5)
    for gradient in gradients(ours, batch):
        np.testing.assert_array_equal(gradient, np.zeros_like(gradient))
    np.testing.assert_allclose(ours.cluster(image), 0.25, rtol=1e-5)


def test_clusters_begin_once_from_codes_and_then_learn(images, batch):
    model = build()
    for epoch in (0, 1, 3):
        model.begin_epoch(epoch, lambda: pytest.fail("no images are needed"))
        assert float(model.p_s.begun) == 0.0
    model.begin_epoch(2, lambda: images)
    codes = model.encode(tf.constant(images)).mean()
    nearest = np.min(np.sum((codes[:, None] - model.p_s.means) ** 2, axis=-1), axis=1)
    assert nearest.mean() < 0.5 * np.sum((codes - np.mean(codes, axis=0)) ** 2, axis=1).mean()
    assert all(np.abs(gradient).max() > 0.0 for gradient in gradients(model, batch))


def test_the_same_codes_begin_the_same_clusters(images):
    first, again = begun(images), build()
    again.set_weights(first.get_weights())
    again.begin_epoch(2, lambda: images)
    np.testing.assert_array_equal(again.p_s.means, first.p_s.means)


def test_two_kinds_of_images_are_two_clusters(images):
    model = begun(images, most=2)
    found = np.argmax(model.cluster(tf.constant(images)), axis=1)
    assert len(set(found[::2])) == len(set(found[1::2])) == 1 and found[0] != found[1]
    drawn = model.cluster(tf.constant(images), 20, noise.seed(0))
    np.testing.assert_allclose(tf.reduce_sum(drawn, axis=1), 1.0, rtol=1e-5)


def test_the_loss_has_the_prior_of_the_clusters(images, batch):
    model = begun(images, unpooling="deterministic")
    objective = model.objective(batch, noise.seed(0))
    expected = -tf.reduce_mean(objective.terms["bound"]) - model.p_s.log_prior() / INFO.num_train
    assert float(objective.loss) == pytest.approx(float(expected), rel=1e-4)


def test_codes_that_are_drawn_have_the_moments_of_the_mixture(rng):
    prior = cluster_prior.ClusterPrior(3, cluster_prior.Config(most=4), name="p_s")
    for variable in prior.trainable_weights:
        variable.assign(0.1 * rng.normal(size=variable.shape) * (10.0 if variable is prior.means else 1.0))
    s = prior.sample(100_000, noise.seed(0))
    np.testing.assert_allclose(np.mean(s, axis=0), prior.mean(), atol=0.03)
    np.testing.assert_allclose(np.var(s, axis=0), prior.variance(), rtol=0.03)
    # The density is that of the draws: its mean logarithm is minus the entropy, here by a histogram of one dimension.
    one = cluster_prior.ClusterPrior(1, cluster_prior.Config(most=2), name="p_s")
    one.means.assign([[-1.0], [1.5]])
    s = one.sample(200_000, noise.seed(1))
    grid = np.linspace(-6.0, 6.0, 61)
    share = np.histogram(s, grid)[0] / len(s)
    middle = (grid[1:] + grid[:-1])[:, None].astype("f") / 2
    np.testing.assert_allclose(share, 0.2 * np.exp(one.log_prob(tf.constant(middle))), atol=2e-3)


def test_a_stick_starts_even():
    prior = cluster_prior.ClusterPrior(3, cluster_prior.Config(most=5), name="p_s")
    np.testing.assert_allclose(np.exp(prior.parameters()[0]), 0.2, rtol=1e-5)


@pytest.mark.parametrize(
    ("fields", "said"),
    [({"most": 1}, "prior=standard"), ({"begin_epochs": 0}, "begin_epochs"), ({"concentration": 0.0}, "concentration")],
)
def test_what_makes_no_mixture_is_refused(fields, said):
    with pytest.raises(ValueError, match=said):
        build(**fields)


def test_fewer_images_than_clusters_are_told(images):
    with pytest.raises(ValueError, match="3 training images cannot begin"):
        build().begin_epoch(2, lambda: images[:3])


def test_clusters_of_an_image_model_that_does_not_learn_are_refused():
    with pytest.raises(ValueError, match="clusters would never learn"):
        dgdn.Config(NETWORK, prior="stick_breaking", freeze_image_model=True).build(INFO._replace(num_classes=3))
    with pytest.raises(ValueError, match=r"model\.prior"):
        dgdn.Config(NETWORK, prior="gaussian").build(INFO._replace(num_classes=3))


def test_a_model_without_clusters_says_what_gives_some():
    model = dgdn.Config(NETWORK, label_weight=0.0).build(INFO)
    assert not model.can(Capability.CLUSTER)
    with pytest.raises(ValueError, match=r"train one with `model\.prior=stick_breaking`"):
        model.cluster(tf.zeros([1, 8, 8, 1]))
    assert isinstance(model.p_s, families.tfd.Distribution)
