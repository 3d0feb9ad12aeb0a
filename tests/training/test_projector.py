"""Sprites and metadata of the projector."""

import numpy as np
import pytest

from tfvae.data.examples import Examples
from tfvae.training import projector


def test_sprites_stand_in_reading_order():
    image = np.arange(12, dtype=np.uint8).reshape(3, 2, 2, 1)
    sheet, height, width = projector.sprites(image)
    assert sheet[..., 0].tolist() == [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 0, 0], [10, 11, 0, 0]]
    assert (height, width) == (2, 2)


@pytest.mark.parametrize("shape", [(3, 5, 1), (6, 4, 3), (4, 4, 2), (30, 20, 3), (20, 30, 1)])
def test_sprites_of_every_shape_fit_on_a_sheet_that_a_browser_draws(monkeypatch, rng, shape):
    monkeypatch.setattr(projector, "_SHEET", 32)
    image = rng.integers(0, 256, (7, *shape), np.uint8)
    sheet, height, width = projector.sprites(image)
    assert sheet.dtype == np.uint8 and sheet.shape[-1] in (1, 3)
    assert sheet.shape[:2] == (3 * height, 3 * width) and max(sheet.shape) <= 32
    first = sheet[:height, :width].astype(float)
    assert first.mean() == pytest.approx(image[0].mean(), abs=3.0)


def test_a_name_of_a_class_cannot_break_the_table():
    rows = Examples(np.zeros((4, 2, 2, 1), np.uint8), np.array([0, 1, 2, -1]))
    table = projector.metadata(rows, ["labelled", "test", "test", "unlabelled"], ("a\tb", "c\nd", "Grüße, <x>"))
    assert table.splitlines() == [
        "class\tpart", "a b\tlabelled", "c d\ttest", "Grüße, <x>\ttest", "?\tunlabelled",
    ]  # fmt: skip
