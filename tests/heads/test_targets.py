"""Which rows have a target, and what it is worth."""

import numpy as np
import pytest
import tensorflow as tf

from tfvae.heads import targets
from tfvae.heads.bayesian_svm import BayesianSvm
from tfvae.heads.softmax import Softmax


@pytest.fixture
def batch():
    image = lambda num: tf.zeros([num, 4, 5, 3])  # noqa: E731
    return {
        "captioned": {"image": image(2), "caption": tf.zeros([2, 6], tf.int32)},
        "labelled": {"image": image(3), "label": tf.constant([2, 0, 1])},
        "unlabelled": {"image": image(5)},
    }


def test_a_target_is_found_by_the_name_of_its_entry(batch):
    of_label, of_caption = (next(targets.targets([name], batch)) for name in ("label", "caption"))
    assert of_label[:4] == ("label", "labelled", 2, 5) and of_label.share == 3 / 10
    assert of_caption[:4] == ("caption", "captioned", 0, 2) and of_caption.share == 2 / 10
    np.testing.assert_array_equal(of_label.values, [2, 0, 1])
    assert not list(targets.targets(["tags"], batch))


def test_the_share_is_that_of_the_batch_where_its_size_is_not_known(batch):
    specs = tf.nest.map_structure(lambda t: tf.TensorSpec([None, *t.shape[1:]], t.dtype), batch)
    share = tf.function(lambda batch: next(targets.targets(["label"], batch)).share, input_signature=[specs])
    assert float(share(batch)) == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("shape", "scale", "expected"),
    [
        ((4, 5, 3), "pixels", 20),
        ((4, 5, 3), "dimensions", 60),
        ((4, 5, 1), "pixels", 20),
        ((4, 5, 1), "dimensions", 20),
        ((444,), "pixels", 444),
        ((444,), "dimensions", 444),
    ],
)
def test_the_size_of_an_image_is_its_pixels_or_its_dimensions(shape, scale, expected):
    assert targets.size_of_image(shape, scale) == expected


def test_every_target_weighs_as_its_image(batch):
    """ξ = w N_x / (K ρ): with w N_x = 60, K = 4 and ρ = 3/10."""
    assert targets.weight(Softmax(2, 4), 60.0, tf.constant([0, 1, 2]), 0.3) == pytest.approx(50.0)


def test_terms_are_those_of_the_rows_that_have_the_target(batch, rng):
    """Two draws of ten images: ξ times the surrogate in rows 2 to 4 of each, 0 elsewhere, and the prior's share."""
    head = BayesianSvm(2, 3)
    s = tf.constant(rng.normal(size=[20, 2]), tf.float32)
    found = targets.target_terms({"label": head}, {"label": 60.0}, s, batch, 2, targets.prior_share(False, 90, 30))
    by_draw, xi = found.value.numpy().reshape(2, 10), 60.0 / (3 * 0.3)
    np.testing.assert_array_equal(by_draw[:, [0, 1, *range(5, 10)]], 0.0)
    log_probs = [head.log_prob(draw[2:5], batch["labelled"]["label"]) for draw in tf.reshape(s, [2, 10, 2])]
    np.testing.assert_allclose(by_draw[:, 2:5], xi * np.array(log_probs), rtol=1e-4)
    np.testing.assert_allclose(found.terms["label_log_prob"], np.mean(log_probs, axis=0), rtol=1e-4)
    assert float(found.log_prior) == pytest.approx(float(head.log_prior()) / 90, rel=1e-5)
    weighted = targets.prior_share(True, 90, 30)
    found = targets.target_terms({"label": head}, {"label": 60.0}, s, batch, 2, weighted)
    assert float(found.log_prior) == pytest.approx(xi * 0.3 * float(head.log_prior()) / 30, rel=1e-5)


def test_without_targets_there_are_no_terms(batch, rng):
    found = targets.target_terms({"label": Softmax(2, 3)}, {"label": 60.0}, tf.zeros([5, 2]),
                                 {"unlabelled": batch["unlabelled"]}, 1, None)  # fmt: skip
    assert found.terms == {} and found.log_prior == 0.0 and not found.value.numpy().any()
