import dataclasses

import numpy as np
import pytest

from tfvae.evaluation import representation
from tfvae.evaluation.measurement import Settings


def test_codes_are_the_means_of_the_encoder(small_vae, digits):
    rows = digits.test.take(np.arange(23))
    codes = representation.codes(small_vae, digits, rows, batch_size=10)
    np.testing.assert_allclose(codes, small_vae.encode(digits.observe(rows)).mean(), rtol=1e-4, atol=1e-5)
    assert codes.shape == (23, 3)


def test_auxiliary_codes_are_the_means_of_q_a(small_sdgm, small_vae, digits):
    rows = digits.test.take(np.arange(5))
    codes = representation.auxiliary_codes(small_sdgm, digits, rows)
    np.testing.assert_allclose(codes, small_sdgm.q_a_given_x(digits.observe(rows)).mean(), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="no auxiliary variable"):
        representation.auxiliary_codes(small_vae, digits, rows)


def test_classifiers_on_codes_are_measured_on_test_rows(small_vae, digits):
    result = representation.measure(small_vae, digits, digits.test, Settings(), unlabelled_limit=200)
    assert result["tsvm_unlabelled_rows"] == 200
    # Three random features of a digit tell something: guessing errs 0.9.
    assert 0.1 < result["svm_error"] < 0.85
    assert 0.1 < result["tsvm_error"] < 0.85


def test_no_labels_to_learn_from_are_told(small_vae, small_sdgm, digits):
    unlabelled = dataclasses.replace(digits, labelled=digits.labelled.take([]))
    assert representation.applies(small_vae, digits, digits.test)
    assert not representation.applies(small_vae, unlabelled, digits.test)
    assert not representation.applies(small_sdgm, digits, digits.test), "it classifies without classifiers on its codes"
    with pytest.raises(ValueError, match="labelled rows of at least two classes"):
        representation.measure(small_vae, unlabelled, digits.test, Settings())
