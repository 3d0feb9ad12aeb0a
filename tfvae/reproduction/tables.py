"""The tables and figures of the sources as data: which presets, beside which numbers."""

import dataclasses
from collections.abc import Mapping

BUDGETS = ("tiny", "small", "full")


@dataclasses.dataclass(frozen=True)
class Entry:
    """One row of a table: a preset, trained on every draw.

    Args:
        name: of the row.
        preset: a file of `tfvae/configs`.
        overrides: dotted fields of the experiment -> values, e.g. {"training.epochs": 100}.
        size: of the preset, for a preset that is the same at every budget; None for the budget's.
        source: the source's own number as it prints it; "–" where it prints none.
        evaluation: arguments of `tfvae.evaluation.evaluate.evaluate` that differ from the table's.
        after: name of the row above whose run this one starts from (two-step training); empty for none.
    """

    name: str
    preset: str
    overrides: Mapping = dataclasses.field(default_factory=dict)
    size: str | None = None
    source: str = "–"
    evaluation: Mapping = dataclasses.field(default_factory=dict)
    after: str = ""


@dataclasses.dataclass(frozen=True)
class Measure:
    """One measured column.

    Args:
        title: of the column.
        keys: of the test metrics; the first that a run has is taken (M1+TSVM has `tsvm_error`, the others `error`).
        unit: `percent` (of a fraction), `nats`, or `number`.
        show: `spread` (mean ± standard deviation over draws), `each` draw, or the `best` draw by validation.
        sign: −1 to show a bound as a negative log-likelihood.
    """

    title: str
    keys: tuple[str, ...]
    unit: str = "percent"
    show: str = "spread"
    sign: int = 1


@dataclasses.dataclass(frozen=True)
class Table:
    """A table or figure of a source.

    Args:
        title: what it shows.
        citation: where it stands in the source.
        entries: its rows.
        measures: its measured columns.
        evaluation: arguments of `evaluate` on the test rows.
        drawing: name of its function in `tfvae.reproduction.drawings`, or "".
        notes: sentences below it, `{fact}` filled in from `facts`.
        facts: name of its function in `tfvae.reproduction.facts`, or "".
        prepare: name of its function in `tfvae.reproduction.preparations`, which makes what the runs need first, or "".
    """

    title: str
    citation: str
    entries: tuple[Entry, ...]
    measures: tuple[Measure, ...]
    evaluation: Mapping = dataclasses.field(default_factory=dict)
    drawing: str = ""
    notes: tuple[str, ...] = ()
    facts: str = ""
    prepare: str = ""


_ADGM_1 = (
    Entry("ADGM", "adgm_mnist", source="0.96 ± 0.02 %"),
    Entry("SDGM", "sdgm_mnist", source="1.32 ± 0.07 %"),
    Entry("M2", "m2_mnist"),
    Entry("ADGM, deterministic a", "adgm_deterministic_mnist"),
)
_M1_OF_KINGMA = {"model.network.hidden": (600, 600), "model.network.activation": "softplus"}
_NO_BOUND = {"iw_samples": 0, "rows_limit": 1000}

_MOONS = Table(
    title="Two half-moons with 6 labels",
    citation="Maaløe et al. 2016, section 4.2, figures 2c and 2d",
    entries=(
        Entry("ADGM, 10 epochs", "adgm_moons", {"training.epochs": 10}, size="full", source="close to 0 %"),
        Entry("M2, 10 epochs", "m2_moons", {"training.epochs": 10}, size="full"),
        Entry("M2, 100 epochs", "m2_moons", {"training.epochs": 100}, size="full", source="needs more than 100 epochs"),
        Entry("ADGM, 6 random labels", "adgm_moons", {"training.epochs": 10, "data.name": ""}, size="full"),
        Entry("ADGM, noise 0.2", "adgm_moons", {"training.epochs": 10, "data.points_noise": 0.2}, size="full"),
    ),
    measures=(
        Measure("test error", ("error",)),
        Measure("each draw", ("error",), show="each"),
        Measure("validation error", ("validation_error",)),
    ),
    evaluation=_NO_BOUND,
    drawing="moons",
    facts="moons",
    notes=(
        "No classifier can err less than {least_error_percent:.2f} % on moons with the noise of {noise} used here. The "
        "source does not print its noise; with the 0.2 of the authors' code the least is "
        "{least_error_of_code_percent:.1f} %. Errors are those of the epoch with the lowest validation error.",
        "The six labels are the fixed points of the authors' code, so draws differ in initialisation and noise; the "
        "row of random labels has three other ones a class in each draw. The figures show draw 0.",
    ),
)

_POTENTIALS = Table(
    title="2D potentials: the bound on log Z",
    citation="Maaløe et al. 2016, section 4.1, figures 2a and 2b",
    entries=tuple(Entry(name.upper(), "auxiliary_vae_potential", size=name) for name in ("u1", "u2", "u3", "u4")),
    measures=(
        Measure("log Z by quadrature", ("log_normaliser",), "nats", "best"),
        Measure("bound, best restart", ("bound",), "nats", "best"),
        Measure("short of log Z", ("shortfall",), "nats", "best"),
        Measure("bound, each restart", ("bound",), "nats", "each"),
        Measure("mass found, best restart", ("mass_found",), "percent", "best"),
        Measure("mass found, each restart", ("mass_found",), "percent", "each"),
    ),
    evaluation={"iw_samples": 1000, "rows_limit": 0},
    drawing="potentials",
    notes=(
        "`mass found` is exp(importance-weighted bound − log Z): near 50 % where one of two equal modes was found. "
        "The best restart is the one with the highest bound on validation draws; the figures show it.",
        "U3 stays furthest from log Z: its ring between z1 = 0 and 2 gets about a third of the draws that it should "
        "have, and importance weights make up for that, so `mass found` does not show it. A restart of U4 that finds "
        "85 % has next to no draws on the lower branch.",
    ),
)

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
        Measure("each draw", ("error", "tsvm_error"), show="each"),
        Measure("bound on log p(x)", ("bound",), "nats"),
    ),
    evaluation={"num_samples": 50, **_NO_BOUND},
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
        Entry("joint, with q(s | Y)", "dgdn_flickr8k_images", {"training.monitor": "perplexity"}),
    ),
    measures=(
        Measure("perplexity", ("perplexity",), "number"),
        Measure("with another image's code", ("perplexity_shuffled",), "number"),
        *(Measure(f"BLEU-{n}", (f"bleu{n}",), "number") for n in range(1, 5)),
        Measure("BLEU-1, another image's", ("bleu1_shuffled",), "number"),
        Measure("CIDEr", ("cider",), "number"),
        Measure("caption → image, recall at 10", ("caption_to_image_r10",)),
        Measure("image → caption, recall at 10", ("image_to_caption_r10",)),
    ),
    evaluation={"num_samples": 50, "iw_samples": 0},
    drawing="captions",
    notes=(
        "The source column is perplexity and BLEU-1 to BLEU-4 on the whole of Flickr8k (6,000 training photographs of "
        "256×256, five layers); here are 762 training, 113 validation and 125 test photographs, shrunk to 64×64, three "
        "layers, and the words that occur five times in the training captions. So the columns cannot be compared; rows "
        "can. Captions are averaged over 50 codes and found by a beam search of 5.",
        "`images alone` is the run from which `two-step` takes its codes. A row looks at the image as far as its "
        "numbers get worse with another image's code.",
        "Images drawn for captions hold next to nothing after so short a training: they are shown as they are. Chance "
        "finds 8 % among the ten best of 125.",
    ),
)  # fmt: skip

_POSTERIOR = (
    Measure("distance from the posterior", ("posterior_distance",)),
    Measure("of its own draws", ("posterior_distance_floor",)),
    Measure("σ / the posterior's, median", ("posterior_sd_ratio",), "number"),
)
_STEIN_TOY = Table(
    title="A posterior of two modes",
    citation="Pu 2017, section 4.5.1, figure 4.1",
    entries=(
        Entry("VAE, σ = 5", "vae_toy", size="wide"),
        Entry("Stein VAE, σ = 5", "stein_vae_toy", size="wide"),
        Entry("VAE, σ = 0.1", "vae_toy", size="full"),
        Entry("Stein VAE, σ = 0.1", "stein_vae_toy", size="full"),
    ),
    measures=(*_POSTERIOR[:2], Measure("each draw", ("posterior_distance",), show="each")),
    evaluation={"iw_samples": 0},
    drawing="toy",
    notes=(
        "Decoder and prior are known, the encoder alone is learned. The distance is the total variation between "
        "histograms (12 × 12 cells, of equal mass on either axis) of 20,000 draws of the exact posterior and of "
        "q(z | x), the mean over the 10 test points; next to it stands that between two halves of the posterior's own "
        "draws.",
        "With the σ = 0.1 that the source prints, x tells z to a few hundredths and which Gaussian it came from: the "
        "posterior has one mode, long and narrow and aslant, to which a diagonal Gaussian is round. With σ = 5 both "
        "Gaussians stay possible for an x between them, as the source's figure shows it.",
    ),
)
_STEIN_FACTORS = Table(
    title="20 Newsgroups: factor scores of Poisson factor analysis",
    citation="Pu 2017, section 4.5.1, figure 4.2",
    entries=(Entry("VAE", "vae_factors"), Entry("Stein VAE", "stein_vae_factors")),
    measures=(*_POSTERIOR, Measure("bound on log p(x)", ("bound",), "nats")),
    evaluation={"iw_samples": 0, "rows_limit": 1000},
    drawing="factors",
    prepare="gibbs_topics",
    notes=(
        "Topics come from a Gibbs sampler on the training documents and stay as they are; encoders alone are learned. "
        "The posterior is a Gibbs chain again, every tenth of its sweeps after 2,000, for 10 test documents; the "
        "distance is that of marginal histograms, the mean over documents and topics.",
    ),
)
_STEIN_TEXT = Table(
    title="20 Newsgroups: perplexity of a deep Poisson network",
    citation="Pu 2017, section 4.5.2, table 4.2",
    entries=(
        Entry("VAE", "vae_newsgroups"),
        Entry("Stein VAE", "stein_vae_newsgroups", source="849 (ELBO), 845 (S-ELBO)"),
        Entry(
            "Stein VIWAE",
            "stein_vae_newsgroups",
            {"model.inference": "stein_importance"},
            source="837 (ELBO), 829 (S-ELBO)",
        ),
    ),
    measures=(
        Measure("perplexity, S-ELBO", ("word_perplexity",), "number"),
        Measure("perplexity, ELBO", ("word_perplexity_elbo",), "number"),
        Measure("by words", ("word_perplexity_corpus",), "number"),
        Measure("−log p(x), S-ELBO", ("iw_bound",), "nats", sign=-1),
    ),
    evaluation={"iw_samples": 5000, "rows_limit": 100},
    notes=(
        "On a seeded random 100 test documents, 5,000 draws each for the S-ELBO and one for the ELBO. Ours has 2,000 "
        "words as the source's, but its own preprocessing and split of 11,671 and 7,780 posts, so the columns cannot "
        "be compared; rows can. The document's length is part of what is explained.",
    ),
)
_FEW = {"model.latent_dim": 12, "model.num_samples": 20, "training.epochs": 1}
_STEIN_PARTICLES = Table(
    title="MNIST: particles of the decoder's parameters",
    citation="Pu 2017, figure 4.3",
    entries=tuple(
        Entry(
            f"{num} particle{'s' if num > 1 else ''}", "stein_vae_mnist",
            {**_FEW, "model.parameter_particles": num},
        )
        for num in (1, 2, 5, 10)
    ),
    measures=(
        Measure("−log p(x), 500 draws", ("iw_bound",), "nats", sign=-1),
        Measure("−log p(x), 1 draw", ("bound",), "nats", sign=-1),
        Measure("evaluation, s", ("bound_seconds",), "number"),
    ),
    evaluation={"iw_samples": 500, "rows_limit": 200},
    drawing="particles",
    notes=(
        "Twenty particles of every code of 12 units, where the source has 100 of 50. The S-ELBO averages the "
        "particles' probabilities. `evaluation` is the time of both bounds of 200 test images, compilation included; "
        "training is one epoch at every budget.",
    ),
)  # fmt: skip

_NEITHER = {"model.kl_weight": 0.0, "model.negativity_weight": 0.0}
_SUPERVISED = {**_NEITHER, "model.reconstruction_weight": 0.0, "data.unlabelled_batch": 0, "data.labelled_batch": 100}
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
    evaluation=_NO_BOUND,
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
    evaluation=_NO_BOUND,
    drawing="convergence",
    notes=(
        "Our own objects, made of primitives, so the columns cannot be compared; rows can. The source has 4,000 and "
        "50,000 labels.",
    ),
)
_DRMM_DECODING = Table(
    title="Rendered objects: what the layers know of slant, tilt, place and depth",
    citation="Nguyen et al. 2016, section 5.4, figure 4",
    entries=_RENDERED,
    measures=(Measure("test error", ("error",)),),
    evaluation=_NO_BOUND,
    drawing="decoding",
)

TABLES = {
    "drmm-1": _DRMM_1,
    "drmm-5": _DRMM_5,
    "drmm-decoding": _DRMM_DECODING,
    "stein-toy": _STEIN_TOY,
    "stein-factors": _STEIN_FACTORS,
    "stein-text": _STEIN_TEXT,
    "stein-particles": _STEIN_PARTICLES,
    "dgdn-3": _CAPTIONS,
    "dgdn-2": _DGDN_2,
    "adgm-moons": _MOONS,
    "adgm-potentials": _POTENTIALS,
    "adgm-1": Table(
        title="MNIST with 100 labels",
        citation="Maaløe et al. 2016, table 1",
        entries=(
            *_ADGM_1,
            Entry("M1+M2", "m1m2_mnist", source="3.33 ± 0.14 %"),
            Entry("M1+TSVM", "vae_mnist", _M1_OF_KINGMA, source="11.82 ± 0.25 %", evaluation={"num_samples": 1}),
        ),
        measures=(
            Measure("test error", ("error", "tsvm_error")),
            Measure("averaged over 100 draws of a", ("error_s100",)),
            Measure("each draw", ("error", "tsvm_error"), show="each"),
        ),
        evaluation={"num_samples": 100, **_NO_BOUND},
        notes=("Draws are draws of the 100 labels. The epoch is chosen by 1,000 validation rows, never by test rows.",),
    ),
    "adgm-5": Table(
        title="MNIST with 100 labels: error against epochs",
        citation="Maaløe et al. 2016, figure 5",
        entries=_ADGM_1,
        measures=(Measure("test error", ("error",)), Measure("each draw", ("error",), show="each")),
        evaluation={"num_samples": 100, **_NO_BOUND},
        drawing="convergence",
        notes=("The curves are errors on 1,000 validation rows, the mean over draws of the labels.",),
    ),
    "iwae": Table(
        title="MNIST: bound on −log p(x)",
        citation="Burda et al. 2016, table 1, one stochastic layer",
        entries=(
            Entry("VAE", "vae_mnist", source="89.8"),
            Entry("IWAE, k = 50", "iwae_mnist", source="86.8"),
        ),
        measures=(
            Measure("−log p(x), 5,000 draws", ("iw_bound",), "nats", sign=-1),
            Measure("−log p(x), 1 draw", ("bound",), "nats", sign=-1),
        ),
        evaluation={"iw_samples": 5000, "rows_limit": 1000},
        notes=(
            "On a seeded random 1,000 of the 10,000 test rows, each binarised once by a seeded Bernoulli draw of its "
            "intensities; training binarises anew at every look. The source column is pythae's reproductions, made on "
            "the fixed binarisation of MNIST, which is a harder set; their VAE is that of Rezende & Mohamed 2015 with "
            "200 draws, and only their IWAE (5,000 draws) has our network.",
        ),
    ),
}
