"""VAE and IWAE: Burda et al. 2016."""

from tfvae.reproduction.tables.table import Entry, Measure, Table

TABLES = {
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
