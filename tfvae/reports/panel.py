"""Pictures of a report are plug-ins: a file of `tfvae.reports.panels` that ends with its `PANELS`."""

from collections.abc import Callable
from typing import NamedTuple

from tfvae.data.load import Data
from tfvae.evaluation import listing
from tfvae.evaluation.batched import subset
from tfvae.models.base import GenerativeModel
from tfvae.reports import panels

_ROWS = 2000


class Panel(NamedTuple):
    """title, caption: words; image: PNG bytes; pixels: whether it is a picture made of large pixels; columns: names of
    what stands in columns of equal width, the first one first.
    """

    title: str
    caption: str
    image: bytes
    pixels: bool = False
    columns: tuple[str, ...] = ()


class Panels(NamedTuple):
    """Pictures in one section of the report.

    section: `pictures` (what the model imagines), `predictions` (how far to trust them) or `inside` (its codes).
    draw:    (model, data, metrics, seed) -> list of `Panel`, [] where there is nothing to show.
    rank:    the lowest stand first in their section.
    """

    section: str
    draw: Callable[[GenerativeModel, Data, dict, int], list[Panel]]
    rank: int = 100


def drawn(model, data, metrics, seed=0):
    """Section -> its `Panel`s, as far as the model, its data and what was measured allow.

    Raises:
        ValueError: if a file names a section that the report does not have.
    """
    found = {"pictures": [], "predictions": [], "inside": []}
    for name, each in sorted(listing.by_file(panels, "PANELS").items(), key=lambda item: item[1].rank):
        if each.section not in found:
            raise ValueError(f"The section of the panels {name!r} must be one of {list(found)}, got {each.section!r}.")
        found[each.section] += each.draw(model, data, metrics, seed)
    return found


def some_rows(data, seed):
    """Held-out rows to draw from, at most 2,000: test rows, or validation rows where there are none."""
    return subset(data.test if len(data.test) else data.validation, _ROWS, seed)
