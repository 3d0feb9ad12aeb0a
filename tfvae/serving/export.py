"""A model -> a new version under TensorFlow Serving's base path, all of it or nothing."""

import contextlib
import hashlib
import os
import pathlib
import shutil
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

import tfvae
from tfvae.batch import IMAGE, TAGS, is_image
from tfvae.capabilities import Capability
from tfvae.evaluation import calibration as calibrations
from tfvae.serving import gate, model_card, requests, signatures
from tfvae.serving.graph import MetaGraph
from tfvae.storage import checked_json, disk, unfinished

DESCRIPTION = "tfvae.json"
_NUM_ROWS = 4


class Measured(NamedTuple):
    """metrics: of `metrics.json`, or None; why: there are none."""

    metrics: dict | None
    why: str = ""


NOT_MEASURED = Measured(None)


def measured_of(run_directory):
    """What `tfvae-evaluate` measured of the weights that a run has now."""
    if not run_directory.metrics.exists():
        return NOT_MEASURED
    weights = run_directory.best_weights
    if weights.exists() and weights.stat().st_mtime > run_directory.metrics.stat().st_mtime:
        return Measured(None, "the run was trained further after it was evaluated")
    return Measured(checked_json.read(run_directory.metrics, otherwise="run tfvae-evaluate again"))


def export(model, data, output, name=None, origin=None, tell=gate.silent, calibration=None, measured=NOT_MEASURED):
    """Exports a model as the next integer version of `output`, if it passes the gate.

    The version is written and checked in a directory beside the others that no server looks at, and appears by one
    rename. Old versions stay.

    Args:
        model: a built `tfvae.models.base.GenerativeModel`.
        data: its `tfvae.data.load.Data`, for the transform, the class names and a few rows to ask about.
        output: the model's base path, e.g. `savedmodels/sdgm`.
        name: under which it is served, the last part of `output` by default.
        origin: JSON values that say where the model comes from, such as the run's config.json; kept in `tfvae.json`.
        tell: called with a line before each thing that takes a while.
        calibration: `tfvae.evaluation.calibration.Calibration` of the model; fitted on validation rows by default.
        measured: what the run measured, for the model card: `Measured`.

    Returns:
        pathlib.Path of the version.

    Raises:
        tfvae.serving.gate.GateError: names the point of the gate that failed; nothing is left behind.
    """
    output = pathlib.Path(output)
    with _incoming(output) as directory:
        write_checked(model, data, directory, name or output.resolve().name, origin, tell, calibration, measured)
        return _publish(directory, output)


def push(version, output):
    """Copies an exported version, which lies elsewhere, under a base path as its next one; all of it or nothing.

    Returns:
        pathlib.Path of the new version, or of the newest one where that is the same already.

    Raises:
        OSError: for a copy that is not byte for byte what it was made of; nothing is left behind.
    """
    output, wanted = pathlib.Path(output), digest(version)
    unfinished.sweep_own(output, below=False)
    versions = _versions(output)
    if versions and digest(versions[-1]) == wanted:
        return versions[-1]
    with _incoming(output) as directory:
        shutil.copytree(version, directory)
        if digest(directory) != wanted:
            raise OSError(f"The copy of {version} in {output} is not what was copied. See to the disk and push again.")
        return _publish(directory, output)


def write_checked(model, data, directory, name, origin=None, tell=gate.silent, calibration=None, measured=NOT_MEASURED):
    """Writes a version to a new directory that no server looks at, and checks it: see `export`."""
    calibration = calibration or calibrations.fit(model, data)
    served = write(model, data, directory, tell, calibration)
    asked = _asked(data)
    questions = requests.example_requests(served, asked)
    alone = requests.example_requests(served, {name: values[:1] for name, values in asked.items()})
    tell(f"asking the model in memory {len(questions)} questions")
    answers = gate.in_memory(served, questions)
    requests.write_warmup(directory, [*alone, *questions], name)
    requests.write_answers(directory, questions, answers, name)
    report = gate.check(directory, questions, answers, name, tell)
    _describe(directory, model, data, name, report, origin, calibration)
    card = model_card.text(describe(directory), data, measured.metrics, measured.why)
    (directory / model_card.NAME).write_text(card, encoding="utf-8")


def digest(version):
    """sha256 of the names and the bytes of all files of a version."""
    version, total = pathlib.Path(version), hashlib.sha256()
    for path in sorted(path for path in version.rglob("*") if path.is_file()):
        with open(path, "rb") as file:
            total.update(f"{path.relative_to(version)} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return total.hexdigest()


@contextlib.contextmanager
def _incoming(output):
    """A directory that no server looks at, still to be made, which is gone when the block ends."""
    output.mkdir(parents=True, exist_ok=True)
    unfinished.sweep_own(output, below=False)
    with unfinished.workshop(output, "version") as workshop:
        yield workshop / "version"


def check_output(output):
    """Refuses a base path that no version can be written to, before anything is loaded.

    Raises:
        ValueError: for one that is, or lies in, a file, a version of a model, or a directory that cannot be written to.
    """
    output = pathlib.Path(output).resolve()
    nearest = next(path for path in (output, *output.parents) if path.exists())
    if not nearest.is_dir():
        raise ValueError(f"`--output` {output} cannot be a directory: {nearest} is a file. Name another base path.")
    if (output / "saved_model.pb").exists():
        raise ValueError(f"`--output` {output} is a version of a model; name the directory above it, {output.parent}.")
    # models.config lies above the model, so that directory is written to as well.
    for folder in {nearest, output.parent if output.parent.exists() else nearest}:
        if not os.access(folder, os.W_OK | os.X_OK):
            raise ValueError(f"`--output` {output} cannot be written: no permission in {folder}. Name another one.")


def write(model, data, directory, tell=gate.silent, calibration=signatures.UNCALIBRATED):
    """Writes the SavedModel alone; returns {name: Endpoint} of what it serves."""
    forms = signatures.forms_of(data.entries)
    served = signatures.served_endpoints(model, data.transforms, data.class_names, forms=forms, calibration=calibration)
    tell(f"tracing {len(served)} signatures")
    archive = keras.export.ExportArchive()
    archive.track(model)
    for form in forms.values():
        if isinstance(form, tf.Module):
            archive.track(form)
    for name, endpoint in served.items():
        # Traced here, once: a function that is still to be traced is traced anew by the writer, in its own context.
        function = tf.function(endpoint.function, input_signature=endpoint.signature, autograph=False)
        archive.add_endpoint(name, _calling(function.get_concrete_function()), input_signature=endpoint.signature)
    tell("writing the SavedModel")
    archive.write_out(str(directory), verbose=False)
    return served


def _calling(traced):
    """A function of its own around a concrete one."""
    return lambda *inputs: traced(*inputs)


def newest(model):
    """The version that a server would load: `model` itself, or the largest integer in a base path.

    Raises:
        ValueError: where there is none.
    """
    model = pathlib.Path(model)
    if (model / "saved_model.pb").is_file():
        return model
    versions = _versions(model)
    if not versions:
        raise ValueError(f"{model} holds no version of a model: export one first with tfvae-export.")
    return versions[-1]


def _versions(base):
    """The versions in a base path, the newest last."""
    found = [path for path in base.glob("*") if path.name.isdigit() and (path / "saved_model.pb").is_file()]
    return sorted(found, key=lambda path: int(path.name))


def describe(version):
    """What a version says of itself: name, signatures with shapes, class names, versions and the gate's report.

    Raises:
        DamagedFileError: if the file is not what was written.
    """
    return checked_json.read(pathlib.Path(version) / "assets.extra" / DESCRIPTION, otherwise="export again")


def summary(version):
    """The signatures with shapes and the gate's report, for people."""
    described = describe(version)
    lines = []
    for name, signature in described["signatures"].items():
        inputs, outputs = (
            ", ".join(f"{argument}: {shape}" for argument, shape in signature[kind].items())
            for kind in ("inputs", "outputs")
        )
        lines.append(f"{name}({inputs})\n    -> {outputs}")
    lines.append("\nThe gate:")
    lines += [f"  {point:13}{outcome}" for point, outcome in described["gate"].items()]
    return "\n".join(lines)


def _asked(data):
    """Entry -> what a few requests ask about, of the first examples that have it; a density without data has none, and
    zeros do.
    """
    asked = {name: _few(data, name) for name in data.transforms}
    for name, transform in data.transforms.items():
        if asked[name] is None:
            asked[name] = np.zeros([_NUM_ROWS, *transform.raw_shape], np.float32)
    num = len(asked[IMAGE])
    for name, entry in data.entries.items():
        found = None if is_image(name) else _few(data, name)
        if found is not None:
            values = entry.asked(found)
            asked[name] = np.resize(values, (num, *values.shape[1:]))
    return asked


def _few(data, name):
    """The column of the first examples that have an entry, held out ones before others; None where none has."""
    for rows in (data.validation, data.train, data.test):
        some = np.flatnonzero(rows.has(name))[:_NUM_ROWS] if name in rows else ()
        if len(some):
            found = rows.take(some)[name]
            return np.asarray(found) if is_image(name) else found
    return None


def _describe(directory, model, data, name, report, origin, calibration):
    described = {
        "name": name,
        "model": type(model).__name__,
        "signatures": MetaGraph(directory).shapes(),
        "class_names": list(data.class_names),
        **({"tags": list(data.info.names[TAGS])} if model.can(Capability.TAG) else {}),
        **{name: _image(transform) for name, transform in data.transforms.items()},
        "versions": {"tfvae": tfvae.__version__, "tensorflow": tf.__version__, "keras": keras.__version__},
        "calibration": calibration.described(),
        "gate": report._asdict(),
        "origin": origin,
    }
    checked_json.write(directory / "assets.extra" / DESCRIPTION, described)


def _image(transform):
    shape = list(transform.raw_shape)
    return {"shape": shape, "range": "as stored" if len(shape) < 3 else [0.0, 1.0]}


def _publish(incoming, output):
    """All of it on the disk, then a rename to the next free integer; one that another export takes is stepped over."""
    disk.sync_tree(incoming)
    while True:
        version = output / str(1 + max((int(p.name) for p in output.iterdir() if p.name.isdigit()), default=0))
        try:
            os.rename(incoming, version)
        except OSError:
            if version.exists():
                continue
            raise
        return version
