"""Translations between images of one example, and joint samples."""

from tfvae.reports import generation, translations
from tfvae.reports.panel import Panel, Panels


def draw(model, data, metrics, seed):
    """Every grid of `translations.pictures` with what to see in it."""
    del metrics
    return [
        Panel(*_said(name), generation.png(grid, min_width=420), pixels=True)
        for name, grid in translations.pictures(model, data, seed).items()
    ]


def _said(name):
    """Title and caption of a grid."""
    if name == "joint_samples":
        return "Joint samples", "Invented: each column is one random code, an image of every modality below each other."
    source, target = name.partition("translations_")[2].split("_to_")
    unseen = name.startswith("unseen_")
    title = f"From {source} to {target}" + (", classes that were never trained on" if unseen else "")
    return title, (
        f"From top to bottom: held-out originals (`{source}`), their true partners (`{target}`), the translation by "
        "the mean code, and four by codes drawn from q(z | original): where these differ, the original leaves it open."
    )


PANELS = Panels("pictures", draw, rank=15)
