"""Do clusters find the classes that nobody told of? Beside k-means and a Bayesian mixture on the same codes."""

import warnings

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import normalized_mutual_info_score
from sklearn.mixture import BayesianGaussianMixture

from tfvae.capabilities import Capability
from tfvae.evaluation import intervals, labels, nouns, representation
from tfvae.evaluation.batched import at_once, map_rows, subset
from tfvae.evaluation.compiled import compiled
from tfvae.evaluation.measurement import Headline, Measurement
from tfvae.metrics import METRICS

RIVALS = {"kmeans": "K-means on the same codes", "mixture": "a Bayesian mixture on them"}
_LEARNED_ON = 5000  # Training rows from whose codes rivals learn.


def responsibilities(model, data, rows):
    """How probably rows are of each cluster: float32 [N, J]."""
    cluster = compiled(model, "cluster")
    return map_rows(lambda image, _: cluster(image), data, rows, at_once(model, 500))


def scores(found, label):
    """How well clusters agree with classes.

    Args:
        found: [N], the cluster of every row.
        label: [N], its class.

    Returns:
        {"cluster_nmi": the normalised mutual information, 0 to 1, "cluster_accuracy": the share of rows that are of the
        class of their cluster, at the best matching of one class to one cluster, "clusters_in_use": those that a row is
        of}.
    """
    counts = np.zeros([found.max() + 1, label.max() + 1], np.int64)
    np.add.at(counts, (found, label), 1)
    return {
        "cluster_nmi": float(normalized_mutual_info_score(label, found)),
        "cluster_accuracy": float(counts[linear_sum_assignment(-counts)].sum() / len(label)),
        "clusters_in_use": int(np.count_nonzero(counts.any(axis=1))),
    }


def applies(model, data, rows):
    """Whether the model has clusters."""
    del data
    return model.can(Capability.CLUSTER) and len(rows) > 0


def measure(model, data, rows, settings):
    """Clusters of rows, against their labels where they have some, and rivals.

    Args:
        model: has `cluster`, `cluster_weights` and `encode`.
        data: `tfvae.data.load.Data`; rivals learn from codes of at most 5,000 of its training rows.
        rows: `Examples`.
        settings: the seed of the rivals.

    Returns:
        {"clusters_in_use", "cluster_confidence": the mean of the largest responsibility, "cluster_weights": ν}; with
        labels also what else `scores` gives, of labelled rows alone, "clustered_rows", how many they are, and
        "kmeans_<these>" and "mixture_<these>" of the rivals, with as many clusters at most.
    """
    probs = responsibilities(model, data, rows)
    result = {
        "clusters_in_use": len(np.unique(probs.argmax(axis=1))),
        "cluster_confidence": float(probs.max(axis=1).mean()),
        "cluster_weights": model.cluster_weights().numpy().tolist(),
    }
    rows = labels.labelled(rows)
    if not len(rows):
        return result
    result |= scores(responsibilities(model, data, rows).argmax(axis=1), rows.label)
    learned_on = representation.codes(model, data, subset(data.train, _LEARNED_ON, settings.seed))
    judged = representation.codes(model, data, rows)
    for name, rival in _rivals(min(probs.shape[1], len(learned_on)), settings.seed).items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # What it found by then is judged like any other.
            of_rival = scores(rival.fit(learned_on).predict(judged), rows.label)
        result |= {f"{name}_{key}": value for key, value in of_rival.items()}
    return result | {"clustered_rows": len(rows)}


def _rivals(num, seed):
    mixture = BayesianGaussianMixture(
        n_components=num, covariance_type="spherical", max_iter=500, random_state=seed,
        weight_concentration_prior_type="dirichlet_process",
    )  # fmt: skip
    return {"kmeans": KMeans(num, n_init=10, random_state=seed), "mixture": mixture}


def headlines(metrics, data):
    """How well clusters are classes, and how many there are."""
    told = []
    if metrics.get("cluster_nmi") is not None:
        percent, rows = METRICS["cluster_accuracy"].shown, metrics["clustered_rows"]
        meaning = (
            f"Of {nouns.counted(rows, data, 'labelled')} so many are of the class that their cluster is matched with, "
            "one class a cluster, though no label was seen; normalised mutual information "
            f"{metrics['cluster_nmi']:.2f}. "
            + "; ".join(
                f"{rival}: {percent(metrics[f'{name}_cluster_accuracy'])} and {metrics[f'{name}_cluster_nmi']:.2f}"
                for name, rival in RIVALS.items()
            )
            + "."
        )
        accuracy = metrics["cluster_accuracy"]
        spread = intervals.in_words(accuracy, rows)
        told.append(Headline("Clusters that are classes", percent(accuracy), meaning, 25, spread))
    if metrics.get("clusters_in_use") is not None:
        most, weights = len(metrics["cluster_weights"]), sorted(metrics["cluster_weights"], reverse=True)
        meaning = f"Of {most} that there may be; the largest holds {METRICS['cluster_accuracy'].shown(weights[0])}."
        told.append(Headline("Clusters in use", str(metrics["clusters_in_use"]), meaning, 26))
    return told


def caveats(metrics, data):
    """Clusters that fell onto one, and more that were wanted."""
    del data
    used = metrics.get("clusters_in_use")
    if used is None:
        return []
    if used == 1:
        return ["All images are in one cluster: begin later (`model.clusters.begin_epochs`), or train longer."]
    if used == len(metrics["cluster_weights"]):
        return ["Every cluster is in use, so that there might be more: raise `model.clusters.most`."]
    return []


MEASUREMENT = Measurement(applies, measure, headlines, caveats)
