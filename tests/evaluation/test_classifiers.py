"""Settings of support vector machines are chosen on validation rows."""

import dataclasses

import numpy as np
from sklearn.datasets import make_moons

from tfvae.evaluation import classifiers
from tfvae.evaluation.transductive import TransductiveSVM


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


def moons(rng, num=300):
    points, label = make_moons(num, noise=0.08, random_state=0)
    labelled = np.concatenate([rng.choice(np.flatnonzero(label == k), 3, replace=False) for k in (0, 1)])
    held_out, held_out_label = make_moons(100, noise=0.08, random_state=1)
    return points, label, labelled, held_out, held_out_label


def test_a_graph_follows_neighbours_where_an_svm_of_the_labels_cuts_across_and_answers_new_points(rng):
    points, label, labelled, held_out, held_out_label = moons(rng)
    new, new_label = make_moons(200, noise=0.08, random_state=2)
    given = (points[labelled], label[labelled])
    graph = classifiers.graph(*given, points, held_out, held_out_label)
    plain = classifiers.svm(*given, held_out, held_out_label)
    assert classifiers.error(graph, new, new_label) < 0.03 < classifiers.error(plain, new, new_label)


def test_a_transductive_svm_is_no_worse_on_validation_rows_than_without_unlabelled_points(rng):
    points, label, labelled, held_out, held_out_label = moons(rng)
    chosen = classifiers.tsvm(points[labelled], label[labelled], points, held_out, held_out_label)
    without = TransductiveSVM(dataclasses.replace(chosen.config, unlabelled_cost=0.0))
    without.fit(points[labelled], label[labelled], points)
    assert classifiers.error(chosen, held_out, held_out_label) <= classifiers.error(without, held_out, held_out_label)
    assert classifiers.error(chosen, held_out, held_out_label) < 0.05
    assert chosen.config.cost in [cost * len(labelled) for cost in classifiers._TSVM_COSTS]
