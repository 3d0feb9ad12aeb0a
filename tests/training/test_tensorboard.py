"""What TensorBoard finds in a run directory."""

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer
from tensorboard.plugins import projector

from tfvae.configs import sdgm_digits
from tfvae.training import tensorboard, trainer


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs") / "sdgm"
    experiment = sdgm_digits.get_config("tiny")
    experiment.training.epochs = 1
    trainer.train(experiment, workdir)
    return workdir / "tensorboard"


@pytest.fixture(scope="module")
def tags(logs):
    """run -> every tag in it."""
    events = EventMultiplexer().AddRunsFromDirectory(str(logs)).Reload()
    return {run: {tag for tag in events.GetAccumulator(run).Tags()["tensors"]} for run in events.Runs()}


def test_scalars_of_training_and_validation(tags):
    assert {"epoch_loss", "epoch_labelled_bound", "epoch_learning_rate"} <= tags["train"]
    assert {"epoch_error", "epoch_bound", "nats/bound", "nats/labelled_bound"} <= tags["validation"]
    assert "nats/error" not in tags["validation"]


def test_pictures_and_kl(tags):
    assert {"samples", "reconstructions", "analogies", "kl_per_unit/z"} <= tags["validation"]


def test_hparams(tags):
    assert "_hparams_/session_start_info" in tags["."]


def test_projector_has_a_code_a_label_and_a_sprite_a_row(logs):
    config = text_format.Parse((logs / "projector_config.pbtxt").read_text(), projector.ProjectorConfig())
    embedding = config.embeddings[0]
    codes = (logs / embedding.tensor_path).read_text().splitlines()
    assert len(codes) == len((logs / embedding.metadata_path).read_text().splitlines()) > 100
    assert all(len(code.split("\t")) == 4 for code in codes)
    sheet = tf.io.decode_png((logs / embedding.sprite.image_path).read_bytes())
    side = sheet.shape[0] // embedding.sprite.single_image_dim[1]
    assert side * side >= len(codes) > (side - 1) ** 2


def test_sprites_stand_in_reading_order():
    image = np.arange(12, dtype=np.uint8).reshape(3, 2, 2, 1)
    sheet = tensorboard.sprites(image)[..., 0]
    assert sheet.tolist() == [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 0, 0], [10, 11, 0, 0]]


def test_kl_bars_are_an_image():
    bars = tensorboard.kl_bars(np.array([0.1, 2.0, 0.0]), "z")
    assert bars.ndim == 3 and bars.shape[-1] == 3 and bars.min() < 255


def test_fields_are_flat_values():
    assert tensorboard.flat({"data": {"n": 1, "name": "x"}, "hidden": [5, 5]}) == {
        "data.n": 1, "data.name": "x", "hidden": "[5, 5]",
    }  # fmt: skip
