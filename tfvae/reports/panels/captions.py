"""Captions of held-out images, and images for their captions."""

from tfvae.reports import captions
from tfvae.reports.panel import Panel, Panels

_CAPTIONS = {
    "captions": ("Captions", "Held-out images: in bold what the model says, below it what a person said."),
    "images_from_captions": (
        "Images from captions",
        "Left what the model draws for a held-out caption, right the image that it was written for (Pu 2017, "
        "figure 3.11).",
    ),
}


def draw(model, data, metrics, seed):
    """Images with what the model and people say of them."""
    del metrics
    return [Panel(*_CAPTIONS[name], png) for name, png in captions.examples(model, data, seed=seed).items()]


PANELS = Panels("pictures", draw, rank=10)
