"""From a set in COCO's form to a served caption: trained, measured, exported, asked without tfvae."""

import json
import subprocess
import sys

import numpy as np
import pytest

from tests import made_captions
from tfvae.configs import dgdn_flickr8k, dgdn_flickr8k_images
from tfvae.evaluation import captioning
from tfvae.evaluation.evaluate import evaluate
from tfvae.evaluation.measurement import Settings
from tfvae.networks import dgdn as networks
from tfvae.reports import report
from tfvae.run import opening
from tfvae.serving.export import export
from tfvae.storage import checkpoints
from tfvae.training import callbacks, trainer


@pytest.fixture(autouse=True)
def no_pictures_at_the_end(monkeypatch):
    monkeypatch.setattr(trainer, "_finish", lambda *args: None)


@pytest.fixture(scope="module")
def coco(tmp_path_factory):
    return made_captions.write_coco(tmp_path_factory.mktemp("data") / "coco")


def experiment_of(coco, preset=dgdn_flickr8k_images):
    experiment = preset.get_config("tiny")
    experiment.model.network = networks.Config((8, 16), (4, 3), (2,))
    experiment.data.path, experiment.data.image_size = str(coco), 16
    experiment.data.transform.contrast = "none"
    experiment.training.figures_epochs = 0
    return experiment


@pytest.fixture(scope="module")
def trained(coco, tmp_path_factory):
    """50 images and their captions, learned by heart in 350 steps."""
    experiment = experiment_of(coco)
    experiment.model.caption.hidden, experiment.model.caption.embedding = 64, 16
    experiment.model.caption_weight, experiment.model.caption_kl_warmup_steps = 5.0, 100
    experiment.data.captioned_batch = 25
    experiment.training.learning_rate, experiment.training.epochs = 0.01, 7
    experiment.training.steps_per_execution, experiment.training.monitor = 50, "perplexity"
    workdir = tmp_path_factory.mktemp("runs") / "captions"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "_finish", lambda *args: None)
        trainer.train(experiment, workdir)
    return opening.open_run(workdir)


def test_captions_of_fifty_images_are_learned_by_heart(trained):
    found = captioning.measure(trained.model, trained.data, trained.data.captioned, Settings(), meteor=False)
    assert found["bleu4"] > 0.9 and found["perplexity"] < 1.2
    assert found["perplexity_shuffled"] > 1.5, "the captions do not depend on the image"
    assert found["image_to_caption_r5"] > 0.9 and found["caption_to_image_r5"] > 0.9


def test_many_images_of_captions_are_nearest_to_those_they_were_written_for(trained):
    """By the usual maps alone, so blurred: of 50 images chance finds one."""
    rows = trained.data.captioned
    words = trained.data.vocabulary.ids([texts[0] for texts in rows.captions])
    made = trained.model.image_from_caption(words).numpy().reshape(len(rows), -1)
    true = trained.data.observe(rows).reshape(len(rows), -1)
    distance = ((made[:, None] - true[None]) ** 2).sum(axis=-1)
    assert (distance.argmin(axis=1) == np.arange(len(rows))).mean() > 0.2


def test_a_report_shows_captions(trained):
    metrics = evaluate(trained.model, trained.data, num_samples=2, iw_samples=2)
    assert {"perplexity", "bleu4", "caption_to_image_r10", "bound"} <= set(metrics)
    page = report.render(trained.model, trained.data, metrics, trained.workdir)
    for words in ("Perplexity", "BLEU-1 · BLEU-4", "Recall at 10", "Images from captions", "50 with captions"):
        assert words in page


_ASK = """
import sys, json, pathlib
import tensorflow as tf
assert "tfvae" not in sys.modules
version, *files = sys.argv[1:]
served = tf.saved_model.load(version).signatures
answer = served["caption_bytes"](image_bytes=tf.constant([pathlib.Path(f).read_bytes() for f in files]))
told = [text.decode() for text in answer["caption"].numpy()]
drawn = served["image_from_caption"](caption=tf.constant(["A green square, at the MIDDLE!", "what is this"]))
print(json.dumps({"told": told, "signatures": sorted(served), "drawn": drawn["image"].numpy().tolist()}))
"""


def test_the_served_model_captions_files_and_draws_text_without_tfvae(trained, coco, tmp_path):
    version = export(trained.model, trained.data, tmp_path / "captions")
    words = (version / "assets" / "vocabulary.txt").read_text().split("\n")
    assert tuple(words[:-1]) == trained.data.vocabulary.words
    files = [coco / "train2014" / f"train_{i:03}.png" for i in (0, 17, 49)]
    asked = subprocess.run(
        [sys.executable, "-c", _ASK, str(version), *map(str, files)], capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert asked.returncode == 0, asked.stderr[-2000:]
    answer = json.loads(asked.stdout.strip().splitlines()[-1])
    described = json.loads((coco / "annotations" / "captions_train2014.json").read_text())["annotations"]
    expected = [described[i]["caption"].lower().strip(".") for i in (0, 17, 49)]
    assert sum(a == b for a, b in zip(answer["told"], expected)) >= 2
    assert {"caption", "caption_bytes", "encode_caption", "image_from_caption", "image_from_caption_bytes"} <= set(
        answer["signatures"]
    )
    known, unknown = np.array(answer["drawn"])
    assert known.shape == (16, 16, 3) and known.min() >= 0 and known.max() <= 1 and np.abs(known - unknown).max() > 0.1


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours handles it."""


def test_a_run_that_is_killed_ends_as_if_it_had_not_been(coco, tmp_path, monkeypatch):
    """Word vectors are read at the start alone: a run goes on without the file."""
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("square 1 2 3 4 5\n")

    def experiment():
        made = experiment_of(coco)
        made.model.caption.word_vectors, made.training.learning_rate = str(vectors), 1e-5
        return made

    trainer.train(experiment(), tmp_path / "whole")
    count = callbacks.Steps.on_train_batch_end

    def killing(self, batch, logs=None):
        count(self, batch, logs)
        if self.state.step == 5:
            self.state.save()
            raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(callbacks.Steps, "on_train_batch_end", killing)
        trainer.train(experiment(), tmp_path / "killed")
    vectors.unlink()
    trainer.train(experiment(), tmp_path / "killed")
    newest = [checkpoints.Checkpoints(tmp_path / name / "checkpoints").newest() for name in ("whole", "killed")]
    whole, resumed = (checkpoint.values["model"] for checkpoint in newest)
    assert set(whole) == set(resumed)
    for path, array in whole.items():
        np.testing.assert_array_equal(array, resumed[path], err_msg=path)
    row = opening.open_run(tmp_path / "whole").data.vocabulary.words.index("square")
    for table in ("caption_words/w_e", "q_s_words/w_e"):
        np.testing.assert_allclose(whole[table][row], [1, 2, 3, 4, 5], rtol=1e-3)


def test_two_steps_train_the_words_on_codes_that_stay_as_they_are(coco, tmp_path):
    images = experiment_of(coco, dgdn_flickr8k)
    images.model.caption_weight, images.training.monitor = 0.0, "bound"
    images.data.captioned_batch, images.data.unlabelled_batch = 0, 10
    trainer.train(images, tmp_path / "images")
    words = experiment_of(coco, dgdn_flickr8k)
    words.model.freeze_image_model, words.training.start_from = True, str(tmp_path / "images")
    trainer.train(words, tmp_path / "words")
    before, after = (opening.open_run(tmp_path / name).model for name in ("images", "words"))
    for old, new in zip(before.transferable_variables(), after.transferable_variables(), strict=True):
        np.testing.assert_array_equal(old, new, err_msg=old.path)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda e: setattr(e.model, "caption_weight", 0.0), "has no captions"),
        (lambda e: setattr(e.data, "captioned_batch", 0), "data.captioned_batch"),
        (lambda e: setattr(e.model.caption, "word_vectors", "nowhere.txt"), "does not exist"),
    ],
)
def test_what_cannot_be_captioned_is_told_before_the_first_step(coco, tmp_path, change, told):
    experiment = experiment_of(coco, dgdn_flickr8k)
    experiment.data.unlabelled_batch = 10
    change(experiment)
    with pytest.raises(ValueError, match=told):
        trainer.train(experiment, tmp_path / "run")
    assert not (tmp_path / "run").exists()
