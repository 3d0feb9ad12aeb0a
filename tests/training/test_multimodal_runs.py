"""A run of two modalities: trained, resumed, evaluated, drawn, exported, asked, translated file by file, watched."""

import json

import numpy as np
import pytest

import tfvae
from tests.presets import tiny
from tfvae.data import folder, ingest
from tfvae.data.images import encode_png
from tfvae.evaluation import collapse, cross_modal, likelihood, measurement, translation
from tfvae.monitoring import drift
from tfvae.reports import translations
from tfvae.reports.panels import translations as panels
from tfvae.run import opening
from tfvae.serving import export, predictions
from tfvae.storage import metrics_log
from tfvae.training import trainer


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """(a run of two epochs, one that ended after one and went on)."""
    root, experiment = tmp_path_factory.mktemp("runs"), tiny("multimodal_digits")
    trainer.train(experiment, root / "whole")
    experiment.training.epochs = 1
    trainer.train(experiment, root / "resumed")
    experiment.training.epochs = 2
    trainer.train(experiment, root / "resumed")
    return root / "whole", root / "resumed"


def test_a_run_that_goes_on_ends_where_the_other_did(runs):
    whole, resumed = (run / "best.weights.h5" for run in runs)
    assert whole.read_bytes() == resumed.read_bytes()
    lines = [[{**line, "seconds": 0} for line in metrics_log.MetricsLog(run / "metrics.jsonl").lines()] for run in runs]
    assert lines[0] == lines[1]
    assert {"image_bound", "image_bottom_bound", "val_bound", "val_code_gain", "val_active_units"} <= set(lines[0][0])


@pytest.fixture(scope="module")
def run(runs):
    return opening.open_run(runs[0])


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    """The first version, through the whole gate."""
    return export.export(run.model, run.data, tmp_path_factory.mktemp("savedmodels") / "halves")


def test_it_is_evaluated(run):
    settings, rows = measurement.Settings(iw_samples=20, rows_limit=50), run.data.test.take(np.arange(100))
    found = {}
    for each in (likelihood, translation, cross_modal, collapse):
        assert each.applies(run.model, run.data, rows)
        found |= each.measure(run.model, run.data, rows, settings)
    assert len(measurement.headlines(found, run.data)) >= 4
    assert found["joint_iw_bound"] > found["joint_bound"] and found["joint_bound"] < found["bound"] < 0.0
    # log p(x, y) = log p(x) + log p(y | x), estimated in three ways of one model.
    np.testing.assert_allclose(found["joint_iw_bound"], found["iw_bound"] + found["conditional_log_prob"], rtol=0.1)
    assert collapse.caveats({"code_gain": 0.2}, run.data) and not collapse.caveats({"code_gain": 9.0}, run.data)
    accuracies = ("cross_modal_accuracy", "cross_modal_accuracy_reverse", "coherence", "pixels_cross_modal_accuracy")
    assert all(0.0 <= found[name] <= 1.0 for name in accuracies)
    assert found["latent_units"] == 4 and found["active_units"] <= 4


def test_its_translations_are_drawn(run):
    grids = translations.pictures(run.model, run.data)
    assert set(grids) == {"translations_image_to_image_bottom", "translations_image_bottom_to_image", "joint_samples"}
    assert grids["translations_image_to_image_bottom"].shape == (7 * 5 + 1, 8 * 9 + 1, 1)
    assert len(panels.draw(run.model, run.data, {}, 0)) == 3


def test_a_folder_is_translated_picture_by_picture(run, exported, tmp_path):
    for i in range(3):
        (tmp_path / "tops").mkdir(exist_ok=True)
        (tmp_path / "tops" / f"{i}.png").write_bytes(encode_png(run.data.test["image"][i]))
    (tmp_path / "tops" / "broken.png").write_bytes(b"no image")
    signature = "translate_image_to_image_bottom"
    counts = predictions.predict(exported, tmp_path / "tops", tmp_path / "out", (signature,), report=lambda text: None)
    assert (counts["images"], counts["errors"]) == (4, 1)
    lines = [json.loads(line) for path in (tmp_path / "out").glob("*.jsonl") for line in path.open()]
    made = {line["file"]: tmp_path / "out" / line[signature] for line in lines if signature in line}
    assert set(made) == {"0.png", "1.png", "2.png"} and all(
        path.read_bytes()[:4] == b"\x89PNG" for path in made.values()
    )
    with pytest.raises(ValueError, match="translate_image_to_image_c"):
        predictions.predict(exported, tmp_path / "tops", tmp_path / "other", ("translate_image_to_image_c",))


def test_python_translates_arrays_and_files(run, exported, tmp_path):
    model, bottoms = tfvae.load_export(exported), run.data.test["image_bottom"][:3]
    (tmp_path / "0.png").write_bytes(encode_png(bottoms[0]))
    tops = model.translate(bottoms, "image", source="image_bottom")
    assert tops.shape == (3, 4, 8, 1)
    of_file = model.translate([tmp_path / "0.png"], "image", source="image_bottom")
    np.testing.assert_allclose(of_file[0], tops[0], atol=1e-5)
    assert np.abs(model.translate(bottoms, "image", source="image_bottom", seed=1) - tops).max() > 0.0
    with pytest.raises(ValueError, match="cannot translate_image_to_image_c"):
        model.translate(bottoms, "image_c")


def test_drift_looks_at_every_modality(run, exported, tmp_path):
    for i in range(40):
        for name in ("image", "image_bottom"):
            path = tmp_path / "photos" / name / f"{i:02}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode_png(run.data.test[name][i] if name == "image" else 255 - run.data.test[name][i]))
    reference = tmp_path / "reference"
    for i in range(40, 80):
        for name in ("image", "image_bottom"):
            path = reference / name / f"{i:02}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode_png(run.data.test[name][i]))
    ingest.ingest(reference, tmp_path / "shards", folder.Config(test_fraction=0.8), report=lambda text: None)
    found = drift.measure(exported, tmp_path / "shards", tmp_path / "photos", num=36)
    changed = drift.drifted(found)
    assert {"brightness of image_bottom", "codes of image_bottom", "bound of image_bottom"} <= set(changed)
    assert not {"brightness", "codes", "bound"} & set(changed)
