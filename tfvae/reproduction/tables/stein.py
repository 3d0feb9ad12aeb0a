"""Stein VAE: Pu 2017, chapter 4."""

from tfvae.reproduction.tables.table import Entry, Measure, Table

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

TABLES = {
    "stein-toy": _STEIN_TOY,
    "stein-factors": _STEIN_FACTORS,
    "stein-text": _STEIN_TEXT,
    "stein-particles": _STEIN_PARTICLES,
}
