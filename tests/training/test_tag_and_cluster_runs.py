"""From tagged digits to a served model that tags, and that says in which cluster an image is."""

import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import tfvae
from tfvae.configs import dgdn_tags_digits
from tfvae.data import folder, ingest
from tfvae.evaluation import clustering, label_draws, tagging
from tfvae.evaluation.evaluate import plain
from tfvae.evaluation.measurement import Settings
from tfvae.monitoring import drift, drift_report
from tfvae.networks import dgdn as networks
from tfvae.reports import panel, predictions_page
from tfvae.serving import asking, model_card, predictions
from tfvae.serving.export import Measured, describe, export
from tfvae.storage import checkpoints
from tfvae.training import trainer


def experiment_of():
    """Both at once: a head for tags on a mixture of codes."""
    experiment = dgdn_tags_digits.get_config("tiny")
    model, training = experiment.model, experiment.training
    model.network = networks.Config((8, 12), (3, 3), (2,))
    model.prior, model.clusters.most, model.clusters.begin_epochs = "stick_breaking", 6, 1
    training.epochs, training.learning_rate, training.figures_epochs = 5, 5e-3, 0
    return experiment


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "_finish", lambda *args: None)
        return tfvae.train(experiment_of(), tmp_path_factory.mktemp("runs") / "both")


@pytest.fixture(scope="module")
def metrics(run):
    # The others take a minute, for their classifiers on codes.
    asked = (tagging.MEASUREMENT, clustering.MEASUREMENT)
    found = [each.measure(run.model, run.data, run.test, Settings()) for each in asked]
    return plain(found[0] | found[1])


@pytest.fixture(scope="module")
def version(run, metrics, tmp_path_factory):
    return export(run.model, run.data, tmp_path_factory.mktemp("served") / "both", measured=Measured(metrics))


@pytest.fixture(scope="module")
def photos(run, tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "photos"
    root.mkdir()
    for i, image in enumerate(run.test.image[:30]):
        Image.fromarray(image[..., 0]).save(root / f"{i:02}.png")
    return root


def test_tags_and_clusters_are_learned(metrics):
    assert metrics["tag_map"] > metrics["frequency_tag_map"] + 0.1
    assert metrics["clusters_in_use"] > 1 and metrics["cluster_nmi"] > 0.05
    assert set(metrics["tags"]) == {"loop", "straight", "curve", "open", "even", "prime", "large", "round"}
    assert label_draws.spread([metrics, metrics])["tag_map"]["std"] == 0.0


def test_an_interrupted_run_begins_its_clusters_once(run, tmp_path, monkeypatch):
    """A run that goes on at the epoch in which clusters begin is the run that never stopped."""
    monkeypatch.setattr(trainer, "_finish", lambda *args: None)
    whole = run_of(tmp_path / "whole", 2)
    run_of(tmp_path / "parts", 1)
    found = run_of(tmp_path / "parts", 2)
    assert found["p_s/begun"] == 1.0
    for path, value in whole.items():
        np.testing.assert_array_equal(found[path], value, err_msg=path)


def run_of(workdir, epochs):
    """The model's variables after the last step."""
    experiment = experiment_of()
    experiment.training.epochs, experiment.training.steps_per_epoch = epochs, 3
    tfvae.train(experiment, workdir)
    return checkpoints.Checkpoints(workdir / "checkpoints").newest().values["model"]


def test_pictures_show_elements_with_words_and_clusters_with_images(run, metrics):
    titles = {each.title for each in panel.drawn(run.model, run.data, metrics)["inside"]}
    assert {"What elements say", "Clusters"} <= titles


def test_the_served_model_answers_as_the_run(run, version, photos):
    served, images = tfvae.load_export(version), run.test.image[:5]
    assert describe(version)["tags"] == list(run.data.info.names["tags"])
    probs = run.model.tag(run.data.observe(run.data.test.take(np.arange(5))))
    for found, row in zip(served.tag(images, least=0.0), probs.numpy(), strict=True):
        assert list(found.values()) == sorted(found.values(), reverse=True)
        expected = dict(zip(run.data.info.names["tags"], row, strict=True))
        assert found == pytest.approx(expected, abs=1e-5)
    np.testing.assert_allclose(served.cluster(images), run.cluster(images), atol=1e-5)
    for name in ("tag_bytes_checked", "cluster_bytes_checked"):
        answer = served.functions()[name](image_bytes=tf.constant([b"no image", (photos / "00.png").read_bytes()]))
        assert [status == b"" for status in answer["status"].numpy()] == [False, True]
    assert all("%" in line for line in asking.ask(version, [photos / "00.png"]))


def test_predictions_have_tags_and_clusters(version, photos, tmp_path):
    predictions.predict(version, photos, tmp_path / "out")
    lines = [json.loads(line) for path in tmp_path.glob("out/part-*.jsonl") for line in path.read_text().splitlines()]
    assert len(lines) == 30 and {"tags", "tag_probabilities", "cluster", "cluster_probabilities"} <= set(lines[0])
    assert lines[0]["cluster"] == int(np.argmax(lines[0]["cluster_probabilities"]))
    table = predictions_page.write(tmp_path / "out")[0].read_text().splitlines()
    assert table[0].endswith(",tags,cluster") and len(table) == 31
    predictions.predict(version, photos, tmp_path / "records", ("tag", "cluster"), suffix="tfrecord")
    (record, *_) = tf.data.TFRecordDataset(str(next((tmp_path / "records").glob("part-*"))))
    feature = tf.train.Example.FromString(record.numpy()).features.feature
    assert [tag.decode() for tag in feature["tags"].bytes_list.value] == lines[0]["tags"]
    np.testing.assert_allclose(feature["tag_probabilities"].float_list.value, lines[0]["tag_probabilities"], rtol=1e-5)


def test_drift_looks_at_tags_and_clusters(run, version, tmp_path):
    for name, digits in (("new", (0, 8)), ("same", range(10))):
        (tmp_path / name).mkdir()
        rows = run.data.test.take(np.isin(run.test.label, list(digits)))
        for i, image in enumerate(rows.image[:200]):
            Image.fromarray(image[..., 0]).save(tmp_path / name / f"{i:02}.png")
    shards = tmp_path / "shards"
    split = folder.Config(validation_fraction=0.5, test_fraction=0.4)
    ingest.ingest(tmp_path / "same", shards, split, report=lambda text: None)
    found = drift.measure(version, shards, tmp_path / "new")
    assert {"tags", "clusters"} <= set(found["tests"]) and {"tags", "clusters"} <= set(found["power"])
    assert "tags" in drift.drifted(found), "zeros and eights alone have other tags"
    page = drift_report.render(found)
    assert "probabilities of the tags" in page and "clusters: Jensen" in page
    json.dumps(drift.answer(found))


def test_the_card_names_tags_and_their_precision(run, version, metrics):
    card = (version / model_card.NAME).read_text()
    assert "Tags: " in card and "Precision of tags" in card and "Clusters in use" in card
