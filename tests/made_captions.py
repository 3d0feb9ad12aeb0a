"""Pictures that captions can be checked against: one coloured shape each, written as a set of COCO's format."""

import itertools
import json

import numpy as np
from PIL import Image

COLOURS = {
    "red": (220, 30, 30),
    "green": (30, 200, 30),
    "blue": (40, 60, 230),
    "yellow": (230, 220, 40),
    "white": (255,) * 3,
}
PLACES = {"top left": (1, 1), "top right": (1, 9), "bottom left": (9, 1), "bottom right": (9, 9), "middle": (5, 5)}
SHAPES = ("square", "cross")


def picture(colour, shape, place, side=16):
    """uint8 [side, side, 3], a shape of 6×6 on black."""
    image = np.zeros([side, side, 3], np.uint8)
    top, left = PLACES[place]
    rows, columns = slice(top, top + 6), slice(left, left + 6)
    if shape == "square":
        image[rows, columns] = COLOURS[colour]
    else:
        image[top + 2 : top + 4, columns] = image[rows, left + 2 : left + 4] = COLOURS[colour]
    return image


def caption(colour, shape, place, wording=0):
    """What may be said of it."""
    said = (f"A {colour} {shape} at the {place}.", f"At the {place}, a {shape} that is {colour}")
    return said[wording % len(said)]


def write_coco(folder, splits=("train", "val", "test"), wordings=1):
    """All 50 pictures under `images/`, in every split, with `captions_<split>2014.json`; returns the folder."""
    (folder / "annotations").mkdir(parents=True)
    for split in splits:
        (folder / f"{split}2014").mkdir()
        images, annotations = [], []
        for number, what in enumerate(itertools.product(COLOURS, SHAPES, PLACES)):
            name = f"{split}_{number:03}.png"
            Image.fromarray(picture(*what)).save(folder / f"{split}2014" / name)
            images.append({"id": number, "file_name": name})
            annotations += [{"image_id": number, "caption": caption(*what, w)} for w in range(wordings)]
        described = {"images": images, "annotations": annotations}
        (folder / "annotations" / f"captions_{split}2014.json").write_text(json.dumps(described))
    return folder
