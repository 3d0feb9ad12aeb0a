"""What the model imagines: samples, reconstructions, analogies, its dictionaries."""

from tfvae.capabilities import Capability
from tfvae.reports import generation
from tfvae.reports.panel import Panel, Panels

_CAPTIONS = {
    "samples": ("Samples", "Invented: each starts from a random code, drawn from the prior."),
    "reconstructions": ("Reconstructions", "Held-out originals, each above what is left of it after its code."),
    "analogies": (
        "Analogies",
        "Left a held-out image, then its style in every class: where style and class are apart, a line keeps all that "
        "is not the class, such as colours, position and background (Maaløe et al. 2016, figure 3a).",
    ),
    "completions": (
        "Completions",
        "Held-out originals, their left half, and the whole that the model makes of it.",
    ),
    "class_samples": ("Samples of every class", "A line shares its random style, a column its class (figure 3b)."),
}


# Of a model that renders classes and has no code.
_RENDERED = {
    "samples": (
        "Samples",
        "Invented: a random class, rendered with every switch and position drawn by itself, as often as it was seen. "
        "In real images they depend on each other, so these are poor pictures of what the model knows.",
    ),
    "reconstructions": (
        "Reconstructions",
        "Held-out originals, each above its most probable class rendered with the switches and positions found in it.",
    ),
    "analogies": (
        "As every class",
        "Left a held-out image, then every class rendered with the switches and positions found in that image.",
    ),
    "class_samples": (
        "Samples of every class",
        "A line shares its draw of switches and positions, a column its class.",
    ),
}


def draw(model, data, metrics, seed):
    """Every grid of `generation.pictures` with what to see in it."""
    del metrics
    note = " Colours are those after contrast normalisation." if _normalised(data) else ""
    drawn = []
    for name, grid in generation.pictures(model, data, seed).items():
        title, caption = _caption(name, model)
        picture = generation.png(grid, min_width=420)
        drawn.append(Panel(title, caption + note, picture, pixels=True, columns=columns(name, data.class_names)))
    return drawn


def columns(name, class_names):
    """What the columns of a grid are called; () where they have no names."""
    return {"analogies": ("original", *class_names), "class_samples": tuple(class_names)}.get(name, ())


def _normalised(data):
    """Whether pictures are of images whose contrast was normalised, which nothing undoes."""
    return data.transform.config.contrast != "none"


def _caption(name, model):
    """Title and caption of a grid."""
    if model.can(Capability.RENDER) and name in _RENDERED:
        return _RENDERED[name]
    if name.startswith("elements"):
        layer = name.removeprefix("elements")
        return (
            f"Dictionary, layer {layer}",
            "What each element adds to an image, gray for nothing (Pu 2017, figure 3.3).",
        )
    return _CAPTIONS[name]


PANELS = Panels("pictures", draw, rank=20)
