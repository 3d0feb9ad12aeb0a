"""The numbers of a report in words: what each means, how sure it is, and what a reader might do about it."""

import math
from typing import NamedTuple

from tfvae.evaluation.baselines import NAMES


class Headline(NamedTuple):
    """name: of the number; value: as it is shown; meaning: one sentence for somebody who never saw it."""

    name: str
    value: str
    meaning: str


class Rival(NamedTuple):
    """A line of the comparison: errors are fractions; `std` is over label draws, None for one draw."""

    name: str
    error: float
    std: float | None
    ours: bool
    learned_from: str


def headlines(metrics, data):
    """The few numbers that matter, the most important first."""
    made = (
        _error(metrics, data), _codes_error(metrics), _perplexity(metrics), _overlap(metrics), _retrieval(metrics),
        _bound(metrics), _word_perplexity(metrics), _posterior(metrics), _calibration(metrics), _surprise(metrics),
    )  # fmt: skip
    return [headline for headline in made if headline]


def wilson_interval(errors, rows, z=1.96):
    """The 95 % interval of an error rate that was counted on so many rows: (low, high), fractions.

    Wilson 1927; it stays inside 0..1 and is right for few errors, where mean ± 2 standard errors is not.
    """
    rate, square = errors / rows, z**2 / rows
    centre = (rate + square / 2) / (1 + square)
    half = z / (1 + square) * math.sqrt(rate * (1 - rate) / rows + square / (4 * rows))
    return max(0.0, centre - half), min(1.0, centre + half)


def comparison(metrics, model_name, data):
    """Ours and the rivals as `Rival`s, the fewest errors first; from label draws where there were several.

    A line has a spread only where draws were made; [] where the model does not predict classes.
    """
    spread = metrics.get("draws", {})
    both = f"{len(data.labelled)} labels + {len(data.train):,} unlabelled rows"
    labels = f"{len(data.labelled)} labels"
    lines = [
        ("error", model_name, True, both),
        ("tsvm_error", f"{model_name} + transductive SVM on codes", True, both),
        ("svm_error", f"{model_name} + SVM on codes", True, both),
        ("baseline_mlp_error", NAMES["mlp"], False, labels),
        ("baseline_svm_error", NAMES["svm"], False, labels),
        ("baseline_convnet_error", NAMES["convnet"], False, labels),
        (
            "baseline_label_spreading_error",
            NAMES["label_spreading"],
            False,
            f"{labels} + {metrics.get('baseline_unlabelled_rows', 0):,} unlabelled rows",
        ),
    ]
    rivals = []
    for key, name, ours, learned_from in lines:
        if key in spread:
            rivals.append(Rival(name, spread[key]["mean"], spread[key]["std"], ours, learned_from))
        elif metrics.get(key) is not None:
            rivals.append(Rival(name, metrics[key], None, ours, learned_from))
    return sorted(rivals, key=lambda rival: rival.error)


def verdict(rivals, num_draws):
    """One honest sentence about ours beside the best rival; empty without both."""
    ours = next((rival for rival in rivals if rival.ours), None)
    best = next((rival for rival in rivals if not rival.ours), None)
    if not ours or not best:
        return ""
    gap = abs(ours.error - best.error)
    noise = math.hypot(ours.std or 0.0, best.std or 0.0)
    smaller, larger = sorted((ours.error, best.error))
    numbers = f"{_percent(smaller)} against {_percent(larger)}"
    if num_draws > 1 and gap <= noise:
        return f"{ours.name} and {best.name} are about equal here ({numbers}): the gap lies within the spread of draws."
    caveat = "" if num_draws > 1 else " One draw of labels only: how much of that is luck, --draws=3 tells."
    if ours.error < best.error:
        return f"{ours.name} makes fewer errors than the best rival, {best.name} ({numbers}).{caveat}"
    if ours.error == best.error:
        return f"{ours.name} and {best.name} make equally many errors ({numbers}).{caveat}"
    return f"{best.name} makes fewer errors than {ours.name} on these data ({numbers}).{caveat}"


def warnings(metrics, data):
    """What a careful reader should know before trusting the numbers."""
    told = []
    if metrics.get("invalid_rows"):
        told.append(
            f"{metrics['invalid_rows']} test rows gave a number that is not finite; they count as wrong, and means "
            "over them are missing. Look at the training curves for a run that diverged."
        )
    rows = metrics.get("classified_rows")
    if rows and rows < 500:
        told.append(f"Only {rows} labelled test rows: smaller differences than the interval mean nothing.")
    if metrics.get("bound_rows", len(data.test)) < len(data.test):
        told.append(
            f"The bounds were taken on a random {metrics['bound_rows']:,} of {len(data.test):,} test rows; "
            "--rows=0 takes all."
        )
    if metrics.get("ece") is not None and metrics["ece"] > 0.1:
        told.append("Confidences are off by more than 10 points on average: do not take them for probabilities.")
    return told


def next_steps(workdir, metrics, data, has_classes):
    """(what, why, command) for somebody who has just read the report."""
    run = f"--workdir={workdir}"
    steps = []
    if has_classes and "draws" not in metrics:
        steps.append(("See how much is luck", "trains on other draws of the labels", f"tfvae-evaluate {run} --draws=3"))
    if len(data.labelled) and not any(name.startswith("baseline_") for name in metrics):
        command = f"tfvae-evaluate {run} --baselines"
        steps.append(("Compare", "trains scikit-learn's rivals on the same labels", command))
    if len(data.transform.raw_shape) == 3:
        steps.append(("Look at more samples", "draws a grid", f"tfvae-sample {run} --output=samples.png --num=64"))
    command = f"tfvae-export {run} --output=savedmodels/{_name(workdir)}"
    steps.append(("Serve it", "writes a version for TensorFlow Serving", command))
    command = f"tensorboard --logdir={workdir}/tensorboard"
    steps.append(("Watch the training", "bounds, pictures and codes by epoch", command))
    return steps


def _error(metrics, data):
    if metrics.get("error") is None:
        return None
    rows = metrics["classified_rows"]
    low, high = wilson_interval(metrics["error"] * rows, rows)
    drawn = next((name for name in metrics if name.startswith("error_s")), None)
    extra = f" Averaged over {drawn[7:]} draws: {_percent(metrics[drawn])}." if drawn else ""
    return Headline(
        "Test error",
        _percent(metrics["error"]),
        f"{round(metrics['error'] * rows):,} of {rows:,} test rows get the wrong class (95 % interval {_percent(low)} "
        f"to {_percent(high)}), learned from {len(data.labelled):,} labelled of {data.info.num_train:,} training rows."
        f"{extra}",
    )


def _codes_error(metrics):
    if metrics.get("tsvm_error") is None:
        return None
    return Headline(
        "Error from codes",
        _percent(metrics["tsvm_error"]),
        "A transductive SVM on the model's codes errs this often on test rows; an ordinary SVM on the same codes "
        f"{_percent(metrics['svm_error'])}.",
    )


def _perplexity(metrics):
    if metrics.get("perplexity") is None:
        return None
    return Headline(
        "Perplexity",
        f"{metrics['perplexity']:.1f}",
        f"The model is as unsure of the next word as between that many equally probable ones: {metrics['captions']:,} "
        f"captions of {metrics['captioned_rows']:,} test images. With the code of another image it is "
        f"{metrics['perplexity_shuffled']:.1f}: the gap is what it takes from the image.",
    )


def _overlap(metrics):
    if metrics.get("bleu1") is None:
        return None
    return Headline(
        "BLEU-1 · BLEU-4",
        f"{metrics['bleu1']:.2f} · {metrics['bleu4']:.2f}",
        "Words, and runs of up to four words, of generated captions that people used for the same image, from 0 to 1. "
        f"With another image's code: {metrics['bleu1_shuffled']:.2f} · {metrics['bleu4_shuffled']:.2f}.",
    )


def _retrieval(metrics):
    if metrics.get("caption_to_image_r10") is None:
        return None
    rows = metrics["retrieval_rows"]
    return Headline(
        "Recall at 10",
        f"{_percent(metrics['caption_to_image_r10'])} · {_percent(metrics['image_to_caption_r10'])}",
        f"How often the image of a caption is among the ten best of {rows:,}, by the code that both share (by chance "
        f"{_percent(min(1.0, 10 / rows))}), and how often a caption of an image is. Median ranks: "
        f"{metrics['caption_to_image_rank']:g}, {metrics['image_to_caption_rank']:g}.",
    )


def _bound(metrics):
    name = "iw_bound" if metrics.get("iw_bound") is not None else "bound"
    if metrics.get(name) is None:
        return None
    if metrics.get("log_normaliser") is not None:
        # Not the importance-weighted bound: with many draws that is tight for any fit, so it would tell nothing of it.
        gap = metrics["log_normaliser"] - metrics["bound"]
        meaning = (
            f"The exact value is {_nats(metrics['log_normaliser'], 3)}. The fit diverges from the target by the gap of "
            f"{_nats(gap, 3)} at most, up to the noise of {metrics['bound_rows']:,} draws."
        )
        return Headline("Bound on log Z", _nats(metrics["bound"], 3), meaning)
    bits = f" {metrics['bits_per_dim']:.3f} bits a dimension." if metrics.get("bits_per_dim") is not None else ""
    # Of an encoder z = f(x, ξ), whose density is not stated.
    implicit = metrics.get("stein_discrepancy") is not None
    caveat = " It holds as far as the encoder's map z = f(x, ξ) is one-to-one in ξ." if implicit else ""
    how = f"{metrics['iw_samples']} importance-weighted draws" if name == "iw_bound" else "one draw"
    error = metrics.get("iw_bound_stderr")
    spread = f" ±\N{NO-BREAK SPACE}{error:.2f} (standard error)" if error is not None else ""
    return Headline(
        "Bound on log p(x)",
        _nats(metrics[name], 2),
        f"The mean log-likelihood of a test image is at least this{spread}: {how}, {metrics['bound_rows']:,} rows. "
        f"Higher is better; comparable only between models of the same observations.{bits}{caveat}",
    )


def _word_perplexity(metrics):
    if metrics.get("word_perplexity") is None:
        return None
    return Headline(
        "Word perplexity",
        f"{metrics['word_perplexity']:.0f}",
        "The model is as unsure of a word of a test document as between that many equally probable ones, the length of "
        f"the document included; by words rather than documents {metrics['word_perplexity_corpus']:.0f}.",
    )


def _posterior(metrics):
    if metrics.get("posterior_distance") is None:
        return None
    return Headline(
        "Distance from the posterior",
        _percent(metrics["posterior_distance"]),
        "The share of draws that would have to move for q(z | x) to be the true posterior, from histograms of both; "
        f"between two halves of the posterior's own draws it is {_percent(metrics['posterior_distance_floor'])}. "
        f"q's standard deviations are {metrics['posterior_sd_ratio']:.2f} of the posterior's (median).",
    )


def _calibration(metrics):
    if metrics.get("ece") is None:
        return None
    return Headline(
        "Calibration error",
        _percent(metrics["ece"]),
        "How far stated confidence and accuracy are apart on average (15 bins); 0 % means that of predictions made "
        "with 90 % confidence, 90 % are right.",
    )


def _surprise(metrics):
    if metrics.get("label_nll") is None:
        return None
    return Headline(
        "Surprise at labels",
        _nats(metrics["label_nll"], 3),
        "Mean −log probability of the true class. Confident mistakes are what makes it large; guessing among K classes "
        "costs log K.",
    )


def _percent(fraction):
    digits = 1 if fraction >= 0.01 or fraction == 0 else 2
    return f"{100.0 * fraction:.{digits}f}\N{NO-BREAK SPACE}%"


def _nats(value, digits):
    digits = digits if abs(value) < 1000 else 0
    return f"{value:.{digits}f}\N{NO-BREAK SPACE}nats".replace("-", "\N{MINUS SIGN}")


def _name(workdir):
    return str(workdir).rstrip("/").rsplit("/", 1)[-1] or "model"
