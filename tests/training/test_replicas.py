"""Two replicas on two logical CPUs: their noise differs, and together they take the step of one device."""

import json
import subprocess
import sys

import pytest

# TensorFlow fixes its devices when it starts, so all of this happens in a process of its own.
PROGRAM = """
import json, sys
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import keras, numpy as np
from tfvae.batch import DataInfo
from tfvae.configs import vae_digits
from tfvae.models.base import GenerativeModel, Objective
from tfvae.probability import noise
from tfvae.training import checkpoints, devices, optimiser, settings, trainer

class Line(GenerativeModel):
    '''Least squares y = w x, without noise in its loss; its noise is only reported.'''
    encode = decode = sample = log_prob_bound = None
    def __init__(self):
        super().__init__(DataInfo((3,), 0, 8, 0), seed=0)
        self.w = self.add_weight(shape=[3], initializer="ones", name="w")
        self.built = True
    def objective(self, batch, seed, training=False):
        x = batch["unlabelled"]["image"]
        error = tf.square(tf.linalg.matvec(x, self.w.value) - 2.0)
        return Objective(tf.reduce_mean(error), {"error": error, "noise": noise.normal([1], seed)})

rng = np.random.default_rng(0)
images = rng.normal(size=[6, 8, 3]).astype("float32")

def weights(replicas, loss_scaled):
    strategy = devices.strategy(replicas)
    rows = images.reshape(6 * replicas, 8 // replicas, 3)
    def batches(context=None):
        return tf.data.Dataset.from_tensor_slices({"unlabelled": {"image": rows}})
    with strategy.scope():
        model = Line().prepare({"unlabelled": {"image": images[0]}})
        chosen = optimiser.from_settings(settings.Config(learning_rate=0.1, clip_norm=1.0, decay_factor=0.5,
            decay_epochs=1, precision="mixed_float16" if loss_scaled else "float32"), steps_per_epoch=3)
        chosen.build(model.trainable_variables)
        model.compile(optimizer=chosen, jit_compile=False, auto_scale_loss=False)
    dataset = batches() if replicas == 1 else strategy.distribute_datasets_from_function(batches)
    model.fit(dataset, steps_per_epoch=6, epochs=1, verbose=0, shuffle=False)
    return model.w.numpy().tolist()

def noises():
    strategy = devices.strategy(2)
    with strategy.scope():
        model = Line()
        model.compile(optimizer=optimiser.Adam(0.1), jit_compile=False)
    drawn = strategy.run(tf.function(lambda: noise.normal([4], model.step_seed())))
    return [part.numpy().tolist() for part in strategy.experimental_local_results(drawn)]

def overflow():
    strategy = devices.strategy(2)
    with strategy.scope():
        w = keras.Variable(np.ones(3, "float32"), name="w")
        scaled = optimiser.from_settings(settings.Config(precision="mixed_float16"), 1)
        scaled.build([w])
    @tf.function
    def step():
        def update():
            index = tf.distribute.get_replica_context().replica_id_in_sync_group
            gradient = tf.where(tf.equal(index, 1), np.inf, 1.0) * tf.ones([3])
            scaled.apply([gradient], [w])
        strategy.run(update)
    step()
    return w.numpy().tolist()

def trained(workdir):
    for name, epochs in (("whole", [2]), ("twice", [1, 2])):
        for until in epochs:
            experiment = vae_digits.get_config("tiny")
            experiment.training.num_replicas, experiment.training.epochs = 2, until
            experiment.training.figures_epochs = 0
            trainer.train(experiment, f"{workdir}/{name}")
    ends = [checkpoints.Checkpoints(f"{workdir}/{name}/checkpoints").newest() for name in ("whole", "twice")]
    same = [
        bool(np.array_equal(array, ends[1].values[group][path]))
        for group in ("model", "optimiser") for path, array in ends[0].values[group].items()
    ]
    return {"steps": [end.step for end in ends], "same": all(same), "variables": len(same)}

trainer._finish = lambda *args: None
print(json.dumps({
    "one": weights(1, False), "two": weights(2, False), "one_scaled": weights(1, True), "two_scaled": weights(2, True),
    "noises": noises(), "overflow": overflow(), "trained": trained(sys.argv[1]),
}))
"""


@pytest.fixture(scope="module")
def replicas(tmp_path_factory):
    command = [sys.executable, "-c", PROGRAM, str(tmp_path_factory.mktemp("replicas"))]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr[-3000:]
    return json.loads(ran.stdout.splitlines()[-1])


@pytest.mark.parametrize("scaled", ["", "_scaled"])
def test_two_replicas_take_the_step_of_one_device(replicas, scaled):
    """Plain Keras steps twice as far, and clips each replica's share by itself."""
    assert replicas[f"two{scaled}"] == pytest.approx(replicas[f"one{scaled}"], rel=1e-5)
    assert replicas["one"] != pytest.approx([1.0, 1.0, 1.0], abs=0.05)


def test_replicas_draw_different_noise(replicas):
    first, second = replicas["noises"]
    assert first != second


def test_an_overflow_on_any_replica_skips_the_step_on_all(replicas):
    assert replicas["overflow"] == [1.0, 1.0, 1.0]


def test_a_mirrored_run_resumes_bit_for_bit(replicas):
    assert replicas["trained"]["same"] and replicas["trained"]["variables"] > 10
    assert replicas["trained"]["steps"] == [22, 22]
