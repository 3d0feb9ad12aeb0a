"""Clusters against classes, counted by hand."""

import itertools

import numpy as np
import pytest

from tfvae.evaluation import clustering


def test_accuracy_is_at_the_best_of_all_matchings(rng):
    for _ in range(10):
        found, label = rng.integers(0, 4, 30), rng.integers(0, 4, 30)
        best = max(np.mean(np.array(order)[found] == label) for order in itertools.permutations(range(4)))
        assert clustering.scores(found, label)["cluster_accuracy"] == pytest.approx(best)


def test_names_of_clusters_mean_nothing_and_splitting_a_class_costs_accuracy():
    label = np.repeat([0, 1, 2], 10)
    renamed = clustering.scores(np.array([7, 0, 3])[label], label)
    assert renamed == {"cluster_nmi": pytest.approx(1.0), "cluster_accuracy": 1.0, "clusters_in_use": 3}
    split = clustering.scores(2 * label + np.arange(30) % 2, label)
    assert split["cluster_accuracy"] == pytest.approx(0.5) and split["clusters_in_use"] == 6
    assert clustering.scores(np.zeros(30, int), label)["cluster_nmi"] == pytest.approx(0.0)


def test_what_is_wrong_with_clusters_is_said():
    weights = [0.5, 0.3, 0.2]
    assert "one cluster" in clustering.caveats({"clusters_in_use": 1, "cluster_weights": weights}, None)[0]
    assert "raise" in clustering.caveats({"clusters_in_use": 3, "cluster_weights": weights}, None)[0]
    assert not clustering.caveats({"clusters_in_use": 2, "cluster_weights": weights}, None)
    assert not clustering.caveats({}, None) and not clustering.headlines({}, None)
