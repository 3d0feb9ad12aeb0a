"""DGDN against closed forms, and what it refuses."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tfvae.batch import DataInfo
from tfvae.capabilities import Capability
from tfvae.heads import targets
from tfvae.inference.maps import total_divergence
from tfvae.models import dgdn
from tfvae.networks import dgdn as networks
from tfvae.probability import families, noise

NETWORK = networks.Config(elements=(3, 4), sizes=(3, 2), pooling=(2,))
INFO = DataInfo((8, 8, 1), 3, 50, 10)


@pytest.fixture
def batch(rng):
    def image(num):
        return tf.constant(rng.normal(size=[num, 8, 8, 1]), tf.float32)

    return {
        "labelled": {"image": image(3), "label": tf.constant(rng.integers(0, 3, 3))},
        "unlabelled": {"image": image(5)},
    }


def build(**fields):
    return dgdn.Config(NETWORK, **fields).build(INFO)


def xi_of(model):
    """ξ of the labels of `batch`, three of eight images."""
    return targets.weight(model.heads["label"], model.scales["label"], tf.constant([0, 1, 2]), 3 / 8)


def test_encoder_and_decoder_share_one_map(batch):
    model = build()
    inferred = model.infer(batch["labelled"]["image"], 1, noise.seed(1))
    (draw,) = inferred.draws
    np.testing.assert_array_equal(draw.up, draw.down)
    np.testing.assert_array_equal(model._masks(inferred.draws, 3)[0], draw.up)


def test_the_log_likelihood_of_a_model_whose_maps_are_given_is_that_of_a_gaussian(batch):
    """With one cell a block (no choice of maps) the model is linear Gaussian: many draws approach its log p(x)."""
    network = networks.Config(elements=(2, 2), sizes=(3, 5), pooling=(1,))
    model = dgdn.Config(network, label_weight=0.0, initial_precision=1.0).build(DataInfo((8, 8, 1), 0, 50, 0))
    codes = np.eye(model.latent_dim, dtype="float32")
    ones = [tf.ones([model.latent_dim, *model.deconvnet.levels[0].maps, 2])]
    loadings = (
        model.deconvnet.top_down(tf.constant(codes), ones).numpy().reshape(model.latent_dim, 64).astype(np.float64)
    )
    x = batch["labelled"]["image"].numpy().reshape(3, 64).astype(np.float64)
    covariance = loadings.T @ loadings + np.eye(64)
    _, log_det = np.linalg.slogdet(covariance)
    mahalanobis = np.einsum("bi,ij,bj->b", x, np.linalg.inv(covariance), x)
    log_p_x = -0.5 * (mahalanobis + log_det + 64 * np.log(2 * np.pi))
    bound = model.log_prob_bound(batch["labelled"]["image"], 20_000, noise.seed(0))
    np.testing.assert_allclose(bound, log_p_x, atol=0.5)


def test_many_draws_are_a_tighter_bound_than_the_objectives(batch):
    model = build()
    terms = model.objective(batch, noise.seed(0)).terms
    tight = model.log_prob_bound(tf.concat([s["image"] for s in batch.values()], 0), 500, noise.seed(1))
    assert float(tf.reduce_mean(tight)) > float(tf.reduce_mean(terms["bound"]))


def test_terms_add_up_to_the_bound(batch):
    terms = build().objective(batch, noise.seed(0)).terms
    np.testing.assert_allclose(terms["bound"], terms["log_likelihood"] - terms["kl_s"] - terms["kl_u"], rtol=1e-5)


def test_pixels_are_gaussians_of_one_precision(batch, rng):
    model = build(initial_precision=3.0)
    x, mean = batch["unlabelled"]["image"], tf.constant(rng.normal(size=[5, 8, 8, 1]), tf.float32)
    expected = families.tfd.Normal(mean, 3.0**-0.5).log_prob(x)[..., 0]
    np.testing.assert_allclose(model.log_p_pixels(x, mean), expected, rtol=1e-4, atol=1e-4)


def test_the_weight_of_a_label_is_the_source_s():
    """ξ = N_x / (C ρ): 64 pixels, 3 classes, ρ = 3/8."""
    assert xi_of(build()) == pytest.approx(64 / (3 * 3 / 8))


@pytest.mark.parametrize(("target_scale", "size"), [("pixels", 64), ("dimensions", 192)])
def test_of_colour_images_the_weight_counts_pixels_unless_told_otherwise(target_scale, size):
    """Pu et al. 2016: "the number of pixels in each image"; runs of 0.1 have no such field."""
    config = dgdn.Config(NETWORK, label_weight=0.5, target_scale=target_scale)
    assert config.build(INFO._replace(image_shape=(8, 8, 3))).scales == {"label": 0.5 * size}
    assert dgdn.Config().target_scale == "pixels"


def test_a_frozen_image_model_has_the_loss_of_its_head_alone(batch):
    objective = build(freeze_image_model=True, head="softmax").objective(batch, noise.seed(0))
    model = build(freeze_image_model=True, head="softmax")
    expected = -3 / 8 * xi_of(model) * tf.reduce_mean(objective.terms["label_log_prob"])
    assert float(objective.loss) == pytest.approx(float(expected), rel=1e-4)


@pytest.mark.parametrize("head", dgdn.HEADS)
def test_the_loss_is_the_bound_and_weighted_labels(batch, head):
    """Without any discrete map, term by term: −mean U − (B_l / B) ξ mean log p(y | s) − the prior's share."""
    model = build(unpooling="deterministic", head=head)
    objective = model.objective(batch, noise.seed(0))
    terms, xi = objective.terms, xi_of(model)
    prior = model.heads["label"].log_prior() / INFO.num_train  # Not weighted by ξ (eq. 29).
    expected = -tf.reduce_mean(terms["bound"]) - 3 / 8 * xi * tf.reduce_mean(terms["label_log_prob"]) - prior
    assert float(objective.loss) == pytest.approx(float(expected), rel=1e-4)


def test_an_unlabelled_batch_has_no_term_of_labels(batch):
    terms = build().objective({"unlabelled": batch["unlabelled"]}, noise.seed(0), training=True).terms
    assert "label_log_prob" not in terms


def test_several_draws_are_averaged(batch):
    many = build(num_samples=7)
    terms = many.objective(batch, noise.seed(0), training=True).terms
    assert terms["bound"].shape == (8,) and terms["label_log_prob"].shape == (3,)


def test_a_single_draw_of_many_is_that_of_one(batch):
    """The mean over S draws of the divergence is that of one draw, since the lowest layer's does not depend on it."""
    model = build()
    image = batch["unlabelled"]["image"]
    one, many = (total_divergence(model.infer(image, s, noise.seed(0)).draws) for s in (1, 4))
    np.testing.assert_allclose(many, np.tile(one, 4), rtol=1e-4)


def test_compiled_pooling_draws_the_same_maps(batch):
    model = build()
    image = batch["unlabelled"]["image"]
    plain, compiled = (model.infer(image, 1, noise.seed(2), compiled=c) for c in (False, True))
    np.testing.assert_array_equal(plain.draws[0].position, compiled.draws[0].position)
    np.testing.assert_allclose(plain.s, compiled.s, rtol=1e-4, atol=1e-5)


def test_freezing_trains_the_head_alone(batch):
    model = build(freeze_image_model=True)
    assert {v.path.split("/")[-1] for v in model.trainable_variables} == {"beta", "log_kappa"}
    with tf.GradientTape() as tape:
        loss = model.objective(batch, noise.seed(0), training=True).loss
    assert all(g is not None for g in tape.gradient(loss, model.trainable_variables))


def test_vae_d_writes_to_the_top_left_cell_and_takes_the_maximum(batch):
    model = build(unpooling="deterministic")
    (mask,) = model._masks((), 2)
    np.testing.assert_array_equal(mask[:, ::2, ::2], tf.ones_like(mask[:, ::2, ::2]))
    assert float(tf.reduce_sum(mask)) == mask[:, ::2, ::2].numpy().size
    assert "kl_u" not in model.objective(batch, noise.seed(0)).terms


def test_samples_use_maps_of_the_prior():
    model = build()
    (mask,) = model.deconvnet.prior_masks(200, [noise.seed(0)])
    np.testing.assert_allclose(tf.reduce_mean(mask, axis=[0, 3]), 0.25, atol=0.08)


def test_elements_of_the_lowest_layer_are_its_dictionary():
    model = build()
    drawn = model.deconvnet.elements(0, model.deconvnet.prior_masks(1, [noise.seed(0)]))
    np.testing.assert_allclose(
        drawn[1, 3:6, 3:6, 0], model.deconvnet.dictionaries[0].dictionary[:, :, 0, 1], rtol=1e-5, atol=1e-6
    )


def test_usual_maps_follow_the_logits_of_training(batch):
    """After many equal steps the usual cell of each map is the one that its blocks most often have."""
    model = build()
    logits = np.full([2, 3, 3, 3, 4], 0.0, "float32")
    for element, cell in enumerate([3, 0, 2]):
        logits[..., element, cell] = 4.0
    for _ in range(20):
        model.deconvnet.follow_maps([tf.constant(logits)])
    (mask,) = model.deconvnet.usual_masks(2)
    for element, (i, j) in enumerate([(1, 1), (0, 0), (1, 0)]):
        np.testing.assert_array_equal(mask[:, i::2, j::2, element], 1.0)
    assert float(tf.reduce_sum(mask)) == 2 * 3 * 3 * 3


def test_training_moves_the_usual_maps_and_nothing_else_does(batch):
    model = build()
    before = model.deconvnet.usual[0].numpy()
    model.objective(batch, noise.seed(0))
    np.testing.assert_array_equal(model.deconvnet.usual[0], before)
    model.objective(batch, noise.seed(0), training=True)
    assert np.abs(model.deconvnet.usual[0] - before).max() > 0
    np.testing.assert_allclose(tf.reduce_sum(model.deconvnet.usual[0], axis=-1), 1.0, rtol=1e-5)


def test_elements_of_the_upper_layer_go_through_the_usual_maps(batch):
    """The element of unit k in the middle is the image of a code that is 1 there, under the same maps."""
    model = build()
    masks = model.deconvnet.usual_masks()
    height, width, num = model.deconvnet.code_shape
    code = np.zeros([1, height, width, num], "float32")
    code[0, height // 2, width // 2, 2] = 1.0
    expected = model.deconvnet.top_down(tf.constant(code.reshape(1, -1)), masks)
    np.testing.assert_allclose(model.deconvnet.elements(1, masks)[2], expected[0], rtol=1e-5, atol=1e-6)


def test_without_maps_the_image_is_their_average(batch):
    """E_u p(x | s, u) over uniform maps, against many draws of them."""
    model = build()
    z = model.p_s.sample(1, seed=noise.seed(3))
    masks = model.deconvnet.prior_masks(4000, [noise.seed(4)])
    drawn = model.deconvnet.top_down(tf.repeat(z, 4000, axis=0), masks)
    np.testing.assert_allclose(model.decode(z).mean()[0], tf.reduce_mean(drawn, axis=0), atol=0.05)


def test_a_zero_label_weight_is_a_model_without_classifier(batch):
    model = build(label_weight=0.0)
    assert not model.can(Capability.CLASSIFY) and "classify" not in model.endpoints()
    with pytest.raises(
        ValueError, match=r"DGDN does not answer `classify`: train one with `model.label_weight` above 0"
    ):
        model.classify(batch["unlabelled"]["image"])


@pytest.mark.parametrize(
    ("fields", "info", "message"),
    [
        ({"map_gradient": "magic"}, INFO, "`model.map_gradient` must be one of"),
        ({"head": "forest"}, INFO, "`model.head` must be one of"),
        ({"target_scale": "bytes"}, INFO, "`model.target_scale` must be one of"),
        ({}, INFO._replace(image_shape=(64,)), "data.transform.flatten=False"),
        ({}, INFO._replace(num_classes=0), "model.label_weight=0"),
        ({"freeze_image_model": True, "label_weight": 0.0}, INFO, "nothing is left to train"),
        ({}, INFO._replace(image_shape=(3, 3, 1)), "too small"),
    ],
)
def test_an_invalid_configuration_is_refused(fields, info, message):
    config = dataclasses.replace(dgdn.Config(NETWORK), **fields)
    with pytest.raises(ValueError, match=message):
        config.build(info)
