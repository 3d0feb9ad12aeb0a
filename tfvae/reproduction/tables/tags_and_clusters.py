"""What the elements of a DGDN mean, and how its images fall into clusters: Pu 2017, sections 3.3.3 and 3.3.4."""

from tfvae.reproduction.tables.table import NO_BOUND, Entry, Measure, Table

_NO_TAGS = {"model.tag_weight": 0.0, "data.batches": {}, "training.monitor": "bound"}
_TAGS = (
    Measure("mean average precision", ("tag_map",)),
    Measure("by frequency", ("frequency_tag_map",)),
    Measure("logistic regression on the same codes", ("logistic_tag_map",)),
    Measure("F1 at 3", ("tag_f1_at_3",)),
    Measure("F1 at 3, by frequency", ("frequency_tag_f1_at_3",)),
    Measure("calibration error", ("tag_ece",)),
    Measure("bound on log p(x)", ("bound",), "nats"),
)
_OF_TAGS = "The source prints no number for tags. Draws are draws of the tagged images, of initialisation and of noise."


def _tag_rows(preset, alone):
    """Rows of a preset with tags.

    Args:
        preset: its name.
        alone: overrides by which it learns of images without a tag.
    """
    return (
        Entry("together, usage by energy", preset),
        Entry("together, usage by projection", preset, {"model.tags.usage": "projection"}),
        Entry("images alone", preset, {**_NO_TAGS, **alone}),
        Entry(
            "two-step, usage by energy", preset, {"model.freeze_image_model": True}, after="images alone"
        ),
        Entry(
            "two-step, usage by projection", preset,
            {"model.freeze_image_model": True, "model.tags.usage": "projection"}, after="images alone",
        ),
    )  # fmt: skip


_CLUSTERS = (
    Measure("of the class of their cluster", ("cluster_accuracy",)),
    Measure("mutual information", ("cluster_nmi",), "number"),
    Measure("clusters in use", ("clusters_in_use",), "number"),
    Measure("k-means on the same codes", ("kmeans_cluster_accuracy",)),
    Measure("its mutual information", ("kmeans_cluster_nmi",), "number"),
    Measure("Bayesian mixture on them", ("mixture_cluster_accuracy",)),
    Measure("its mutual information", ("mixture_cluster_nmi",), "number"),
    Measure("bound on log p(x)", ("bound",), "nats"),
)
_OF_CLUSTERS = (
    "Accuracy is at the best matching of one class to one cluster. The source shows clusters and prints no number."
)


def _cluster_rows(preset):
    return (
        Entry("at most 20 clusters", preset),
        Entry("at most 10", preset, {"model.clusters.most": 10}),
        Entry("at most 40", preset, {"model.clusters.most": 40}),
        Entry("at most 20, begun late", preset, {"model.clusters.begin_epochs": 20}),
    )


TABLES = {
    "dgdn-tags": Table(
        title="Nouns of the captions of 1,000 photographs of Flickr8k as tags",
        citation="Pu 2017, section 3.3.3",
        entries=_tag_rows("dgdn_tags_flickr8k", {"data.unlabelled_batch": 32}),
        measures=_TAGS,
        evaluation=NO_BOUND,
        notes=(_OF_TAGS,),
    ),
    "dgdn-tags-digits": Table(
        title="Tags of 256 of 1,197 digits: what can be said of their shapes and values",
        citation="Pu 2017, section 3.3.3, on data of our own",
        entries=(*_tag_rows("dgdn_tags_digits", {}), Entry("by Gibbs", "dgdn_gibbs_tags_digits")),
        measures=_TAGS,
        evaluation=NO_BOUND,
        notes=(_OF_TAGS,),
    ),
    "dgdn-clusters": Table(
        title="MNIST without a label: clusters of a DGDN",
        citation="Pu 2017, sections 3.3.4 and 3.5.5, figure 3.10",
        entries=(Entry("at most 20 clusters", "dgdn_clusters_mnist"),
                 Entry("at most 10", "dgdn_clusters_mnist", {"model.clusters.most": 10})),
        measures=_CLUSTERS,
        evaluation=NO_BOUND,
        notes=(_OF_CLUSTERS,),
    ),
    "dgdn-clusters-digits": Table(
        title="8×8 digits without a label: clusters of a DGDN",
        citation="Pu 2017, section 3.3.4, at the size of the data",
        entries=(
            *_cluster_rows("dgdn_clusters_digits"), Entry("by Gibbs", "dgdn_gibbs_clusters_digits"),
            Entry("by Gibbs, of usages", "dgdn_gibbs_clusters_digits", {"model.cluster_by": "usage"}),
        ),
        measures=_CLUSTERS,
        evaluation=NO_BOUND,
        notes=(_OF_CLUSTERS,),
    ),
}  # fmt: skip
