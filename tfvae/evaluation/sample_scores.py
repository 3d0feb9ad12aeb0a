"""What does a classifier make of samples: are they of some class each, of all classes together, and like the data?"""

import numpy as np
import scipy.linalg

from tfvae.batch import IMAGE
from tfvae.capabilities import Capability
from tfvae.evaluation import image_classifier, nouns
from tfvae.evaluation.batched import at_once, subset
from tfvae.evaluation.compiled import compiled
from tfvae.evaluation.measurement import Headline, Measurement
from tfvae.metrics import Metric
from tfvae.probability import noise

# Samples, unless fewer rows are to be compared with.
_SAMPLES = 5000
_SPLITS = 10
# A class is found that has so much of its share among the data.
_LEAST_SHARE = 0.2


def applies(model, data, rows):
    """Whether there are images to compare samples with."""
    return model.can(Capability.SAMPLE) and nouns.noun(data) == "image" and len(rows) > 1


def measure(model, data, rows, settings):
    """Scores by a classifier; none without one.

    Args:
        model, data: the model and `tfvae.data.load.Data`.
        rows: `Examples`.
        settings: the classifier and the seed.

    Returns:
        {"inception_score": exp E KL(p(y | x) ‖ p(y)) over samples, the mean over ten parts (Salimans et al. 2016), its
        "inception_score_stddev" over these, "inception_score_of_data"; "fid", the Fréchet distance of the classifier's
        features between samples and as many rows (Heusel et al. 2017), "fid_floor", that between halves of the rows,
        twice as few: what small numbers cost; "classes_found", by the classifier among samples, of those that it finds
        among the rows, "classes_in_data"; "class_divergence": KL of the samples' classes from the rows', nats;
        "score_rows", "score_classifier"}.
    """
    if not settings.classifier:
        return {}
    judge = image_classifier.named(settings.classifier)
    rows = subset(rows, _SAMPLES, settings.seed)
    of_data, of_samples = (
        judge.judged(_pictures(data, rows)),
        judge.judged(_samples(model, data, len(rows), settings.seed)),
    )
    score, spread = inception_score(of_samples[0])
    shares = [
        np.bincount(probs.argmax(axis=1), minlength=probs.shape[1]) / len(probs) for probs, _ in (of_data, of_samples)
    ]
    halves = np.random.default_rng(settings.seed).permutation(len(rows))
    return {
        "inception_score": score,
        "inception_score_stddev": spread,
        "inception_score_of_data": inception_score(of_data[0])[0],
        "fid": frechet_distance(of_samples[1], of_data[1]),
        "fid_floor": frechet_distance(of_data[1][halves[::2]], of_data[1][halves[1::2]]),
        "classes_found": int((shares[1] >= _LEAST_SHARE * shares[0])[shares[0] > 0].sum()),
        "classes_in_data": int((shares[0] > 0).sum()),
        "class_divergence": _divergence(*shares[::-1]),
        "score_rows": len(rows),
        "score_classifier": judge.name,
    }


def _pictures(data, rows):
    return np.asarray(data.transform.picture(data.transform.observe(rows[IMAGE])), np.float32)


def _samples(model, data, num, seed):
    drawn, size = [], at_once(model, 500)
    for part in range(-(-num // size)):
        drawn.append(np.asarray(data.transform.picture(compiled(model, "sample")(size, noise.seed(seed, part)))))
    return np.concatenate(drawn)[:num]


def inception_score(probs, splits=_SPLITS):
    """exp E KL(p(y | x) ‖ p(y)), the mean and standard deviation over parts of the samples: at least 1, at most K.

    Args:
        probs: p(y | x) of N samples, [N, K].
        splits: parts, each with its own p(y).
    """
    scores = []
    for part in np.array_split(np.asarray(probs, np.float64), min(splits, max(1, len(probs) // 10))):
        mean = part.mean(axis=0)
        terms = part * (np.log(np.maximum(part, 1e-300)) - np.log(np.maximum(mean, 1e-300)))
        scores.append(np.exp(terms.sum(axis=1).mean()))
    return float(np.mean(scores)), float(np.std(scores))


def frechet_distance(first, second):
    """|μ − μ'|² + tr(Σ + Σ' − 2 (Σ Σ')^½) of two sets of features [N, F]."""
    (mean, covariance), (other_mean, other_covariance) = (
        (points.mean(axis=0), np.cov(points, rowvar=False).reshape(points.shape[1], -1)) for points in (first, second)
    )
    # tr (Σ Σ')^½ = Σ_i √λ_i of Σ^½ Σ' Σ^½, which is symmetric: no root of a matrix that is not.
    values, vectors = scipy.linalg.eigh(covariance)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    crossed = scipy.linalg.eigvalsh(root @ other_covariance @ root)
    trace = np.trace(covariance) + np.trace(other_covariance) - 2.0 * np.sqrt(np.maximum(crossed, 0.0)).sum()
    return float(((mean - other_mean) ** 2).sum() + trace)


def _divergence(p, q):
    """KL(p ‖ q) of shares, a class that only p has counted as one row in a million of q."""
    return float(np.sum(np.where(p > 0, p * np.log(np.maximum(p, 1e-300) / np.maximum(q, 1e-6)), 0.0)))


def headlines(metrics, data):
    """Both scores with their judge and their sizes."""
    if metrics.get("inception_score") is None:
        return []
    judge, num = metrics["score_classifier"], metrics["score_rows"]
    rows = nouns.counted(num, data)
    return [
        Headline(
            f"Inception score by {judge}", f"{metrics['inception_score']:.2f}",
            f"How sure that classifier is of each of {num:,} samples, and how evenly they are of all classes; images "
            "of the "
            f"data score {metrics['inception_score_of_data']:.2f}. It found {metrics['classes_found']} of "
            f"{metrics['classes_in_data']} classes. Comparable only between samples judged by the same classifier.",
            rank=58, spread=f"±\N{NO-BREAK SPACE}{metrics['inception_score_stddev']:.2f} over ten parts",
        ),
        Headline(
            f"FID by {judge}", f"{metrics['fid']:.3g}",
            f"The Fréchet distance between {num:,} samples and {rows} in that classifier's features; lower is "
            "better. Small "
            f"numbers raise it: between two halves of these {nouns.plural(data)} it is {metrics['fid_floor']:.3g}, "
            "so only "
            "distances of equally many, by the same classifier, can be compared.",
            rank=59,
        ),
    ]  # fmt: skip


def caveats(metrics, data):
    """That classes are missing."""
    del data
    if metrics.get("classes_found") is None or metrics["classes_found"] >= metrics["classes_in_data"]:
        return []
    missing = metrics["classes_in_data"] - metrics["classes_found"]
    return [
        f"{missing} of {metrics['classes_in_data']} classes get less than a fifth of their share of samples, by "
        f"{metrics['score_classifier']}: modes are missing."
    ]  # fmt: skip


MEASUREMENT = Measurement(
    applies, measure, headlines, caveats,
    metrics=(Metric("inception_score", "Inception score", "", True), Metric("fid", "Fréchet distance of features", "")),
)  # fmt: skip
