"""scikit-learn's 1,797 real handwritten digits, 8×8, which come with the library: no network, no files."""

import numpy as np
from sklearn import datasets, model_selection

from tfvae.data.examples import Examples, Source

_NUM_TEST = 500


def load(config):
    """1,297 training and 500 test rows of UCI's Optical Recognition of Handwritten Digits; the split is fixed."""
    del config  # Nothing of it can be chosen.
    digits = datasets.load_digits()
    image = np.round(digits.images * (255.0 / 16.0)).astype(np.uint8)[..., None]
    label = digits.target.astype(np.int64)
    train, test = model_selection.train_test_split(
        np.arange(len(label)), test_size=_NUM_TEST, stratify=label, random_state=0
    )
    rows = Examples(image, label)
    return Source(rows.take(train), rows.take(test), tuple(str(digit) for digit in range(10)))
