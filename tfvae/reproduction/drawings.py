"""The figures of a table, as PNG bytes by name; a table names its function here."""

import dataclasses
import re

import numpy as np
from absl import logging

from tfvae.capabilities import Capability
from tfvae.evaluation import decoding as decoding_errors
from tfvae.evaluation import posterior
from tfvae.evaluation.representation import auxiliary_codes
from tfvae.metrics import METRICS
from tfvae.models.auxiliary_vae import AuxiliaryVAE
from tfvae.probability import gaussian_mixture, noise
from tfvae.reports import captions as caption_pictures
from tfvae.reports import code_figures, curve_figures, figures, generation, posterior_figures
from tfvae.reports import translations as translation_pictures
from tfvae.reproduction import derived
from tfvae.run.opening import open_run

_NUM_SAMPLES = 50_000


def moons(done):
    """Decision regions and a principal component plot of a (figures 2c and 2d) of draw 0, and errors by epoch."""
    first = next(run for run in done if run.planned.draw == 0)
    opened = open_run(first.planned.workdir)
    model, data = opened.model, opened.data

    def probabilities(points):
        observed = data.transform.observe(points)
        return model.classify(observed).numpy()

    regions = figures.decision_regions(
        probabilities, data.test.image, data.labelled.image, data.labelled.label, data.class_names
    )
    some = data.test.take(slice(0, 2000))
    codes = auxiliary_codes(model, data, some)
    auxiliary = code_figures.codes_pca(codes, some.label, data.class_names, "Auxiliary variable a")
    return {"regions": regions, "auxiliary": auxiliary, **convergence(done)}


def potentials(done):
    """True and fitted density of every potential (figures 2a and 2b), of the best restart by validation."""
    drawn = {}
    for name in dict.fromkeys(run.planned.entry.name for run in done):
        best = derived.best([run.record for run in done if run.planned.entry.name == name])
        workdir = next(run.planned.workdir for run in done if run.record is best)
        drawn[name.lower()] = potential(open_run(workdir).model, name)
    return drawn


def potential(model: AuxiliaryVAE, title):
    samples = model.sample(_NUM_SAMPLES, noise.seed(0)).numpy()
    return figures.potential(model.p_z.log_prob, samples, edge=model.p_z.edge, title=title)


def dictionaries(done):
    """The elements of every layer of draw 0, projected to the image plane, with labels and without (figure 3.3)."""
    drawn = {}
    for run in done:
        bare = not run.planned.experiment.model.label_weight
        name = "unsupervised" if bare else "supervised"
        if run.planned.draw == 0 and name not in drawn and run.planned.experiment.model.unpooling == "stochastic":
            opened = open_run(run.planned.workdir)
            drawn[name] = generation.png(generation.elements(opened.model, layer=1), min_width=600)
    return drawn


def toy(done):
    """Draws of the posterior and of what was fitted, for test points that leave both modes most open (figure 4.1)."""
    fits = {}
    for run in done:
        if run.planned.draw == 0:
            family, noise_level = run.planned.entry.name.split(", ")
            fits.setdefault(noise_level, {})[family] = open_run(run.planned.workdir)
    points = {}
    for level, by_family in fits.items():
        data = next(iter(by_family.values())).data
        network = next(iter(by_family.values())).model.config.network
        exact = gaussian_mixture.posterior(data.test.image, network.noise)
        most_open = np.argsort(np.abs(exact.mixture_distribution.probs_parameter().numpy()[:, 0] - 0.5))[:2]
        for row in most_open[: 2 if network.noise > 1.0 else 1]:
            columns = {}
            for family, opened in by_family.items():
                true, fitted = posterior.draws(opened.model, opened.data, data.test.take([row]), _NUM_SAMPLES)
                columns = {"posterior": true[:, 0], **columns, family: fitted[:, 0]}
            points[f"{level}, x = ({data.test.image[row][0]:.1f}, {data.test.image[row][1]:.1f})"] = columns
    return {"modes": posterior_figures.planes(points)}


def factors(done):
    """Marginals and pairs of a test document's largest factor scores (figure 4.2)."""
    runs = [run for run in done if run.planned.draw == 0]
    opened = {run.planned.entry.name: open_run(run.planned.workdir) for run in runs}
    data, words = next(iter(opened.values())).data, next(iter(opened.values())).data.words
    lengths = data.test.image.sum(axis=1)
    document = data.test.take([int(np.argsort(np.abs(lengths - np.median(lengths)))[0])])
    drawn = {}
    for name, each in opened.items():
        true, fitted = posterior.draws(
            each.model, each.data, document, each.model.config.network.posterior_draw_count()
        )
        drawn = {"Gibbs": true[:, 0], **drawn, name: fitted[:, 0]}
    largest = np.argsort(-drawn["Gibbs"].mean(axis=0))[:4]
    topics = next(iter(opened.values())).model.p_x_given_z.loadings.topics().numpy()
    labels = [", ".join(words[i] for i in np.argsort(-topics[v])[:3]) for v in largest]
    return {"scores": posterior_figures.corner({name: draws[:, largest] for name, draws in drawn.items()}, labels)}


def particles(done):
    """Negative log-likelihood against time, by particles of the parameters, of draw 0 (figure 4.3)."""
    return {
        "time": posterior_figures.against_time(
            [
                (
                    run.planned.experiment.model.parameter_particles, -run.record["test"]["iw_bound"],
                    run.record["seconds"], run.record["test"]["bound_seconds"],
                )
                for run in done
                if run.planned.draw == 0
            ]
        )
    }  # fmt: skip


def decoding(done):
    """Errors of decoding factors from layers, a figure for every row, of draw 0 (figure 4)."""
    chance = 1.0 - 1.0 / decoding_errors.NUM_BINS
    return {
        run.planned.entry.name: figures.by_layer(run.record["test"][decoding_errors.KEY], chance)
        for run in done
        if run.planned.draw == 0 and decoding_errors.KEY in run.record["test"]
    }


def beside_each_other(done):
    """Samples of every row of draw 0, and the same held-out images with every row's reconstructions (Pu 2017, 5.4,
    5.6).
    """
    drawn, lines, names = {}, [], []
    for run in done:
        if run.planned.draw:
            continue
        opened = open_run(run.planned.workdir)
        model, data = opened.model, opened.data
        grid = generation.grid(generation.sampled(model, data, 64), 8)
        drawn[f"samples-{_slug(run.planned.entry.name)}"] = generation.png(grid, min_width=240)
        if model.can(Capability.RECONSTRUCT):
            observed = data.observe(data.test.take(np.arange(10)))
            lines = lines or [data.transform.picture(observed).numpy()]
            lines.append(data.transform.picture(model.reconstruct(observed)).numpy())
            names.append(run.planned.entry.name)
    if lines:
        drawn["reconstructions"] = generation.png(generation.grid(np.concatenate(lines), len(lines[0])), min_width=420)
        logging.info("Lines of reconstructions, below the images: %s.", ", ".join(names))
    return drawn


def _slug(name):
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def captions(done):
    """Held-out photographs with their captions by the first row, and images for captions by the first that draws."""
    drawn = {}
    for run in done:
        if run.planned.draw == 0 and len(drawn) < 2:
            opened = open_run(run.planned.workdir)
            drawn = caption_pictures.examples(opened.model, opened.data, num=8) | drawn
    return drawn


def translations(done):
    """What the first row of draw 0 makes of held-out images, and what it invents."""
    first = next(run for run in done if run.planned.draw == 0)
    opened = open_run(first.planned.workdir)
    grids = translation_pictures.pictures(opened.model, opened.data)
    return {name: generation.png(grid, min_width=400) for name, grid in grids.items()}


def inference(done):
    """The error of labels against the time of learning, that of images against the time of a code; of draw 0."""
    learning, coding = {}, {}
    for run in done:
        test, name = run.record["test"], run.planned.entry.name
        error = test.get("error", test.get("svm_error"))
        if run.planned.draw or error is None:
            continue
        learning[name] = (run.record["seconds"], 100.0 * error)
        coding[name] = (test["encode_ms"], test["rmse"])
    panels = {
        ("learning [s]", "test error [%]"): learning,
        ("a code [ms an image]", "root mean square [gray levels]"): coding,
    }
    return {"time": curve_figures.against_time(panels)}


def convergence(done):
    """Validation error by epoch, the mean over draws, a line for every row (figure 5).

    Of rows that differ in their epochs alone the longest is drawn: the others are its beginning.
    """
    lines = {}
    for run in _longest(done):
        lines.setdefault(run.planned.entry.name, []).append(run.record["curves"])
    # Early stopping may end draws at different epochs: a mean is taken as far as all of them go.
    curves = {}
    for name, drawn in lines.items():
        length = min(len(one["epoch"]) for one in drawn)
        mean = np.mean([one["val_error"][:length] for one in drawn], axis=0)
        curves[name] = curve_figures.Line((drawn[0]["epoch"][:length], mean.tolist()))
    return {"convergence": curve_figures.curves(curves, METRICS["error"], "Validation error against epochs")}


def _longest(done):
    """The runs without those that another run of the same settings goes on from."""

    def settings(run):
        experiment = run.planned.experiment
        return dataclasses.replace(experiment, training=dataclasses.replace(experiment.training, epochs=1))

    return [
        run
        for run in done
        if not any(
            settings(other) == settings(run)
            and other.planned.experiment.training.epochs > run.planned.experiment.training.epochs
            for other in done
        )
    ]
