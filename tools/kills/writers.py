"""Everything of tfvae that writes, with made-up answers in the place of what a model computes."""

import importlib.util
import json
import types
from unittest import mock

import numpy as np
from absl import flags
from PIL import Image

from tfvae.data import ingest, manifest, reshard
from tfvae.serving import export, models_config, predictions
from tfvae.storage import checked_json, record_files, tfrecord_format, unfinished
from tools.kills import trained

Made = types.SimpleNamespace  # What a command looks at of a model, data, ...


class Writer:
    """A command that writes below a folder.

    Subclasses are named in `known()`.
    """

    name = ""
    # How it may refuse to do again what was done.
    refusal = None

    def prepare(self, folder):
        """What lies there before the command."""

    def run(self, folder):
        """The command."""
        raise NotImplementedError

    def may_say(self, error):
        return bool(self.refusal) and self.refusal in error

    def result(self, found):
        """What of {path: bytes} the command has to leave: without process ids and clocks."""
        return {path: b"" if path.rpartition("/")[2] == "lock" else data for path, data in found.items()}


def known():
    """name -> `Writer`, those that the packages of this environment can do."""
    found = [
        Train(), TrainOn(), Evaluate(), Sample(), Ingest(), Overwrite(), PipelinesIngest(), PipelinesOverwrite(),
        Reshard(), Predict("jsonl"), Predict("tfrecord"), Export(), Push(),
    ]  # fmt: skip
    # Imported here: every child would have to do it again.
    if importlib.util.find_spec("tensorflow_metadata"):
        importlib.import_module("pipelines.schema")
        found.append(Schema())
    if importlib.util.find_spec("tfx"):
        importlib.import_module("pipelines.record")
        importlib.import_module("pipelines.beam")
        found += [Records(), Results()]
    return {writer.name: writer for writer in found}


def quiet(text):
    del text


def draw(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (6, 6), np.uint8)).save(path)


class Ingest(Writer):
    """tfvae-ingest."""

    name = "tfvae-ingest"
    refusal = "is not empty; give another folder"
    keywords = types.MappingProxyType({})

    def prepare(self, folder):
        for i in range(8):
            draw(folder / "photos" / "ab"[i % 2] / f"{i}.png", i)
        for i in range(3):
            draw(folder / "photos" / "unlabelled" / f"{i}.png", 10 + i)

    def run(self, folder):
        ingest.ingest(folder / "photos", folder / "out", records_per_shard=4, report=quiet, **self.keywords)


class Overwrite(Ingest):
    """In the place of shards of other images, beside what older versions left."""

    name, refusal = "tfvae-ingest --overwrite", None
    keywords = types.MappingProxyType({"overwrite": True})

    def prepare(self, folder):
        super().prepare(folder)
        self.run(folder)
        draw(folder / "photos" / "a" / "new.png", 99)
        (folder / ".out.old-123").mkdir()
        (folder / ".out.old-123" / manifest.NAME).write_text("older shards")
        (folder / ".out.partial-0123456789abcdef").mkdir()


class PipelinesIngest(Ingest):
    """python -m pipelines.ingest."""

    name = "pipelines.ingest"
    keywords = types.MappingProxyType({"resume": True})


class PipelinesOverwrite(Overwrite):
    name = "pipelines.ingest --overwrite"
    keywords = types.MappingProxyType({"overwrite": True, "resume": True})


class Reshard(Ingest):
    """The shards that a pipeline's Trainer reads."""

    name, refusal = "pipelines: shards", None

    def prepare(self, folder):
        super().prepare(folder)
        super().run(folder)
        described = manifest.read(folder / "out")
        (folder / "handed").mkdir()
        for shard in described.shards:
            records = [frame.payload for frame in tfrecord_format.frames(folder / "out" / shard.name)]
            record_files.write(folder / "handed" / f"{shard.name}", records)

    def run(self, folder):
        described, files = manifest.read(folder / "out"), {}
        for shard in described.shards:
            files.setdefault(f"{shard.split}-{shard.stream}", []).append(folder / "handed" / shard.name)
        unfinished.settle_all(folder)  # As who holds the lock of the pipeline does.
        if not (folder / "again").exists():
            with mock.patch.object(reshard.tf.data, "TFRecordDataset", _records):
                reshard.to_shards(files, folder / "again", described)


def _records(path, compression=""):
    """The records of a file, without TensorFlow's threads, which a child of a process would wait for."""
    del compression
    return [Made(numpy=lambda frame=frame: frame.payload) for frame in tfrecord_format.frames(path)]


class Predict(Ingest):
    """tfvae-predict on a folder, with a table and a page, and pictures of a translation."""

    refusal = None

    def __init__(self, suffix):
        self.name, self.suffix = f"tfvae-predict, {suffix}", suffix

    def run(self, folder):
        from tfvae.reports import predictions_page

        def asked(job, names, given):
            del given
            return [_answer(job, name) for name in names]

        with (
            mock.patch.multiple(export, newest=lambda model: folder / "model", digest=lambda version: "0" * 64),
            mock.patch.multiple(
                predictions,
                _signatures=lambda *given: ("classify", "translate_a_to_b"),
                _asked=asked,
                _confidence=lambda *given: (),
            ),  # fmt: skip
        ):
            (folder / "model").mkdir(exist_ok=True)
            predictions.predict("model", folder / "photos", folder / "out", (), self.suffix, 5, report=quiet)
        if self.suffix == "jsonl":
            predictions_page.write(folder / "out", ("a", "b"))


def _answer(job, name):
    picture = predictions._write_picture(job, "translate_a_to_b", name, b"picture of " + name.encode())
    return {"file": name, "label": "a", "probabilities": np.array([0.75, 0.25]), "translate_a_to_b": picture}


class Export(Writer):
    """tfvae-export: another export of the same run is another version, which must be like the first."""

    name = "tfvae-export"

    def prepare(self, folder):
        left = folder / "served" / "model" / ".incoming-0123456789abcdef"
        left.mkdir(parents=True)
        (left / "saved_model.pb").write_bytes(b"half")

    def run(self, folder):
        report = types.SimpleNamespace(_asdict=lambda: {"reload": "passed"})
        data = Made(class_names=("a", "b"), transforms={})
        model = Made(can=lambda capability: False)
        with (
            mock.patch.object(export, "write", _saved_model),
            mock.patch.object(export, "_asked", lambda data: {}),
            mock.patch.multiple(export.gate, in_memory=lambda *given: [], check=lambda *given: report),
            mock.patch.object(export.requests, "example_requests", lambda *given: []),
            mock.patch.object(export, "MetaGraph", lambda version: Made(shapes=lambda: {})),
            mock.patch.object(export.model_card, "text", lambda *given: "card\n"),
        ):
            known = Made(described=lambda: {"missing": {}})
            export.export(model, data, folder / "served" / "model", origin={"git": "abc"}, calibration=known)
        models_config.update(folder / "served")

    def result(self, found):
        """All versions are one: each must be what every other is."""
        kept, versions = {}, {}
        for path, data in super().result(found).items():
            top, _, rest = path.removeprefix("served/model/").partition("/")
            if path.startswith("served/model/") and top.isdigit():
                versions.setdefault(top, {})[rest] = data
            else:
                kept[path] = data
        whole = next(iter(versions.values()), {})
        different = {f"version {name}": b"" for name, files in versions.items() if files != whole}
        return kept | {f"version/{path}": data for path, data in whole.items()} | different


def _saved_model(model, data, directory, tell, known):
    del model, data, tell, known
    for name in ("saved_model.pb", "variables/variables.index", "assets.extra/note"):
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(name.encode())
    return {}


class Push(Export):
    """The Pusher of a pipeline: the same version is pushed once."""

    name = "push"

    def prepare(self, folder):
        super().prepare(folder)
        (folder / "artifact").mkdir()
        _saved_model(None, None, folder / "artifact", None, None)
        checked_json.write(folder / "artifact" / "assets.extra" / export.DESCRIPTION, {"name": "model"})

    def run(self, folder):
        export.push(folder / "artifact", folder / "served" / "model")
        models_config.update(folder / "served")

    def result(self, found):
        return Writer.result(self, found)


class Train(Writer):
    """tfvae-train: checkpoints, metrics, best weights, config, what is drawn and fitted in the end."""

    name, epochs = "tfvae-train", 5

    def run(self, folder):
        trained.train(folder / "run", self.epochs)

    def result(self, found):
        found = super().result(found)
        log = "run/metrics.jsonl"
        if log in found:
            found[log] = [_timeless(line) for line in found[log].decode().splitlines()]
        return found | {f"{log}.sha256": b""} if f"{log}.sha256" in found else found


def _timeless(line):
    return {name: value for name, value in json.loads(line).items() if name != "seconds"}


class TrainOn(Train):
    """A run that ended and goes on, beside what 0.2 left when it was killed."""

    name, epochs = "tfvae-train, more epochs", 7

    def prepare(self, folder):
        trained.train(folder / "run", 4)
        (folder / "run" / "checkpoints" / ".step-000000003.h5.77.tmp").write_bytes(b"half")
        (folder / "run" / "tensorboard" / ".codes.tsv.77.tmp").write_bytes(b"half")


class Evaluate(Writer):
    """tfvae-evaluate: metrics.json and report.html."""

    name = "tfvae-evaluate"

    def prepare(self, folder):
        trained.train(folder / "run", 2)

    def run(self, folder):
        from tfvae.bin import evaluate as command
        from tfvae.evaluation import evaluate, label_draws, measurement
        from tfvae.reports import report
        from tfvae.run import opening

        flags.FLAGS(["tfvae-evaluate", f"--workdir={folder / 'run'}"])
        run = opening.Run(trained.experiment(2), Made(), Made(), folder / "run")
        with (
            mock.patch.object(opening, "open_run", lambda *given: run),
            mock.patch.multiple(evaluate, evaluate=lambda *given: {"error": 0.25}, scalars=dict),
            mock.patch.multiple(label_draws, announcement=lambda *given: [], summary=lambda results: {}),
            mock.patch.object(measurement, "in_words", lambda *given: ""),
            mock.patch.object(report, "render", lambda *given: f"<html>{given[3]}"),
        ):
            command.main()


class Sample(Evaluate):
    """tfvae-sample: a picture, as every figure is written."""

    name = "tfvae-sample"

    def run(self, folder):
        from tfvae.bin import sample as command
        from tfvae.reports import generation
        from tfvae.run import opening

        flags.FLAGS(["tfvae-sample", f"--workdir={folder / 'run'}", f"--output={folder / 'samples.png'}", "--num=4"])
        run = Made(model=Made(), data=Made(class_names=()), workdir=folder / "run")
        with (
            mock.patch.object(opening, "open_without_data", lambda *given: run),
            mock.patch.multiple(
                generation,
                sampled=lambda *given: [b""] * 4,
                grid=lambda *given, **keywords: b"grid",
                png=lambda grid, **keywords: b"PNG of a " + grid,
            ),  # fmt: skip
        ):
            command.main()


class Schema(Ingest):
    """The schema of a pipeline, and the copy of it that TFX's cache looks at."""

    name, refusal = "pipelines: schema", None

    def prepare(self, folder):
        super().prepare(folder)
        super().run(folder)

    def run(self, folder):
        from pipelines import schema

        path = schema.write(folder / "schema" / "schema.pbtxt", manifest.read(folder / "out"))
        schema.pinned(path, folder / "pinned")


class Records(Writer):
    """The record of a pipeline's run: every run writes one, so another is left by every attempt that came so far."""

    name = "pipelines: record"

    def run(self, folder):
        from pipelines import record

        settings = Made(records=folder / "records", span=folder / "shards")
        record.write(settings, {"nodes": []}, 1.0, record.Verdict("1", []))

    def result(self, found):
        files = [data for path, data in found.items() if path.startswith("records/") and not path.endswith("/")]
        hidden = {path: b"" for path in found if "/." in path}
        return hidden | {"whole": all(json.loads(data)["version"] == "1" for data in files) and bool(files)}


class Results(Writer):
    """What Beam's workers hand back through a folder that all of them see."""

    name = "pipelines: results"

    def run(self, folder):
        from pipelines import beam

        (folder / "scratch").mkdir(exist_ok=True)
        with beam._place(folder / "scratch") as place:
            for i in range(3):
                beam._call(str, place, (i, i))
            assert [beam._opened(beam._result(place, i)) for i in range(3)] == ["0", "1", "2"]
