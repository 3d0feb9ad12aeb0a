"""What TensorBoard finds in a run directory, of several families."""

import collections

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer
from tensorboard.plugins import projector
from tensorboard.plugins.hparams import plugin_data_pb2

from tests import presets
from tfvae import experiment as experiments
from tfvae.capabilities import Capability
from tfvae.configs import sdgm_digits
from tfvae.run.opening import open_run
from tfvae.training import tensorboard, trainer

FAMILIES = (
    "sdgm_digits", "vae_digits", "auxiliary_vae_potential", "m1m2_mnist", "dgdn_digits", "stein_vae_digits",
    "adgm_moons",
)  # fmt: skip


class Logs:
    """The event files of a run directory.

    workdir, experiment: of the run; tensors: (run, tag) -> its events.
    """

    def __init__(self, preset, workdir):
        experiment, self.data = presets.embedded(preset)
        experiment.training.epochs = 1
        trainer.train(experiment, workdir)
        self.workdir, self.folder = workdir, workdir / "tensorboard"
        events = EventMultiplexer().AddRunsFromDirectory(str(self.folder)).Reload()
        self.metadata, self.tensors = {}, {}
        for run in events.Runs():
            for tag in events.GetAccumulator(run).Tags()["tensors"]:
                self.tensors[run, tag] = events.Tensors(run, tag)
                self.metadata[run, tag] = events.SummaryMetadata(run, tag)

    def tags(self, run):
        return {tag for its, tag in self.tensors if its == run}

    def text(self, tag):
        (event,) = self.tensors[".", tag]
        return tf.make_ndarray(event.tensor_proto).ravel()[0].decode()

    def scalars(self):
        """(run, tag) -> values."""
        for key, events in self.tensors.items():
            if self.metadata[key].plugin_data.plugin_name == "scalars":
                yield key, tuple(float(tf.make_ndarray(event.tensor_proto)) for event in events)


@pytest.fixture(scope="module", params=FAMILIES)
def logs(request, tmp_path_factory):
    return Logs(request.param, tmp_path_factory.mktemp(request.param) / "run")


def test_no_scalar_is_written_under_two_tags(logs):
    found = collections.defaultdict(list)
    for (run, tag), values in logs.scalars():
        assert len(values) == 1, f"{tag} was written twice"
        # Two players may learn at one rate.
        if any(values) and not tag.startswith("epoch_learning_rate_"):
            found[run, values].append(tag)
    assert {run for run, _ in found} == {"train", "validation"}
    assert not [tags for tags in found.values() if len(tags) > 1]
    for run in ("train", "validation"):
        assert any(tag.startswith("epoch_loss") for tag in logs.tags(run))


def test_the_config_and_the_classes_are_there_to_read(logs):
    config = logs.text("config")
    assert "| training.epochs | 1 |" in config
    fields = tensorboard.flat(experiments.to_dict(open_run(logs.workdir).experiment))
    assert [line.split(" | ")[0].strip("| ") for line in config.splitlines()[2:]] == list(fields)
    if logs.data.class_names:
        lines = logs.text("classes").splitlines()[2:]
        assert [line.split(" | ")[1] for line in lines] == list(logs.data.class_names)
        counted = [int(line.strip("| ").split(" | ")[-1]) for line in lines]
        assert sum(counted) == len(logs.data.labelled)


def test_hparams_begin_with_the_config_and_end(logs):
    data = logs.metadata[".", "_hparams_/session_start_info"].plugin_data.content
    started = plugin_data_pb2.HParamsPluginData.FromString(data).session_start_info.hparams
    assert started["training.epochs"].number_value == 1 and started["training.seed"].number_value == 0
    assert (".", "_hparams_/session_end_info") in logs.tensors


def test_every_run_with_a_code_has_a_projector(logs):
    run = open_run(logs.workdir)
    rows = len(run.data.train) + len(run.data.validation) + len(run.data.test)
    if not (run.model.can(Capability.ENCODE) and rows):
        assert not (logs.folder / "projector_config.pbtxt").exists()
        return
    config = text_format.Parse((logs.folder / "projector_config.pbtxt").read_text(), projector.ProjectorConfig())
    names = [embedding.tensor_name for embedding in config.embeddings]
    assert names == ["codes", *(["auxiliary_codes"] if run.model.can(Capability.ENCODE_AUXILIARY) else [])]
    for embedding in config.embeddings:
        codes = (logs.folder / embedding.tensor_path).read_text().splitlines()
        head, *labels = (logs.folder / embedding.metadata_path).read_text().splitlines()
        assert head == "class\tpart" and len(codes) == len(labels) > 100
        assert len({len(code.split("\t")) for code in codes}) == 1
        assert {label.split("\t")[0] for label in labels} <= {*run.data.class_names, "?"}
        parts = {label.split("\t")[1] for label in labels}
        assert {"unlabelled", "validation", "test"} <= parts
        assert ("labelled" in parts) == bool(run.data.split["labelled"])
        if len(run.data.transform.raw_shape) == 3:
            sheet = tf.io.decode_png((logs.folder / embedding.sprite.image_path).read_bytes())
            side = sheet.shape[0] // embedding.sprite.single_image_dim[1]
            assert side * side >= len(codes) > (side - 1) ** 2


def test_pictures_say_what_their_columns_are(tmp_path):
    logs = Logs("sdgm_digits", tmp_path / "run")
    assert {"samples", "reconstructions", "analogies", "kl_per_unit/z"} <= logs.tags("validation")
    said = logs.metadata["validation", "class_samples"].summary_description
    assert said == "Columns, from the left: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9."


def test_a_run_is_described_once_however_often_it_is_resumed(tmp_path):
    experiment = sdgm_digits.get_config("tiny")
    for experiment.training.epochs in (1, 2):
        trainer.train(experiment, tmp_path / "run")
    events = EventMultiplexer().AddRunsFromDirectory(str(tmp_path / "run" / "tensorboard")).Reload()
    assert len(events.Tensors(".", "config")) == 1
    assert [event.step for event in events.Tensors("validation", "epoch_error")] == [0, 1]


def test_what_would_break_a_table_is_escaped():
    assert tensorboard._table(("a", "b"), [("x|y", "<b>\n1"), (1, "\\")]).splitlines()[2:] == [
        "| x\\|y | &lt;b> 1 |", "| 1 | \\\\ |",
    ]  # fmt: skip


def test_kl_bars_are_an_image():
    bars = tensorboard.kl_bars(np.array([0.1, 2.0, 0.0]), "z")
    assert bars.ndim == 3 and bars.shape[-1] == 3 and bars.min() < 255


def test_fields_are_flat_values():
    assert tensorboard.flat({"data": {"n": 1, "name": "x"}, "hidden": [5, 5]}) == {
        "data.n": 1, "data.name": "x", "hidden": "[5, 5]",
    }  # fmt: skip
