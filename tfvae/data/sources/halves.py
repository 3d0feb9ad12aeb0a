"""Top and bottom halves of digits as two modalities  (Shah, section 7.3)."""

from tfvae.data.examples import Examples
from tfvae.data.sources import digits, tfds


def load(config):
    """Every digit as `image`, its top half, and `image_bottom`; `data.name` is a set of TFDS such as `mnist`, or empty
    for scikit-learn's digits. `data.num_paired` says how many training digits keep both halves.
    """
    whole = whole_digits(config)
    return whole._replace(train=_halves(whole.train), test=_halves(whole.test))


def whole_digits(config):
    """The `Source` of the digits that `data.name` means."""
    return tfds.load(config) if config.name else digits.load(config)


def _halves(rows):
    middle = rows.image.shape[1] // 2
    return Examples(rows.image[:, :middle], rows.label, image_bottom=rows.image[:, middle:])
