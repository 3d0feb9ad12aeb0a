"""Rivals learn from the labels that the model had."""

import dataclasses
import sys

import numpy as np
import pytest

from tfvae.data import load, transforms
from tfvae.data.examples import Examples
from tfvae.evaluation import rivals
from tfvae.evaluation.rivals import contest, convnet
from tfvae.evaluation.rivals.label_spreading import label_spreading
from tfvae.networks import dgdn, mlp


def test_names_of_metrics_json_are_those_of_version_0_1():
    assert {key: (rival.title, rival.uses_unlabelled) for key, rival in contest.found().items()} == {
        "baseline_convnet_error": ("supervised convolutional network", False),
        "baseline_label_spreading_error": ("LabelSpreading", True),
        "baseline_mlp_error": ("supervised network", False),
        "baseline_svm_error": ("SVM", False),
    }


def test_a_rival_is_found_by_its_file(digits, tmp_path, monkeypatch):
    (tmp_path / "majority.py").write_text(
        "import numpy as np\n"
        "from tfvae.evaluation.rivals.contest import Rival\n"
        "def fit_and_score(contest):\n"
        "    most = np.bincount(contest.labelled.label).argmax()\n"
        "    return float(np.mean(contest.test.label != most))\n"
        "RIVAL = Rival('majority', fit_and_score)\n"
    )
    monkeypatch.setattr(rivals, "__path__", [str(tmp_path)])
    assert contest.found()["baseline_majority_error"].title == "majority"
    result = contest.measure(digits, digits.test.take(np.arange(200)), mlp.Config())
    assert set(result) == {"baseline_majority_error", "baseline_unlabelled_rows"}
    assert 0.8 < result["baseline_majority_error"] < 1.0
    sys.modules.pop("tfvae.evaluation.rivals.majority")


def test_no_labels_to_learn_from_are_told(digits):
    unlabelled = dataclasses.replace(digits, labelled=digits.labelled.take([]))
    with pytest.raises(ValueError, match="labelled rows of at least two classes"):
        contest.measure(unlabelled, digits.test, mlp.Config())


def test_a_convolutional_rival_learns_the_digits_and_repeats(monkeypatch):
    monkeypatch.setattr(convnet, "_EPOCHS", 40)
    digits = load.load(load.Config(transform=transforms.Config(flatten=False)))
    sizes = dgdn.Config(elements=(20, 40), sizes=(3, 3), pooling=(2,))
    rows = digits.test.take(np.arange(200))
    errors = []
    for _ in range(2):
        classes = convnet.train(digits, digits.labelled, digits.validation.take(np.arange(50)), sizes)
        errors.append(np.mean(classes(digits.observe(rows)) != rows.label))
    assert errors[0] < 0.4 and errors[0] == errors[1]


def test_rivals_learn_the_digits_and_repeat(digits):
    rows = digits.test.take(np.arange(200))
    result = contest.measure(digits, rows, mlp.Config(hidden=(32,)), limit=300)
    assert result["baseline_unlabelled_rows"] == 300
    assert set(contest.found()) - set(result) == {"baseline_convnet_error"}  # The network has no convolutions.
    assert all(error < 0.4 for name, error in result.items() if name != "baseline_unlabelled_rows")
    assert result == contest.measure(digits, rows, mlp.Config(hidden=(32,)), limit=300)


def test_rivals_never_see_test_labels(digits):
    rows = digits.test.take(np.arange(100))
    shuffled = Examples(rows.image, np.roll(rows.label, 1))
    one, two = (contest.measure(digits, part, mlp.Config(hidden=(8,)), limit=100) for part in (rows, shuffled))
    # Predictions are the same, so an error on labels that mean nothing is near guessing.
    assert two["baseline_svm_error"] > 0.7 > one["baseline_svm_error"]


def test_labels_spread_along_the_moons(rng):
    angle = rng.uniform(0, np.pi, 300)
    label = np.arange(300) % 2
    points = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    points[label == 1] = [1.0, 0.5] - points[label == 1]
    points += 0.05 * rng.normal(size=points.shape)
    known = np.concatenate([np.flatnonzero(label == k)[:3] for k in (0, 1)])
    spreading = label_spreading(points[known], label[known], points)
    assert np.mean(spreading.predict(points) != label) < 0.02
