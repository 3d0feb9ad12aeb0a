"""Multimodal variational auto-encoders: Shah 2017."""

from tfvae.reproduction.tables.table import Entry, Measure, Table

_EVALUATION = {"iw_samples": 100, "rows_limit": 1000}
_CODE = (
    Measure("loss of log p(x) with another image's code", ("code_gain",), "nats"),
    Measure("active units", ("active_units",), "number"),
)
_KIND = "model.network.kind"
_MNIST = Table(
    title="Binarised MNIST alone: dense, convolutional and autoregressive networks",
    citation="Shah 2017, table 7.1",
    entries=(
        Entry("VAE", "multimodal_mnist", {_KIND: "dense"}, source="≥ −90"),
        Entry("CNN-VAE", "multimodal_mnist", {_KIND: "convolutional"}, source="≥ −87"),
        Entry("AR-CNN-VAE", "multimodal_mnist", {_KIND: "autoregressive"}, source="≥ −82"),
        Entry("AR-CNN-VAE, no free bits", "multimodal_mnist", {_KIND: "autoregressive", "model.free_bits": 0.0}),
    ),
    measures=(
        Measure("importance-weighted bound", ("iw_bound",), "nats"),
        Measure("one-draw bound", ("bound",), "nats"),
        *_CODE,
    ),
    evaluation=_EVALUATION,
    notes=(
        "Images are binarised by a draw of every pixel; the source does not say how. Its bounds are one-draw bounds. A "
        "decoder that ignores its code is seen by the last columns.",
    ),
)
_TRANSLATION = {"model.objective": "translation"}
_PAIRS_ALONE = {"data.unlabelled_batch": 0, "data.batches": {"paired": 64}}
_HALVES = Table(
    title="Top and bottom halves of MNIST: how far few pairs go",
    citation="Shah 2017, section 7.3",
    entries=(
        Entry("1,000 pairs", "multimodal_halves", source="≥ −95"),
        Entry("100 pairs", "multimodal_halves", {"data.num_paired": 100}),
        Entry("10 pairs", "multimodal_halves", {"data.num_paired": 10}),
        Entry("all pairs", "multimodal_halves", {"data.num_paired": 0, "data.labelled_stay_unlabelled": True}),
        Entry("1,000 pairs, translation objective", "multimodal_halves", _TRANSLATION),
        Entry("1,000 pairs and nothing else, translation", "multimodal_halves", {**_TRANSLATION, **_PAIRS_ALONE}),
        Entry("1,000 pairs, product of experts", "multimodal_halves", {"model.joint": "product"}),
    ),
    measures=(
        Measure("joint bound, one draw", ("joint_bound",), "nats"),
        Measure("joint bound, importance-weighted", ("joint_iw_bound",), "nats"),
        Measure("log p(bottom | top)", ("conditional_log_prob",), "nats"),
        Measure("coherence", ("coherence",)),
        *_CODE[:1],
    ),
    evaluation=_EVALUATION,
    drawing="translations",
    notes=(
        "Pairs are drawn by the seed of labels. Every other digit gives one of its halves. Coherence: a classifier of "
        "true bottom halves gives a bottom half that was made of a top half the top half's class.",
    ),
)
_COLOURED = Table(
    title="Coloured digits and their edges: one code behind both",
    citation="Shah 2017, table 7.2 and sections 7.4.1 to 7.4.4",
    entries=(
        Entry("CNN-VAE", "multimodal_coloured", source="92.21 / 91.67 %"),
        Entry("translation objective", "multimodal_coloured", _TRANSLATION),
        Entry("translation objective, pairs alone", "multimodal_coloured", {**_TRANSLATION, **_PAIRS_ALONE}),
        Entry("AR-CNN-VAE", "multimodal_coloured", {_KIND: "autoregressive"}),
        Entry("digits 8 and 9 unseen", "multimodal_coloured", {"data.unseen_classes": (8, 9)}),
    ),
    measures=(
        Measure("digits → edges", ("cross_modal_accuracy",)),
        Measure("edges → digits", ("cross_modal_accuracy_reverse",)),
        Measure("the same of drawn codes", ("cross_modal_accuracy_sampled",)),
        Measure("reverse, drawn", ("cross_modal_accuracy_reverse_sampled",)),
        Measure("pixels, digits → edges", ("pixels_cross_modal_accuracy",)),
        Measure("pixels, edges → digits", ("pixels_cross_modal_accuracy_reverse",)),
        Measure("coherence", ("coherence",)),
        Measure("joint bound", ("joint_bound",), "nats"),
    ),
    evaluation=_EVALUATION,
    drawing="translations",
    notes=(
        "The source's number is from posterior means; drawn codes give 88.5 and 80.4 %, raw pixels 45.82 and 57.63 %. "
        "Classifiers learn of the labels of at most 10,000 training digits.",
    ),
)
TABLES = {"multimodal-mnist": _MNIST, "multimodal-halves": _HALVES, "multimodal-coloured": _COLOURED}
