"""Captions on DGDN: the weights of the source, the second bound, and what can be asked."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tfvae.batch import DataInfo
from tfvae.capabilities import Capability
from tfvae.heads import caption
from tfvae.layers import unpooling
from tfvae.models import dgdn
from tfvae.networks import dgdn as networks
from tfvae.probability import noise

NETWORK = networks.Config(elements=(3, 4), sizes=(3, 2), pooling=(2,))
WORDS = ("<end>", "<unk>", "a", "red", "cross", "square")
INFO = DataInfo((8, 8, 1), 3, 50, 10, WORDS, 5)
SMALL = caption.Config(hidden=6, embedding=5)


@pytest.fixture
def batch(rng):
    def image(num):
        return tf.constant(rng.normal(size=[num, 8, 8, 1]), tf.float32)

    return {
        "labelled": {"image": image(3), "label": tf.constant([0, 1, 2])},
        "captioned": {"image": image(2), "caption": tf.constant([[2, 3, 4, 0, 0], [5, 0, 0, 0, 0]])},
        "unlabelled": {"image": image(3)},
    }


def build(**fields):
    model = dgdn.Config(NETWORK, caption=SMALL, **{"caption_weight": 1.0, **fields}).build(INFO)
    rng = np.random.default_rng(0)  # The source's ±0.01 would leave every caption alike.
    for variable in model.heads["caption"].weights:
        variable.assign(rng.normal(size=variable.shape))
    return model


def codes_of(model, batch, seed):
    image = tf.concat([stream["image"] for stream in batch.values()], axis=0)
    return model.infer(image, 1, seed)


def test_labels_captions_and_unlabelled_images_add_up(batch):
    """−mean U − (3/8) ξ mean log p(y|s) − (1/8) Σ_c N_x/(T_c ρ) log p(Y_c|s) − the prior's share, ρ = 2/8."""
    model = build(unpooling="deterministic", label_weight=0.5, caption_weight=2.0)
    objective = model.objective(batch, noise.seed(0))
    terms, xi = objective.terms, 0.5 * 64 / (3 * 3 / 8)
    prior = model.heads["label"].log_prior() / INFO.num_train  # Not weighted by ξ (eq. 29).
    words = np.array([4.0, 2.0])  # Their ends counted.
    of_captions = np.sum(2.0 * 64 / (words * 2 / 8) * terms["caption_log_prob"].numpy()) / 8
    expected = (
        -tf.reduce_mean(terms["bound"]) - 3 / 8 * xi * tf.reduce_mean(terms["label_log_prob"]) - of_captions - prior
    )
    assert float(objective.loss) == pytest.approx(float(expected), rel=1e-4)


def test_a_caption_is_explained_by_the_code_of_its_own_image(batch):
    model = build(unpooling="deterministic")
    s = codes_of(model, batch, noise.seed(0)).s[3:5]
    expected = model.heads["caption"].log_prob(s, batch["captioned"]["caption"])
    got = model.objective(batch, noise.seed(0)).terms["caption_log_prob"]
    np.testing.assert_allclose(got, expected, rtol=1e-4)


def test_several_draws_of_the_code_are_averaged(batch):
    terms = build(num_samples=3).objective(batch, noise.seed(0), training=True).terms
    assert terms["caption_log_prob"].shape == (2,) and terms["label_log_prob"].shape == (3,)


def test_the_second_bound_is_that_of_the_caption_s_code(batch):
    """Its terms from q(s | Y), the image under the maps of q(u | x), and its share of the loss."""
    plain, model = build(unpooling="deterministic"), build(unpooling="deterministic", caption_encoder=True)
    for variable, other in zip(plain.deconvnet.variables, model.deconvnet.variables):
        variable.assign(other)
    for head, other in zip(plain.heads.values(), model.heads.values()):
        for variable, value in zip(head.variables, other.variables):
            variable.assign(value)
    plain.precision.variables[0].assign(model.precision.variables[0])
    seed, words = noise.seed(0), batch["captioned"]["caption"]
    objective, without = model.objective(batch, seed), plain.objective(batch, seed)
    q_s = model.encode_caption(words)
    s = q_s.sample(seed=noise.fold_in(seed, 1))
    log_p_y = model.heads["caption"].log_prob(s, words)
    weighted = np.array([64 / (4 * 2 / 8), 64 / (2 * 2 / 8)]) * log_p_y
    terms = objective.terms
    np.testing.assert_allclose(terms["caption_kl_s"], tf.reduce_sum(
        0.5 * (q_s.variance() + q_s.mean() ** 2 - 1 - tf.math.log(q_s.variance())), axis=-1), rtol=1e-4)  # fmt: skip
    mean = model.deconvnet.top_down(s, model.deconvnet.usual_masks(2))
    squares = tf.reduce_sum((batch["captioned"]["image"] - mean) ** 2, axis=[1, 2, 3])
    np.testing.assert_allclose(
        terms["caption_log_likelihood"], 32 * np.log(10 / (2 * np.pi)) - 5.0 * squares, rtol=1e-4
    )
    value = 2 / 8 * tf.reduce_mean(terms["caption_log_likelihood"] - terms["caption_kl_s"] + weighted)
    assert float(objective.loss - without.loss) == pytest.approx(-float(value), rel=1e-3)


def test_the_second_bound_leaves_the_maps_alone(batch):
    """Its gradient goes into q(s | Y), the dictionaries and the caption head, not into the image encoder."""
    model = build(caption_encoder=True)
    with tf.GradientTape() as tape:
        masks = model._masks(codes_of(model, batch, noise.seed(0)).draws, 8)
        value = model.caption_bound(batch, masks, noise.seed(1), True).value
    encoder = [*model.deconvnet.filters[0].trainable_variables, *model.deconvnet.pooling[0].trainable_variables]
    assert all(g is None for g in tape.gradient(value, encoder))


@pytest.mark.parametrize(
    ("fields", "capability", "setting"),
    [
        ({"caption_weight": 0.0}, Capability.CAPTION, "`model.caption_weight` above 0"),
        ({}, Capability.IMAGE_FROM_CAPTION, "`model.caption_encoder=True`"),
    ],
)
def test_without_its_part_a_capability_names_the_setting_that_gives_it(fields, capability, setting):
    model = dgdn.Config(NETWORK, caption=SMALL, **{"caption_weight": 1.0, **fields}).build(INFO)
    assert not model.can(capability) and not hasattr(model, capability)
    with pytest.raises(ValueError, match=f"does not answer `{capability}`: train one with {setting}"):
        getattr(model, capability)


def test_an_image_of_a_caption_is_the_collapsed_dictionary(batch):
    """Eq. (3.49): unpooling by one cell a map is linear, so the image is a sum of elements, each where its unit is."""
    model = build(caption_encoder=True, unpooling="deterministic")
    words = batch["captioned"]["caption"]
    s = model.encode_caption(words).mean()
    height, width, num = model.deconvnet.code_shape
    masks = model.deconvnet.usual_masks(num)
    expected = np.zeros([2, 8, 8, 1], np.float32)
    for y in range(height):
        for x in range(width):
            unit = np.zeros([num, height, width, num], np.float32)
            unit[np.arange(num), y, x, np.arange(num)] = 1.0
            placed = model.deconvnet.top_down(tf.constant(unit.reshape(num, -1)), masks).numpy()
            at = s.numpy().reshape(2, height, width, num)[:, y, x]
            expected += np.einsum("bk,khwc->bhwc", at, placed)
    np.testing.assert_allclose(model.image_from_caption(words), expected, rtol=1e-3, atol=1e-4)


def test_usual_masks_are_the_same_in_all_blocks():
    model = build()
    model.deconvnet.usual[0].assign(np.eye(4, dtype="float32")[[2, 1, 3]])
    (mask,) = model.deconvnet.usual_masks(1)
    cells = unpooling.blocks(mask, 2)
    np.testing.assert_array_equal(tf.argmax(cells, axis=-1)[0], np.broadcast_to([2, 1, 3], cells.shape[1:4]))


def test_a_frozen_image_model_leaves_the_head_alone_to_learn(batch):
    model = build(freeze_image_model=True, label_weight=0.0)
    assert {v.path for v in model.trainable_variables} == {v.path for v in model.heads["caption"].variables}
    objective = model.objective(batch, noise.seed(0), training=True)
    assert set(objective.terms) >= {"bound", "caption_log_prob"}


def test_kl_of_a_caption_is_warmed_up():
    model = build(caption_encoder=True, caption_kl_warmup_steps=10)
    assert model.warmed_up(10, training=False) == 1.0


def test_captions_of_an_image_are_the_same_alone_and_repeat(batch):
    model = build()
    image = batch["unlabelled"]["image"]
    first, log_p = model.caption(image)
    again, _ = model.caption(image[1:2])
    np.testing.assert_array_equal(first[1:2], again)
    assert first.shape == (3, 5) and log_p.shape == (3,)
    drawn = [model.caption(image, 4, noise.seed(s))[1] for s in (1, 1, 2)]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert np.abs(drawn[0] - drawn[2]).max() > 0


@pytest.mark.parametrize(
    ("fields", "info", "message"),
    [
        ({}, INFO._replace(vocabulary=(), caption_length=0), "data.captioned_batch"),
        ({"caption_encoder": True, "caption_weight": 0.0}, INFO, "model.caption_weight"),
        ({"caption": dataclasses.replace(SMALL, cell="elman")}, INFO, "`model.caption.cell` must be one of"),
    ],
)
def test_an_invalid_configuration_is_refused(fields, info, message):
    config = dataclasses.replace(dgdn.Config(NETWORK, caption=SMALL, caption_weight=1.0), **fields)
    with pytest.raises(ValueError, match=message):
        config.build(info)
