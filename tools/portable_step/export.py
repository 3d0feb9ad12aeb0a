"""A preset's training step as one XLA program, to be run where there is no TensorFlow.

    python tools/portable_step/export.py --config=tfvae/configs/stein_vae_mnist.py --workdir=RUN --out=FOLDER
    python tools/portable_step/run.py FOLDER --epochs=100                             (needs JAX and NumPy alone)
    python tools/portable_step/collect.py --workdir=RUN --folder=FOLDER

The program is the one that tfvae-train runs: the transform's noise, the losses, their gradients, the optimisers and the
counter of steps, from which all noise follows. Its rows come in the order of tfvae-train too. So the weights are those
that tfvae-train would have, up to the rounding of another device.
"""

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import tensorflow as tf
from absl import app, flags
from ml_collections import config_flags
from tensorflow.compiler.xla.service import hlo_pb2

from tfvae.data import mixture
from tfvae.probability import determinant, noise
from tfvae.run.directory import RunDirectory
from tfvae.training import trainer


def _check(training, data, model):
    """Checks the experiment.

    Raises:
        ValueError: if the program would do something else than tfvae-train.
    """
    if model.learner() is not None:
        raise ValueError(f"{type(model).__name__} is learned by a chain, which has no step of an optimiser.")
    if any(player.begins or player.ends is not None for player in model.players().values()):
        raise ValueError("A portable step is the same step every time, and this model learns in stages.")
    if training.start_from or training.num_replicas != 1 or training.steps_per_execution != 1:
        raise ValueError(
            "A portable step begins anew, on one device and a step at a time: set `training.start_from=`, "
            "`training.num_replicas=1` and `training.steps_per_execution=1`."
        )
    for stream, spec in data.streams.items():
        if spec.streamed.num or spec.rows.stored or not {"image", "label"} >= set(spec.entries):
            raise ValueError(
                f"The {stream} stream is read from files or has {sorted(spec.entries)}: a portable step has images and "
                "labels in memory."
            )


def exported(experiment, data, model):
    """(the program as a serialised HLO module, names of its arguments, {output: argument it replaces}).

    Its arguments are the rows of every stream, in the order of `rows`, and what the step reads and changes.
    """
    entries = rows_of(data)
    specs = [tf.TensorSpec([data.streams[stream].batch_size, *values.shape[1:]], values.dtype)
             for (stream, _), values in entries.items()]  # fmt: skip

    @tf.function(jit_compile=True, input_signature=specs)
    def step(*tensors):
        raw = {}
        for (stream, entry), tensor in zip(entries, tensors):
            raw.setdefault(stream, {})[entry] = tensor
        seed = noise.seed(experiment.training.seed, mixture.NOISE, tf.convert_to_tensor(model.step))
        return model.train_step(mixture.observed(raw, data.transforms, data.entries, seed))

    with determinant.compiled():
        concrete = step.get_concrete_function()
        ir = step.experimental_get_compiler_ir(*specs)
        header = ir(stage="hlo").partition("\n")[0]
    replaces = {int(out): int(arg) for out, arg in re.findall(r"\{(\d+)\}: \((\d+), \{\}", header)}
    program = _without_copies(ir(stage="hlo_serialized"))
    return program, concrete, replaces


def _without_copies(serialised):
    """An HLO proto whose copies, which StableHLO does not have, are conversions to the same type."""
    module = hlo_pb2.HloModuleProto.FromString(serialised)
    for computation in module.computations:
        for instruction in computation.instructions:
            if instruction.opcode == "copy":
                instruction.opcode = "convert"
    return module.SerializeToString()


def read_by(concrete, model):
    """Names and values of what the step reads besides its rows, in the order of its arguments."""
    of_metrics = [variable for metric in model.metrics for variable in metric.variables]
    of_optimisers = [variable for optimiser in model.optimisers.values() for variable in optimiser.variables]
    variables = {id(v.value.handle): v for v in [*model.variables, *of_optimisers, *of_metrics, model.step]}
    names, state = [], []
    for number, captured in enumerate(concrete.captured_inputs):
        variable = variables.get(id(captured))
        names.append(variable.path if variable is not None else f"constant {number}")
        state.append(variable.numpy() if variable is not None else captured.numpy())
    return names, state


def rows_of(data):
    """(stream, entry) -> all rows of it as they are stored."""
    found = {}
    for stream, spec in data.streams.items():
        for name in spec.entries:
            found[stream, name] = spec.rows[name]
    return found


def orders(experiment, data):
    """stream -> rows of every step: int32 [steps, batch]."""
    made = {}
    for i, (stream, spec) in enumerate(data.streams.items()):
        seed = noise.seed(experiment.training.seed, mixture.ORDER, i)
        steps = experiment.training.epochs * data.steps_per_epoch
        batches = mixture.batch_indices(len(spec.rows), spec.batch_size, seed).batch(steps).take(1)
        made[stream] = next(iter(batches)).numpy().astype(np.min_scalar_type(len(spec.rows)))
    return made


def export(experiment, workdir, out):
    """Begins a run in `workdir` and writes its step, its state and its rows to the folder `out`."""
    directory, out = RunDirectory(workdir), Path(out)
    data = directory.load_data(experiment)
    model = trainer.compiled(experiment, data, data.steps_per_epoch)
    _check(experiment.training, data, model)
    model.initialise(trainer.initial_images(data))
    with directory.lock():
        directory.record(experiment, data)
    program, concrete, replaces = exported(experiment, data, model)
    out.mkdir(parents=True, exist_ok=True)
    (out / "step.hlo").write_bytes(program)
    names, state = read_by(concrete, model)
    np.savez_compressed(out / "state.npz", **{str(i): value for i, value in enumerate(state)})
    rows = {f"{stream}/{entry}": values for (stream, entry), values in rows_of(data).items()}
    spec = {
        "entries": list(rows), "state": names, "replaces": replaces, "reports": sorted(concrete.structured_outputs),
        "rows": pooled(out, rows), "order": pooled(out, orders(experiment, data)),
        "steps_per_epoch": data.steps_per_epoch, "epochs": experiment.training.epochs,
    }  # fmt: skip
    (out / "spec.json").write_text(json.dumps(spec, indent=1))


def pooled(out, arrays):
    """Writes arrays beside the folder, once for all programs that share them; the name of every file."""
    pool, found = out.parent / "pool", {}
    pool.mkdir(exist_ok=True)
    for name, array in arrays.items():
        digest = hashlib.sha256(str(array.shape).encode() + np.ascontiguousarray(array).tobytes()).hexdigest()[:16]
        found[name] = f"{digest}.npz"
        if not (pool / found[name]).exists():
            np.savez_compressed(pool / found[name], array)
    return found


if __name__ == "__main__":
    config = config_flags.DEFINE_config_file("config", lock_config=True, help_string="Preset, as of tfvae-train.")
    flags.DEFINE_string("workdir", None, "The run directory that the weights will come back to.", required=True)
    flags.DEFINE_string("out", None, "Folder of the program, its state and its rows.", required=True)
    app.run(lambda argv: export(config.value, flags.FLAGS.workdir, flags.FLAGS.out))
