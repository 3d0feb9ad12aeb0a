"""scikit-learn's digits with what can be said of each as tags: made up for tests and trials, on images of people."""

from tfvae.batch import TAGS
from tfvae.data.sources import digits

# Of the shape of a digit, and of its value; what is said of none is not so.
DIGITS_OF = {
    "loop": (0, 6, 8, 9), "straight": (1, 4, 7), "curve": (0, 2, 3, 5, 6, 8, 9), "open": (1, 2, 3, 4, 5, 7),
    "even": (0, 2, 4, 6, 8), "prime": (2, 3, 5, 7), "large": (5, 6, 7, 8, 9), "round": (0, 8),
}  # fmt: skip


def load(config):
    """The digits of `data.source=digits`, each with its tags: two to five of the eight of `DIGITS_OF`."""
    whole = digits.load(config)
    return whole._replace(train=_tagged(whole.train), test=_tagged(whole.test))


def _tagged(rows):
    said = [tuple(tag for tag, of in DIGITS_OF.items() if digit in of) for digit in rows.label]
    return rows.with_columns(**{TAGS: tuple(said)})
