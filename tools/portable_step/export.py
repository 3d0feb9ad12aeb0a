"""A preset's training steps as one XLA program, to be run where there is no TensorFlow.

    python tools/portable_step/export.py --config=tfvae/configs/stein_vae_mnist.py --workdir=RUN --out=FOLDER
    python tools/portable_step/run.py FOLDER --epochs=100                             (needs JAX and NumPy alone)
    python tools/portable_step/collect.py --workdir=RUN --folder=FOLDER

The program is the one that tfvae-train runs: the transform's noise, the losses, their gradients, the optimisers with
their schedules and the counter of steps, from which all noise follows. It takes many steps a call: all rows lie on the
device, and a loop within the program gathers those of each step, in the order of tfvae-train. So the weights are those
that tfvae-train would have, up to the rounding of another device. waiting.py holds a list of such runs.
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

# Of a call: with so many the device waits for nobody.
MOST_STEPS = 200


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


def exported(experiment, data, model, most_steps=MOST_STEPS):
    """(the program as a serialised HLO module, its concrete function, {output: argument it replaces}).

    Its first outputs are the reports of the last step; the others replace what the steps read and change.
    """
    steps = steps_of(experiment, data, model, most_steps)
    with determinant.compiled():
        concrete = steps.get_concrete_function()
        ir = steps.experimental_get_compiler_ir(*steps.input_signature)
        header = ir(stage="hlo").partition("\n")[0]
    replaces = {int(out): int(arg) for out, arg in re.findall(r"\{(\d+)\}: \((\d+), \{\}", header)}
    program = _without_copies(ir(stage="hlo_serialized"))
    return program, concrete, replaces


def steps_of(experiment, data, model, most_steps):
    """The compiled function of training steps, one after the other.

    Its arguments are all rows of every stream, in the order of `rows_of`, the numbers of those of each step, int32
    [most_steps, batch] a stream, and how many of these steps are taken. It reports on the last one.
    """
    entries, streams = rows_of(data), data.streams
    specs = [tf.TensorSpec(values.shape, values.dtype) for values in entries.values()]
    specs += [tf.TensorSpec([most_steps, spec.batch_size], tf.int32) for spec in streams.values()]
    specs.append(tf.TensorSpec([], tf.int32))

    def one_step(rows, order, number):
        raw = {}
        for (stream, entry), values in zip(entries, rows):
            raw.setdefault(stream, {})[entry] = tf.gather(values, order[stream][number])
        seed = noise.seed(experiment.training.seed, mixture.NOISE, tf.convert_to_tensor(model.step))
        return model.train_step(mixture.observed(raw, data.transforms, data.entries, seed))

    names = sorted(_reported(one_step, specs, entries, streams))

    @tf.function(jit_compile=True, input_signature=specs, autograph=False)
    def steps(*tensors):
        rows, order = tensors[: len(entries)], dict(zip(streams, tensors[len(entries) : -1]))

        def body(number, *reports):
            del reports
            reported = one_step(rows, order, number)
            return (number + 1, *(reported[name] for name in names))

        start = (tf.constant(0), *(tf.zeros([]) for _ in names))
        _, *reports = tf.while_loop(lambda number, *_: number < tensors[-1], body, start)
        return dict(zip(names, reports))

    return steps


def _reported(one_step, specs, entries, streams):
    """What a step reports, found without taking one."""

    @tf.function(input_signature=specs, autograph=False)
    def step(*tensors):
        return one_step(tensors[: len(entries)], dict(zip(streams, tensors[len(entries) : -1])), 0)

    return step.get_concrete_function().structured_outputs


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
    most_steps = min(MOST_STEPS, data.steps_per_epoch)
    program, concrete, replaces = exported(experiment, data, model, most_steps)
    out.mkdir(parents=True, exist_ok=True)
    (out / "step.hlo").write_bytes(program)
    names, state = read_by(concrete, model)
    np.savez_compressed(out / "state.npz", **{str(i): value for i, value in enumerate(state)})
    rows = {f"{stream}/{entry}": values for (stream, entry), values in rows_of(data).items()}
    paths = {variable.path for variable in model.variables}
    spec = {
        "of_model": [i for i, name in enumerate(names) if name in paths],
        "entries": list(rows), "state": names, "replaces": replaces, "reports": sorted(concrete.structured_outputs),
        "rows": pooled(out, rows), "order": pooled(out, orders(experiment, data)),
        "steps_per_epoch": data.steps_per_epoch, "epochs": experiment.training.epochs, "most_steps": most_steps,
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
