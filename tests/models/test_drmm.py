"""The deep rendering mixture model against enumeration and hand-computed numbers."""

import itertools
import logging

import numpy as np
import pytest
import tensorflow as tf

from tfvae.batch import DataInfo
from tfvae.models import drmm
from tfvae.networks import rendering
from tfvae.probability import noise

TINY = rendering.Config(filters=(3, 2), kernels=(2, 2), paddings=("full", "valid"), blocks=(2, 1))


def model_of(shape=(5, 5, 1), classes=3, network=TINY, **fields):
    return drmm.Config(network=network, **fields).build(DataInfo(shape, classes, 100, 10), seed=0)


def batch_of(rng, shape=(5, 5, 1), classes=3, labelled=4, unlabelled=6):
    image = rng.random([labelled + unlabelled, *shape]).astype(np.float32)
    return {
        "labelled": {"image": tf.constant(image[:labelled]), "label": tf.constant(rng.integers(0, classes, labelled))},
        "unlabelled": {"image": tf.constant(image[labelled:])},
    }


def test_table_6_has_these_sizes():
    small = rendering.RenderingNetwork((28, 28, 1), 10, rendering.Config(), name="small")
    assert [layer.out_shape for layer in small.layers] == [
        (16, 16, 32), (14, 14, 64), (8, 8, 64), (6, 6, 128), (6, 6, 10)
    ]  # fmt: skip
    large = rendering.RenderingNetwork((32, 32, 3), 10, rendering.conv_large(), name="large")
    assert [layer.out_shape[0] for layer in large.layers] == [32, 34, 18, 16, 18, 8, 6, 6, 6]
    assert [layer.out_shape[-1] for layer in large.layers] == [96] * 3 + [192] * 5 + [10]


def test_a_pixel_is_the_sum_over_active_paths(rng):
    """I_x = Σ_p λ_p a_p: every path from the class down to the pixel, the product of its weights (section 3)."""
    network = rendering.Config(filters=(2,), kernels=(2,), paddings=("valid",), blocks=(1,))
    model = model_of((3, 3, 1), 2, network)
    image = tf.constant(rng.random([1, 3, 3, 1]), tf.float32)
    masks = model.network.infer(image).masks
    (first, second), label = model.network.layers, 1
    rendered = model.network.render(tf.one_hot([label], 2), masks)[-1][0, ..., 0].numpy()
    expected = np.zeros([3, 3])
    paths = itertools.product(range(2), range(2), range(2), range(2), range(2))
    for i, j, unit, di, dj in paths:  # Position above, unit of the layer between, cell of its filter.
        on = masks[1][0, i, j, label] * masks[0][0, i, j, unit]
        expected[i + di, j + dj] += on * second.kernel[0, 0, unit, label] * first.kernel[di, dj, 0, unit]
    np.testing.assert_allclose(rendered, expected, rtol=1e-5, atol=1e-6)
    assert np.abs(expected).max() > 0


def test_the_loss_is_the_sum_of_its_named_terms(rng):
    weights = {"label_weight": 0.7, "reconstruction_weight": 0.3, "kl_weight": 0.4, "negativity_weight": 0.9}
    batch = batch_of(rng)
    for sign, factor in drmm.KL_SIGNS.items():
        model = model_of(**weights, balance_weight=0.2, kl_sign=sign)
        loss, terms = model.objective(batch, noise.seed(0))
        means = {name: np.mean(value) for name, value in terms.items()}
        expected = -0.7 * means["label_log_prob"] + 0.3 * means["squared_error"] + 0.9 * means["negativity"]
        assert float(loss) == pytest.approx(expected + 0.4 * factor * means["kl"] + 0.2 * means["balance"], rel=1e-5)


def test_terms_are_those_of_the_equations(rng):
    model, batch = model_of(reduction="sum"), batch_of(rng)
    _, terms = model.objective(batch, noise.seed(0))
    image = tf.concat([batch["labelled"]["image"], batch["unlabelled"]["image"]], axis=0)
    q = model.classify(image).numpy()
    label = np.concatenate([batch["labelled"]["label"], q[4:].argmax(1)])
    templates = model.network.render(tf.one_hot(label, 3), model.network.infer(image).masks)
    np.testing.assert_allclose(terms["kl"], (q * np.log(3 * q)).sum(1), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(terms["label_log_prob"], np.log(q[range(4), label[:4]]), rtol=1e-4)
    np.testing.assert_allclose(terms["squared_error"], ((image - templates[-1]) ** 2).numpy().sum((1, 2, 3)), rtol=1e-4)
    negative = sum((np.minimum(z, 0.0) ** 2).sum((1, 2, 3)) for z in templates[:-1])
    np.testing.assert_allclose(terms["negativity"], negative, rtol=1e-4, atol=1e-6)
    mean_q = q.mean(0)
    assert float(terms["balance"][0]) == pytest.approx(np.log(3) + (mean_q * np.log(mean_q)).sum(), abs=1e-5)


def test_the_order_of_streams_is_no_matter(rng):
    model, batch = model_of(), batch_of(rng)
    turned = {name: batch[name] for name in reversed(batch)}
    losses = [float(model.objective(streams, noise.seed(0)).loss) for streams in (batch, turned)]
    assert losses[0] == pytest.approx(losses[1])


def test_the_expected_error_is_that_of_all_classes_and_its_estimate_is_unbiased(rng):
    exact, sampled = (
        model_of(classes=5, rendered="expected"),
        model_of(classes=5, rendered="expected", rendered_classes=2),
    )
    sampled.set_weights(exact.get_weights())
    image = tf.constant(rng.random([4, 5, 5, 1]), tf.float32)
    batch, q = {"unlabelled": {"image": image}}, exact.classify(image).numpy()
    masks = exact.network.infer(image).masks
    rendered = [exact.network.render(tf.one_hot([label] * 4, 5), masks)[-1] for label in range(5)]
    expected = (q * np.mean((rendered - image) ** 2, axis=(2, 3, 4)).T).sum(1)
    np.testing.assert_allclose(exact.objective(batch, noise.seed(0)).terms["squared_error"], expected, rtol=1e-4)
    draws = [sampled.objective(batch, noise.seed(0, i)).terms["squared_error"].numpy() for i in range(200)]
    error = np.std(draws, axis=0) / np.sqrt(len(draws))
    assert np.std(draws, axis=0).min() > 0
    np.testing.assert_array_less(np.abs(np.mean(draws, axis=0) - expected), 4 * error)


def test_a_gradient_of_the_expected_error_runs_through_q_and_of_the_most_probable_class_it_does_not(rng):
    batch, only = {"unlabelled": {"image": tf.constant(rng.random([4, 5, 5, 1]), tf.float32)}}, {"kl_weight": 0.0}
    for rendered, reaches in (("most_probable", False), ("expected", True)):
        model = model_of(rendered=rendered, **only)
        with tf.GradientTape() as tape:
            loss = model.objective(batch, noise.seed(0), training=True).loss
        # β of the last layer moves q and nothing that is rendered.
        gradient = tape.gradient(loss, model.network.layers[-1].norm.beta)
        assert (gradient is not None and np.abs(gradient).max() > 0) == reaches


def test_penalties_have_the_gradients_of_a_case_by_hand():
    """One layer of 1×1 and two classes on one pixel: z⁽¹⁾ = e_c, image = w_c, so nothing lies between."""
    network = rendering.Config(filters=(1,), kernels=(1,), paddings=("valid",), blocks=(1,))
    model = model_of((1, 1, 1), 2, network, kl_weight=0.0, label_weight=0.0, reconstruction_weight=1.0)
    first, second = model.network.layers
    first.kernel.assign([[[[2.0]]]])
    second.kernel.assign([[[[-0.5, 0.25]]]])
    second.norm.beta.assign([1.0, 0.1])  # Both are on: with batch normalisation at rest 1 − 1 and 0.1 + 0.5 > 0.
    x = tf.constant([[[[0.4]]]])
    batch = {"labelled": {"image": x, "label": tf.constant([1])}}
    with tf.GradientTape() as tape:
        loss, terms = model.objective(batch, noise.seed(0))
    # e_1 → z = 0.25 → image 0.25 · 2 = 0.5: (0.4 − 0.5)² and no negative part.
    assert float(terms["squared_error"][0]) == pytest.approx(0.01, rel=1e-4) and float(terms["negativity"][0]) == 0.0
    d_first, d_second = tape.gradient(loss, [first.kernel, second.kernel])
    assert float(d_first[0, 0, 0, 0]) == pytest.approx(2 * 0.1 * 0.25, rel=1e-4)
    np.testing.assert_allclose(d_second[0, 0, 0], [0.0, 2 * 0.1 * 2.0], rtol=1e-4, atol=1e-7)
    # The other class: e_0 → z = −0.5 → image −1: (1.4)², negative part 0.25, of gradient 2 z.
    second.norm.beta.assign([1.0, 0.1])
    batch["labelled"]["label"] = tf.constant([0])
    with tf.GradientTape() as tape:
        loss, terms = model.objective(batch, noise.seed(0))
    on = float(model.network.infer(x).masks[1][0, 0, 0, 0])
    assert on == 1.0
    assert float(terms["squared_error"][0]) == pytest.approx(1.96, rel=1e-4)
    assert float(terms["negativity"][0]) == pytest.approx(0.25, rel=1e-4)
    assert float(tape.gradient(loss, second.kernel)[0, 0, 0, 0]) == pytest.approx(-2 * 1.4 * 2.0 - 2 * 0.5, rel=1e-4)


def test_batch_normalisation_has_no_gradient_of_what_is_rendered(rng):
    model = model_of(label_weight=0.0, kl_weight=0.0)
    with tf.GradientTape() as tape:
        loss = model.objective(batch_of(rng), noise.seed(0), training=True).loss
    norms = [v for layer in model.network.layers for v in (layer.norm.gamma, layer.norm.beta)]
    assert all(gradient is None or not np.any(gradient) for gradient in tape.gradient(loss, norms))


def test_a_supervised_network_renders_nothing_in_training(rng):
    model = model_of(reconstruction_weight=0.0, kl_weight=0.0, negativity_weight=0.0)
    batch = {"labelled": batch_of(rng)["labelled"]}
    assert "squared_error" not in model.objective(batch, noise.seed(0), training=True).terms
    assert "squared_error" in model.objective(batch, noise.seed(0)).terms


def test_a_drawn_class_is_rendered_of_masks_that_were_seen(rng):
    model = model_of()
    for step in range(300):
        model.objective(batch_of(rng), noise.seed(step), training=True)
    rendered = model.render(tf.constant([0, 1, 2, 0]), noise.seed(0))
    np.testing.assert_array_equal(rendered, model.render(tf.constant([0, 1, 2, 0]), noise.seed(0)))
    assert np.abs(rendered[0] - rendered[1]).max() > 0
    top = model.network.layers[-1]
    assert np.abs(top.frequencies - 0.5).max() > 0.01


def test_energy_is_the_distance_from_what_is_rendered_of_the_image(rng):
    model, image = model_of(), tf.constant(rng.random([3, 5, 5, 1]), tf.float32)
    expected = tf.reduce_sum((image - model.reconstruct(image)) ** 2, [1, 2, 3])
    np.testing.assert_allclose(model.energy(image), expected, rtol=1e-5)
    best = model.classify(image).numpy().argmax(1)
    np.testing.assert_allclose(model.reconstruct(image), model.analogies(image).numpy()[range(3), best], rtol=1e-5)
    assert [z.shape[1] for z in model.templates(image)] == [2, 2, 3, 5]


def test_a_matrix_of_the_readout_begins_as_the_identity(rng):
    plain = model_of()
    dense = model_of(network=rendering.Config(**{**vars(TINY), "readout": "dense"}))
    image = tf.constant(rng.random([3, 5, 5, 1]), tf.float32)
    for ours, theirs in zip(dense.network.layers, plain.network.layers):
        ours.set_weights(theirs.get_weights())
    np.testing.assert_allclose(dense.classify(image), plain.classify(image), rtol=1e-5)
    np.testing.assert_allclose(dense.reconstruct(image), plain.reconstruct(image), rtol=1e-5)


@pytest.mark.parametrize(
    "fields, classes, said",
    [
        ({"kl_sign": "plus"}, 3, "kl_sign"), ({"reduction": "median"}, 3, "reduction"),
        ({"rendered": "all"}, 3, "rendered"),
        ({"rendered": "expected", "rendered_classes": 1}, 3, "rendered_classes"), ({}, 0, "vae"),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_is_refused_by_name(fields, classes, said):
    with pytest.raises(ValueError, match=said):
        model_of(classes=classes, **fields)


@pytest.mark.parametrize(
    "network, shape, said",
    [
        (rendering.Config(paddings=("full", "valid")), (28, 28, 1), "an entry a layer"),
        (rendering.Config(paddings=("full", "same", "full", "valid")), (28, 28, 1), "same"),
        (rendering.conv_large(8), (8, 8, 1), "too small"),
        (rendering.Config(), (64,), "flatten"),
        (rendering.Config(readout="softmax"), (28, 28, 1), "readout"),
    ],
)
def test_a_network_that_does_not_fit_is_refused_by_name(network, shape, said):
    with pytest.raises(ValueError, match=said):
        model_of(shape, network=network)


@pytest.mark.parametrize(
    "fields, warned", [({"kl_sign": "printed"}, "eq. 7"), ({"reduction": "sum"}, "eqs. (6)"), ({}, "")]
)
def test_printed_forms_warn(caplog, fields, warned):
    with caplog.at_level(logging.WARNING):
        model_of(**fields)
    assert warned in caplog.text and bool(warned) == bool(caplog.records)


def test_a_served_class_that_does_not_exist_is_refused():
    endpoint = model_of().endpoints()["render"]
    function = tf.function(endpoint.function, input_signature=endpoint.signature)
    seeds = tf.constant([1, 2], tf.int64)
    assert function(tf.constant([0, 2], tf.int64), seeds)["image"].shape == (2, 5, 5, 1)
    for label in (-1, 3):
        with pytest.raises(tf.errors.InvalidArgumentError, match="0 to 2"):
            function(tf.constant([0, label], tf.int64), seeds)


def test_two_players_share_the_variables_and_follow_one_another():
    players = model_of(start_steps=7).players()
    assert [player.plays(step) for step in (6, 7) for player in players.values()] == [True, False, False, True]
    assert list(model_of().players()) == ["model"]
