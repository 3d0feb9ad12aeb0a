"""The tables and figures of the sources as data: which presets, beside which numbers; a module a family."""

from tfvae.reproduction.tables import asvae, class_conditional, dgdn, drmm, multimodal, stein, tags_and_clusters, vae
from tfvae.reproduction.tables.table import BUDGETS, Entry, Measure, Table

__all__ = ["BUDGETS", "TABLES", "Entry", "Measure", "Table"]

TABLES = {
    **drmm.TABLES,
    **stein.TABLES,
    **dgdn.TABLES,
    **tags_and_clusters.TABLES,
    **class_conditional.TABLES,
    **vae.TABLES,
    **multimodal.TABLES,
    **asvae.TABLES,
}
