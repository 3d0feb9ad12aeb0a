"""A program for tests: what two replicas on two logical CPUs do, as one JSON line.

python two_replicas.py WORKDIR QUESTION...   the questions are the functions below

TensorFlow fixes its devices when it starts, so this needs a process of its own.
"""

import json
import pathlib
import sys

import keras
import numpy as np
import tensorflow as tf

from tests import made_captions
from tfvae import settings
from tfvae.batch import DataInfo
from tfvae.configs import dgdn_flickr8k_images, vae_digits
from tfvae.inference.stein import Parameters, parameter_objective
from tfvae.models import drmm, stein
from tfvae.models.base import GenerativeModel, Objective
from tfvae.models.players import Player
from tfvae.networks import rendering
from tfvae.probability import noise
from tfvae.storage import checkpoints
from tfvae.training import chain, devices, optimiser, trainer

IMAGES = np.random.default_rng(0).normal(size=[6, 8, 3]).astype("float32")


class Line(GenerativeModel):
    """Least squares 2 = w x: no noise in its loss."""

    sample = None

    def __init__(self):
        super().__init__(DataInfo((3,), 0, 8, 0), seed=0)
        self.w = self.add_weight(shape=[3], initializer="ones", name="w")
        self.built = True

    def objective(self, batch, seed, training=False):
        error = tf.square(tf.linalg.matvec(batch["unlabelled"]["image"], self.w.value) - 2.0)
        return Objective(tf.reduce_mean(error), {"error": error})


class Lines(Line):
    """Two lines with a player each: the second fits what the first has just become, and begins with the fourth step."""

    def __init__(self):
        super().__init__()
        self.v = self.add_weight(shape=[3], initializer="ones", name="v")

    def players(self):
        return {
            "first": Player(lambda batch, seed: self.objective(batch, seed), [self.w], steps=2),
            "second": Player(self._second, [self.v], begins=3),
        }

    def _second(self, batch, seed):
        difference = tf.linalg.matvec(batch["unlabelled"]["image"], self.v.value - 2.0 * tf.stop_gradient(self.w.value))
        return Objective(tf.reduce_mean(tf.square(difference)), {"difference": difference})


def fitted(replicas, line=Line, **chosen):
    """The weights after six steps on the same rows, all on one device or half of them on each of two."""
    strategy = devices.strategy(replicas)

    def batches(context=None):
        rows = IMAGES.reshape(6 * replicas, 8 // replicas, 3)
        return tf.data.Dataset.from_tensor_slices({"unlabelled": {"image": rows}})

    with strategy.scope():
        model = line().prepare({"unlabelled": {"image": IMAGES[0]}})
        chosen = optimiser.of_players(settings.Config(learning_rate=0.1, **chosen), 3, model.players())
        model.compile(optimizer=chosen, jit_compile=False, auto_scale_loss=False)
    dataset = batches() if replicas == 1 else strategy.distribute_datasets_from_function(batches)
    model.fit(dataset, steps_per_epoch=6, epochs=1, verbose=0, shuffle=False)
    return [value for variable in model.trainable_variables for value in variable.numpy().tolist()]


def update(workdir):
    return [fitted(1), fitted(2)]


def clipped(workdir):
    chosen = {"clip_norm": 1.0, "decay_factor": 0.5, "decay_epochs": 1}
    return [fitted(1, **chosen), fitted(2, **chosen)]


def scaled(workdir):
    chosen = {"clip_norm": 1.0, "precision": "mixed_float16"}
    return [fitted(1, **chosen), fitted(2, **chosen)]


def players(workdir):
    """Two players of which one begins later, plainly, clipped and scaled; and with an optimiser of another kind."""
    second = settings.Players(second=settings.Player(optimiser="rmsprop", learning_rate=0.01))
    cases = [{}, {"clip_norm": 1.0, "precision": "mixed_float16"}, {"optimiser": "sgd", "players": second}]
    return [[fitted(num, Lines, **chosen) for num in (1, 2)] for chosen in cases]


def chained(workdir):
    """What is said of a chain on two devices."""
    with devices.strategy(2).scope():
        try:
            return chain.check(settings.Config())
        except ValueError as error:
            return str(error)


def draws(workdir):
    """The noise of a step on each replica."""
    strategy = devices.strategy(2)
    with strategy.scope():
        model = Line()
        model.compile(optimizer=optimiser.Adam(0.1), jit_compile=False)
    drawn = strategy.run(tf.function(lambda: noise.normal([4], model.step_seed())))
    return [part.numpy().tolist() for part in strategy.experimental_local_results(drawn)]


def overflow(workdir):
    """w = 1 after a step whose gradient is infinite on the second replica alone."""
    strategy = devices.strategy(2)
    with strategy.scope():
        w = keras.Variable(np.ones(3, "float32"), name="w")
        adam = optimiser.from_settings(settings.Config(precision="mixed_float16"), steps_per_epoch=1)
        adam.build([w])

    def step():
        second = tf.equal(tf.distribute.get_replica_context().replica_id_in_sync_group, 1)
        adam.apply([tf.where(second, np.inf, 1.0) * tf.ones([3])], [w])

    tf.function(lambda: strategy.run(step))()
    return w.numpy().tolist()


def resumed(workdir):
    """The last checkpoints of a mirrored run, and of one that was continued after its first epoch."""
    trainer._finish = lambda *args: None
    ends = []
    for name, epochs in (("whole", [2]), ("continued", [1, 2])):
        for until in epochs:
            experiment = vae_digits.get_config("tiny")
            for field, value in {"num_replicas": 2, "epochs": until, "figures_epochs": 0}.items():
                setattr(experiment.training, field, value)
            trainer.train(experiment, f"{workdir}/{name}")
        ends.append(checkpoints.Checkpoints(f"{workdir}/{name}/checkpoints").newest())
    same = [
        bool(np.array_equal(array, ends[1].values[group][path]))
        for group in ("model", "optimiser")
        for path, array in ends[0].values[group].items()
    ]
    return {"steps": [end.step for end in ends], "same": same}


def maps(workdir):
    """What NVIL and captions keep of a mirrored run: on each replica, the statistics and the usual maps."""
    trainer._finish = lambda *args: None
    coco = made_captions.write_coco(pathlib.Path(workdir) / "coco", splits=("train",))
    experiment = dgdn_flickr8k_images.get_config("tiny")
    experiment.model.map_gradient, experiment.data.path, experiment.data.image_size = "nvil", str(coco), 16
    experiment.data.num_validation = 10
    experiment.training.num_replicas, experiment.training.figures_epochs = 2, 0
    trainer.train(experiment, f"{workdir}/run")
    kept = checkpoints.Checkpoints(f"{workdir}/run/checkpoints").newest().values["model"]
    return {path: array.tolist() for path, array in kept.items() if "usual" in path or "maps_nvil/mean" in path}


def switches(workdir):
    """How often a deep rendering mixture's units were on: on one device, and on two with the same halves."""
    rng, shape = np.random.default_rng(0), (5, 5, 1)
    image, label = rng.random([8, *shape]).astype("float32"), np.arange(8) % 3
    small = rendering.Config(filters=(3, 2), kernels=(2, 2), paddings=("full", "valid"), blocks=(2, 1))
    seen = {}
    for num in (1, 2):
        strategy = tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(num)])
        with strategy.scope():
            keras.utils.set_random_seed(0)
            model = drmm.Config(network=small).build(DataInfo(shape, 3, 8, 8), seed=0)
            for layer in model.network.layers:  # Statistics of a minibatch are a replica's own: leave them out.
                layer.norm.trainable = False

        def step(start, model=model, num=num):
            rows = slice(start, start + 8 // num)
            return model.objective({"labelled": {"image": image[rows], "label": label[rows]}}, noise.seed(0), True).loss

        starts = strategy.experimental_distribute_values_from_function(
            lambda context, num=num: context.replica_id_in_sync_group * 8 // num
        )
        strategy.run(step, args=(starts,))
        seen[num] = [layer.frequencies.numpy().tolist() for layer in model.network.layers[:-1]]
    return seen


def particles(workdir):
    """Steps along Stein's direction by particles of the parameters: on one device, and on two with the same halves."""
    image, theta = np.random.default_rng(0).random([4, 3]).astype("float32"), np.eye(2, 3, dtype="float32")
    config = stein.Config(parameter_particles=2, prior_variance=0.5)
    moved = {}
    for num in (1, 2):
        strategy = tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(num)])
        with strategy.scope():
            variable = keras.Variable(theta)

        def gradient(rows, variable=variable, num=num):
            with tf.GradientTape() as outer:
                with tf.GradientTape() as tape:
                    value = -tf.reduce_mean((rows[:, None] - variable.value) ** 2)
                value = parameter_objective(value, tape, [Parameters([variable], 40)], config)
            return outer.gradient(value, variable.value) / num

        halves = strategy.experimental_distribute_values_from_function(
            lambda context, num=num: image[context.replica_id_in_sync_group * 4 // num :][: 4 // num]
        )
        shares = strategy.run(tf.function(gradient), args=(halves,))
        moved[num] = strategy.reduce("SUM", shares, axis=None).numpy().tolist()
    return moved


if __name__ == "__main__":
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    print(json.dumps({question: globals()[question](sys.argv[1]) for question in sys.argv[2:]}))
