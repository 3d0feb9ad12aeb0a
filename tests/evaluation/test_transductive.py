import numpy as np
import pytest
from scipy import optimize
from sklearn.datasets import make_moons

from tfvae.evaluation import transductive
from tfvae.evaluation.transductive import Config, TransductiveSVM


def _moons(seed):
    points, label = make_moons(400, noise=0.08, random_state=seed)
    rng = np.random.default_rng(seed)
    labelled = np.concatenate([rng.choice(np.flatnonzero(label == k), 3, replace=False) for k in (0, 1)])
    return points, label, labelled


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_boundary_follows_the_moons_where_an_inductive_svm_cuts_them(seed):
    points, label, labelled = _moons(seed)
    errors = {}
    for unlabelled_cost in (0.0, 1.0):
        svm = TransductiveSVM(Config(gamma=8.0, components=150, unlabelled_cost=unlabelled_cost))
        svm.fit(points[labelled], label[labelled], points)
        errors[unlabelled_cost] = np.mean(svm.predict(points) != label)
    assert errors[0.0] > 0.04
    assert errors[1.0] < 0.01


def test_one_label_a_blob_is_enough(rng):
    # The labelled points lie askew, so that the largest margin between them crosses both blobs.
    centre = np.repeat([[0.0, -2.0], [0.0, 2.0]], 100, axis=0)
    points = centre + rng.normal(size=(200, 2)) * [3.0, 0.3]
    label = np.repeat([3, 7], 100)
    labelled, known = np.array([[-5.0, -2.0], [5.0, 2.0]]), np.array([3, 7])
    inductive = TransductiveSVM(Config(kernel="linear", unlabelled_cost=0.0)).fit(labelled, known, points)
    transductive_svm = TransductiveSVM(Config(kernel="linear")).fit(labelled, known, points)
    assert np.mean(inductive.predict(points) != label) > 0.02
    assert np.mean(transductive_svm.predict(points) != label) == 0.0


def test_gradient_is_that_of_the_objective(rng):
    labelled, unlabelled = rng.normal(size=(5, 4)), rng.normal(size=(9, 4))
    sign = rng.choice([-1.0, 1.0], (5, 2))
    bias, w = np.array([0.2, -0.4]), 0.3 * rng.normal(size=8)

    def objective(flat):
        return transductive.objective(flat.reshape(4, 2), labelled, sign, unlabelled, bias, 3.0, 2.0)

    numeric = optimize.approx_fprime(w, lambda flat: objective(flat)[0], 1e-6)
    np.testing.assert_allclose(objective(w)[1].ravel(), numeric, rtol=1e-4, atol=1e-5)


def test_objective_is_the_formula_on_a_hand_computed_case():
    value, _ = transductive.objective(
        np.array([[1.0]]), np.array([[0.5]]), np.array([[1.0]]), np.array([[0.0], [2.0]]), np.zeros(1), 10.0, 4.0
    )
    # ½·1² + 10·(1 − 0.5)² + 4·(e⁰ + e^(−12)) / 2
    assert value == pytest.approx(0.5 + 2.5 + 2.0 * (1.0 + np.exp(-12.0)))


def test_mean_decision_on_unlabelled_points_is_the_balance_of_the_labels(rng):
    points = rng.normal(size=(120, 3))
    label = np.array([0, 0, 1, 2])
    svm = TransductiveSVM(Config(gamma=2.0)).fit(points[:4], label, points)
    np.testing.assert_allclose(svm.decision(points).mean(axis=0), [0.0, -0.5, -0.5], atol=1e-8)


def test_three_classes_keep_their_names(rng):
    centre = np.array([[0.0, 4.0], [4.0, -2.0], [-4.0, -2.0]])
    label = np.repeat([2, 5, 9], 60)
    points = np.repeat(centre, 60, axis=0) + 0.5 * rng.normal(size=(180, 2))
    svm = TransductiveSVM().fit(points[::60], label[::60], points)
    assert set(svm.predict(points)) == {2, 5, 9}
    assert np.mean(svm.predict(points) != label) == 0.0


def test_what_cannot_be_fitted_is_told(rng):
    points = rng.normal(size=(4, 2))
    with pytest.raises(ValueError, match="two classes"):
        TransductiveSVM().fit(points, np.zeros(4, int), points)
    with pytest.raises(ValueError, match="unlabelled points"):
        TransductiveSVM().fit(points, np.array([0, 0, 1, 1]), points[:0])
    with pytest.raises(ValueError, match="`kernel`"):
        TransductiveSVM(Config(kernel="cubic"))
    with pytest.raises(ValueError, match="`cost` must be a number in"):
        TransductiveSVM(Config(cost=0.0))


@pytest.mark.parametrize("seed", [0, 1])
def test_a_right_guess_needs_no_annealing_and_a_wrong_one_does_not_bind(seed):
    points, label, labelled = _moons(seed)
    config = Config(gamma=8.0, components=150)
    right = TransductiveSVM(config).fit(points[labelled], label[labelled], points, guess=label)
    assert np.mean(right.predict(points) != label) < 0.01
    # A guess that contradicts the labels loses against them.
    wrong = TransductiveSVM(config).fit(points[labelled], label[labelled], points, guess=1 - label)
    assert (wrong.predict(points[labelled]) == label[labelled]).all()


def test_least_squares_are_those_of_the_normal_equations(rng):
    features, targets = rng.normal(size=(50, 4)), rng.normal(size=(50, 2))
    expected = np.linalg.lstsq(features, targets, rcond=None)[0]
    np.testing.assert_allclose(transductive._least_squares(features, targets), expected, rtol=0.02, atol=0.01)
