#!/usr/bin/env python3
"""Gradients through pooling maps: the bound against time, and the noise of the gradient, of every estimator.

All estimators train the same model from the same initialisation on the same batches, in slices that take turns, so that
whatever else the machine does disturbs them alike. The noise is measured on one batch at the weights that
`local_expectation` reached, in the parameters of q(u | x) alone: total variance over draws divided by the squared norm
of the mean gradient, so that NVIL's scaling does not matter.
"""

import argparse
import datetime
import json
import pathlib
import sys
import time

import harness
import machine
import matplotlib.figure
import numpy as np
import tensorflow as tf

sys.path.insert(0, str(harness.ROOT))

from tfvae.configs import dgdn_digits, dgdn_mnist
from tfvae.data import load
from tfvae.models import dgdn
from tfvae.probability import noise
from tfvae.training import devices, trainer

TITLES = {
    "nvil": "NVIL",
    "nvil_local": "NVIL, local signals",
    "gumbel": "Gumbel-softmax, straight through",
    "local_expectation": "local expectations",
}


class Learner:
    """A model in training, and what was seen of it: seconds of training and the validation bound after every slice."""

    def __init__(self, experiment, data, estimator):
        experiment.model.map_gradient = estimator
        self.model = trainer.compiled(experiment, data, data.steps_per_epoch)
        self.batches = iter(devices.training_batches(self.model.distribute_strategy, data, 0, 0))
        self.step = tf.function(self.model.train_step)
        self.bound = tf.function(
            lambda image: self.model.objective({"unlabelled": {"image": image}}, noise.seed(1)).terms
        )
        self.seconds, self.bounds, self.divergences = [0.0], [], []

    def train(self, steps):
        began = time.perf_counter()
        for _ in range(steps):
            self.step(next(self.batches))
        self.seconds.append(self.seconds[-1] + time.perf_counter() - began)

    def look(self, image):
        terms = self.bound(image)
        self.bounds.append(float(tf.reduce_mean(terms["bound"])))
        self.divergences.append(float(tf.reduce_mean(terms["kl_u"])))


def gradient_noise(model, image, draws):
    """Total variance of the gradient in q(u | x)'s parameters over the squared norm of its mean.

    None where that mean cannot be told from 0: the ratio is then above the number of draws.
    """
    variables = [v for layer in model.deconvnet.pooling for v in layer.trainable_variables]

    @tf.function
    def gradient(seed):
        with tf.GradientTape() as tape:
            loss = model.objective({"unlabelled": {"image": image}}, seed, training=True).loss
        return tf.concat([tf.reshape(g, [-1]) for g in tape.gradient(loss, variables)], axis=0)

    for i in range(50):  # Running means and variances settle.
        gradient(noise.seed(2, i))
    drawn = np.stack([gradient(noise.seed(3, i)).numpy() for i in range(draws)])
    mean, variance = drawn.mean(axis=0), drawn.var(axis=0, ddof=1).sum()
    # The mean of so many draws still has variance / draws of noise in its squared norm.
    signal = np.sum(mean**2) - variance / draws
    return float(variance / signal) if signal > 0 else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument(
        "--data_dir", default="", help="where TFDS has MNIST; without it scikit-learn's digits are used"
    )
    parser.add_argument("--rounds", type=int, default=12, help="slices of every estimator")
    parser.add_argument("--slice_steps", type=int, default=100, help="training steps of a slice")
    parser.add_argument("--draws", type=int, default=200, help="gradients behind a variance")
    parser.add_argument("--output", type=pathlib.Path, help="folder for estimators.json and its figure")
    arguments = parser.parse_args()
    preset = dgdn_mnist if arguments.data_dir else dgdn_digits
    experiment = preset.get_config("small" if arguments.data_dir else "full")
    experiment.model.label_weight, experiment.data.data_dir = 0.0, arguments.data_dir
    experiment.data.labelled_batch, experiment.data.unlabelled_batch = 0, 64
    data = load.load(experiment.data)
    validation = data.validation.take(np.arange(min(500, len(data.validation))))
    image, some = (tf.constant(data.observe(rows)) for rows in (validation, validation.take(np.arange(64))))
    learners = {name: Learner(experiment, data, name) for name in dgdn.MAP_GRADIENTS}
    for learner in learners.values():
        learner.train(2)  # Compiles.
        learner.seconds = [0.0]
        learner.look(image)
    for i in range(arguments.rounds):
        for learner in learners.values():
            learner.train(arguments.slice_steps)
            learner.look(image)
        print(f"slice {i + 1} of {arguments.rounds}", file=sys.stderr, flush=True)
    reached = learners["local_expectation"].model.transferable_variables()
    values = [v.numpy() for v in reached]
    noises = {}
    for name, learner in learners.items():
        for variable, value in zip(learner.model.transferable_variables(), values, strict=True):
            variable.assign(value)
        noises[name] = gradient_noise(learner.model, some, arguments.draws)
    write(arguments, learners, noises)


def write(arguments, learners, noises):
    """Prints the table, and keeps it with its figure where a folder was named."""
    steps = arguments.rounds * arguments.slice_steps
    shown = {name: f"{noise:.3g}" if noise else f"> {arguments.draws}" for name, noise in noises.items()}
    rows = [
        [
            TITLES[name], f"{learner.bounds[-1]:.1f}", f"{learner.divergences[-1]:.1f}",
            f"{1e3 * learner.seconds[-1] / steps:.1f}", shown[name],
        ]
        for name, learner in learners.items()
    ]  # fmt: skip
    columns = ["estimator", f"bound after {steps} steps", "KL of the maps", "ms a step", "noise of the gradient"]
    for row in (columns, *rows):
        print("  ".join(f"{cell:<34}" if not i else cell for i, cell in enumerate(row)))
    if not arguments.output:
        return
    arguments.output.mkdir(parents=True, exist_ok=True)
    figure(learners, arguments.output / "estimators-bound.png")
    data = " --data_dir=DATA" if arguments.data_dir else ""
    document = {
        "title": f"Gradients through the pooling maps on {'MNIST' if arguments.data_dir else 'digits'}: nats an image",
        "table": {"columns": columns, "rows": rows},
        "notes": [
            "`noise of the gradient` is its total variance over draws divided by its squared mean, in the parameters "
            "of q(u | x), on one batch at the same weights. NVIL alone is unbiased; the local ones are biased by what "
            "the maps change by way of the code, Gumbel-softmax by its relaxation."
        ],
        "command": f"python tools/benchmarks/estimators.py --rounds={arguments.rounds} "
        f"--slice_steps={arguments.slice_steps} --draws={arguments.draws}{data}",
        "figures": ["estimators-bound.png"],
        "seconds": round(sum(learner.seconds[-1] for learner in learners.values()), 1),
        "curves": {name: {"seconds": learner.seconds, "bound": learner.bounds} for name, learner in learners.items()},
        "noise": noises,
        "machine": machine.description(),
        "date": datetime.date.today().isoformat(),
    }
    (arguments.output / "estimators.json").write_text(json.dumps(document, indent=1) + "\n")


def figure(learners, path):
    """The validation bound against seconds of training."""
    drawn = matplotlib.figure.Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = drawn.subplots()
    for name, learner in learners.items():
        axes.plot(learner.seconds[1:], learner.bounds[1:], label=TITLES[name])
    axes.set(xlabel="seconds of training", ylabel="bound on log p(x) of validation rows [nats]")
    axes.grid(alpha=0.3)
    axes.legend()
    drawn.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
