"""DGDN: Pu et al. 2016."""

from tfvae.reproduction.tables.table import NO_BOUND, Entry, Measure, Table

_HUNDRED, _BARE = {"data.labels_per_class": 100}, {"model.label_weight": 0.0, "training.monitor": "bound"}

_DGDN_2 = Table(
    title="MNIST with 100 and 1,000 labels: DGDN",
    citation="Pu et al. 2016, tables 1 and 2",
    entries=(
        Entry("100 labels a class", "dgdn_mnist", _HUNDRED, source="0.63 ± 0.06 %"),
        Entry("10 labels a class", "dgdn_mnist", source="1.49 ± 0.36 %"),
        Entry("100, softmax", "dgdn_mnist", {**_HUNDRED, "model.head": "softmax"}),
        Entry("100, deterministic unpooling (VAE-d)", "dgdn_mnist", {**_HUNDRED, "model.unpooling": "deterministic"}),
        Entry("100, NVIL", "dgdn_mnist", {**_HUNDRED, "model.map_gradient": "nvil"}),
        Entry("100, ξ = 0 and TSVM on codes", "dgdn_mnist", {**_HUNDRED, **_BARE}, source="1.75 ± 0.14 %"),
        Entry("10, ξ = 0 and TSVM on codes", "dgdn_mnist", _BARE, source="5.83 ± 0.97 %"),
    ),
    measures=(
        Measure("test error", ("error", "tsvm_error")),
        Measure("averaged over 50 codes", ("error_s50",)),
        Measure("SVM on codes", ("svm_error",)),
        Measure("graph on codes", ("graph_error",)),
        Measure("graph on pixels", ("graph_pixels_error",)),
        Measure("each draw", ("error", "tsvm_error"), show="each"),
        Measure("bound on log p(x)", ("bound",), "nats"),
    ),
    evaluation={"num_samples": 50, **NO_BOUND},
    drawing="dictionaries",
    notes=(
        "Draws are draws of the labels. Rows without a name for it learn their maps by `local_expectation`, which is "
        "not the source's NVIL. The source prints no number of epochs.",
    ),
)

_NO_CAPTIONS = {
    "model.caption_weight": 0.0, "data.captioned_batch": 0, "data.unlabelled_batch": 32, "training.monitor": "bound",
}  # fmt: skip
_CAPTIONS = Table(
    title="Captions of 1,000 photographs of Flickr8k",
    citation="Pu et al. 2016, table 3",
    entries=(
        Entry("joint", "dgdn_flickr8k", source="15.24, 0.70/0.49/0.33/0.22"),
        Entry("images alone", "dgdn_flickr8k", _NO_CAPTIONS),
        Entry(
            "two-step", "dgdn_flickr8k", {"model.freeze_image_model": True}, after="images alone",
            source="15.82, 0.61/0.41/0.27/0.17",
        ),
        Entry("language model, no image", "dgdn_flickr8k", {"model.caption.blind": True}),
        Entry("joint, with q(s | Y)", "dgdn_flickr8k_images", {"training.monitor": "perplexity"}),
    ),
    measures=(
        Measure("perplexity", ("perplexity",), "number"),
        Measure("with another image's code", ("perplexity_shuffled",), "number"),
        Measure("image, nats a word", ("image_nats",), "number"),
        Measure("AUC of content words", ("word_auc",), "number"),
        *(Measure(f"BLEU-{n}", (f"bleu{n}",), "number") for n in range(1, 5)),
        Measure("BLEU-1, another image's", ("bleu1_shuffled",), "number"),
        Measure("CIDEr", ("cider",), "number"),
        Measure("caption → image, recall at 10", ("likelihood_caption_to_image_r10",)),
        Measure("image → caption, recall at 10", ("likelihood_image_to_caption_r10",)),
        Measure("caption → image by codes", ("caption_to_image_r10",)),
        Measure("image → caption by codes", ("image_to_caption_r10",)),
    ),
    evaluation={"num_samples": 50, "iw_samples": 0},
    drawing="captions",
    notes=(
        "The source column is perplexity and BLEU-1 to BLEU-4 on the whole of Flickr8k (6,000 training photographs of "
        "256×256, five layers); here are 762 training, 113 validation and 125 test photographs, shrunk to 64×64, three "
        "layers, and the words that occur five times in the training captions. So the columns cannot be compared; rows "
        "can. Captions are averaged over 50 codes and found by a beam search of 5.",
        "`images alone` is the run from which `two-step` takes its codes. What the image adds is log p(Y | x) − "
        "log (1/N) Σ p(Y | x_n), a word, on 100 test photographs; retrieval orders by it, and chance finds 10 % "
        "among the ten best (by codes: of 125, 8 %). Another image's code may do more harm than the right one does "
        "good.",
        "Images drawn for captions hold next to nothing after so short a training: they are shown as they are.",
    ),
)  # fmt: skip


def _inference(data, size=None, sampled=None, encoded=None, sourced=False):
    """One model on one set, learned in every way, with all labels and with none.

    Args:
        data: the end of the presets' names.
        size: of the presets; None for the budget's.
        sampled, encoded: what differs from the presets without a recognition model and with one.
        sourced: whether the source has these numbers.
    """
    unsupervised = {"model.label_weight": 0.0, "training.monitor": "bound"}
    ways = {
        "Gibbs": (f"dgdn_gibbs_{data}", sampled, "0.37 %", "0.52 %"),
        "BCDF": (f"dgdn_bcdf_{data}", sampled, "–", "–"),
        "MCEM": (f"dgdn_mcem_{data}", sampled, "0.45 %", "–"),
        "recognition model": (f"dgdn_{data}", encoded, "0.38 %", "–"),
        "VAE-d": (f"dgdn_{data}", {**(encoded or {}), **_DETERMINISTIC}, "0.42 %", "–"),
    }
    entries = []
    for name, (preset, overrides, of_labels, of_none) in ways.items():
        own, sources = overrides or {}, (of_labels, of_none) if sourced else ("–", "–")
        entries += [
            Entry(name, preset, own, size, sources[0]),
            Entry(f"{name}, unsupervised, SVM on codes", preset, {**own, **unsupervised}, size, sources[1]),
        ]
    after = "recognition model, unsupervised, SVM on codes"
    asked = {**(sampled or {}), **unsupervised, **_LEARNED_BEFORE}
    entries.append(Entry("its dictionary, codes by Gibbs", f"dgdn_gibbs_{data}", asked, size, after=after))
    return Table(
        title=f"{_SETS[data]}: one model, learned and inferred in every way",
        citation="Pu 2017, table 3.2; Pu et al. 2016, table 1",
        entries=tuple(entries),
        measures=(
            Measure("test error", ("error", "svm_error")),
            Measure("each draw", ("error", "svm_error"), show="each"),
            Measure("root mean square, gray levels", ("rmse",), "number"),
            Measure("bound on log p(x)", ("bound",), "nats"),
            Measure("two chains' codes, correlation", ("code_repeatability",), "number"),
            Measure("R-hat", ("code_rhat",), "number"),
            Measure("400 draws are worth", ("code_ess",), "number"),
            Measure("a code, ms an image", ("encode_ms",), "number"),
        ),
        evaluation=NO_BOUND,
        drawing="inference",
        notes=(
            "The training time of a chain is that of its sweeps, with the images given one by one as they are here, on "
            "all cores; a code is timed in batches of 100 images on the same machine, by the chain of "
            "`model.test_burn_in` and `model.test_kept` sweeps, label-free. R-hat is the median over units of the code "
            "and images.",
        ),
        timed=True,
    )


_SETS = {"mnist": "MNIST", "digits": "Digits of 8×8"}
_DETERMINISTIC = {"model.unpooling": "deterministic", "model.network.zero_blocks": False}
# As the recognition model has it: maps are equally probable.
_LEARNED_BEFORE = {
    "model.written": "given", "model.map_prior": "uniform", "training.epochs": 1, "training.steps_per_epoch": 1,
}  # fmt: skip
_AS_DIGITS = {
    "model.network.elements": (8, 16), "model.network.sizes": (3, 2), "model.network.zero_blocks": True,
    "data.labels_per_class": 0,
}  # fmt: skip

TABLES = {
    "dgdn-3": _CAPTIONS,
    "dgdn-2": _DGDN_2,
    "dgdn-inference": _inference("mnist", encoded={"data.labels_per_class": 0}, sourced=True),
    "dgdn-inference-digits": _inference("digits", "full", encoded=_AS_DIGITS),
}
