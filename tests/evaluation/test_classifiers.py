"""Settings of support vector machines are chosen on validation rows."""

import numpy as np

from tfvae.evaluation import classifiers


def test_settings_are_chosen_on_validation_rows(rng):
    inputs, label = rng.normal(size=(40, 2)), np.repeat([0, 1], 20)
    inputs[label == 1] += 1.5
    validation = rng.normal(size=(60, 2)) + np.repeat([[0.0], [1.5]], 30, axis=0)
    validation_label = np.repeat([0, 1], 30)
    chosen = classifiers.svm(inputs, label, validation, validation_label)
    error = np.mean(chosen.predict(validation) != validation_label)
    for cost in classifiers._SVM_COSTS:
        other = classifiers.svm(inputs, label)
        other.set_params(svc__C=cost).fit(inputs, label)
        assert error <= np.mean(other.predict(validation) != validation_label)


def test_without_validation_rows_the_first_candidate_is_taken_and_no_other_made():
    made = []
    candidates = (made.append(number) or number for number in (1, 2))
    assert classifiers.best(candidates, None, None) == 1
    assert made == [1]
