"""Rows have the names of what they are."""

import numpy as np
import pytest

from tfvae.evaluation import nouns


@pytest.mark.parametrize(
    ("shape", "words", "expected"),
    [
        ((8, 8, 1), (), "image"), ((4, 6, 3), (), "image"), ((96, 96, 2), (), "image"), ((2,), (), "point"),
        ((30,), ("a", "b"), "document"), ((0,), (), "row"), ((5,), (), "row"),
    ],
)  # fmt: skip
def test_every_kind_of_rows_has_its_noun(plain_data, shape, words, expected):
    data = plain_data(np.zeros((3, *shape)))
    data.words = words
    assert nouns.noun(data) == expected and nouns.plural(data) == f"{expected}s"
    assert nouns.counted(1, data, "test") == f"1 test {expected}"
    assert nouns.counted(1200, data) == f"1,200 {expected}s"
