"""What the model imagines: samples, reconstructions, analogies, its dictionaries."""

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


def draw(model, data, metrics, seed):
    """Every grid of `generation.pictures` with what to see in it."""
    del metrics
    note = " Colours are those after contrast normalisation." if _normalised(data) else ""
    drawn = []
    for name, grid in generation.pictures(model, data, seed).items():
        title, caption = _caption(name)
        picture = generation.png(grid, min_width=420)
        drawn.append(Panel(title, caption + note, picture, pixels=True, columns=columns(name, data.class_names)))
    return drawn


def columns(name, class_names):
    """What the columns of a grid are called; () where they have no names."""
    return {"analogies": ("original", *class_names), "class_samples": tuple(class_names)}.get(name, ())


def _normalised(data):
    """Whether pictures are of images whose contrast was normalised, which nothing undoes."""
    return data.transform.config.contrast != "none"


def _caption(name):
    """Title and caption of a grid."""
    if name.startswith("elements"):
        layer = name.removeprefix("elements")
        return (
            f"Dictionary, layer {layer}",
            "What each element adds to an image, gray for nothing (Pu 2017, figure 3.3).",
        )
    return _CAPTIONS[name]


PANELS = Panels("pictures", draw, rank=20)
