"""Deep rendering mixture models: Nguyen et al. 2016."""

from tfvae.reproduction.tables.table import NO_BOUND, Entry, Measure, Table

_NEITHER = {"model.kl_weight": 0.0, "model.negativity_weight": 0.0}
_SUPERVISED = {
    **_NEITHER, "model.reconstruction_weight": 0.0, "data.unlabelled_batch": 0, "data.labelled_batch": 100,
    "training.steps_per_epoch": 200,  # A pass over few labels is a handful of steps.
}  # fmt: skip
_FIVE, _MANY = {"data.labels_per_class": 5}, {"data.labels_per_class": 100}
_DRMM_1 = Table(
    title="MNIST with 50, 100 and 1,000 labels: what the penalties of a DRMM are worth",
    citation="Nguyen et al. 2016, tables 1 and 2",
    entries=(
        Entry("100 labels, both penalties", "drmm_mnist", source="0.57 %"),
        Entry("100, KL alone", "drmm_mnist", {"model.negativity_weight": 0.0}, source="1.36 %"),
        Entry("100, NN alone", "drmm_mnist", {"model.kl_weight": 0.0}, source="12.28 %"),
        Entry("100, neither", "drmm_mnist", _NEITHER, source="13.41 %"),
        Entry("100, both, KL as printed", "drmm_mnist", {"model.kl_sign": "printed"}),
        Entry("50, both", "drmm_mnist", _FIVE, source="0.91 %"),
        Entry("1,000, both", "drmm_mnist", _MANY, source="0.6 %"),
    ),
    measures=(
        Measure("test error", ("error",)),
        Measure("each draw", ("error",), show="each"),
        Measure("validation error", ("validation_error",)),
    ),
    evaluation=NO_BOUND,
    drawing="convergence",
    notes=(
        "Draws are draws of the labels. The epoch is chosen by 1,000 validation rows, never by test rows. Squared "
        "errors and negative parts are means where the source prints sums, with which its own rate diverges.",
    ),
)
_RENDERED = (
    Entry("ConvLarge, supervised, a tenth of the labels", "drmm_rendered", _SUPERVISED, source="23.44 %"),
    Entry("DRMM, a tenth of the labels", "drmm_rendered", source="6.48 %"),
    Entry(
        "ConvLarge, supervised, all labels", "drmm_rendered", {**_SUPERVISED, "data.labels_per_class": 0},
        source="2.63 %",
    ),
    Entry("DRMM, all labels", "drmm_rendered", {"data.labels_per_class": 0}, source="2.22 %"),
)  # fmt: skip
_DRMM_5 = Table(
    title="Rendered objects: a DRMM beside the supervised network of its shape",
    citation="Nguyen et al. 2016, table 5",
    entries=_RENDERED,
    measures=(Measure("test error", ("error",)), Measure("each draw", ("error",), show="each")),
    evaluation=NO_BOUND,
    drawing="convergence",
    notes=(
        "Our own objects, made of primitives, so the columns cannot be compared; rows can. The source has 4,000 and "
        "50,000 labels. A supervised row takes 200 steps an epoch, as the DRMM does of 10,000 images.",
    ),
)
_DRMM_DECODING = Table(
    title="Rendered objects: what the layers know of slant, tilt, place and depth",
    citation="Nguyen et al. 2016, section 5.4, figure 4",
    entries=_RENDERED,
    measures=(Measure("test error", ("error",)),),
    evaluation=NO_BOUND,
    drawing="decoding",
)

TABLES = {
    "drmm-1": _DRMM_1,
    "drmm-5": _DRMM_5,
    "drmm-decoding": _DRMM_DECODING,
}
