"""What stands in front of the camera: a class, its pose, its parts and the light, a function of (seed, number)."""

from typing import NamedTuple

import numpy as np

from tfvae.data.rendered import objects
from tfvae.data.rendered.objects import CLASS_NAMES, Primitive

# Factor -> (lowest, highest), drawn evenly between them: what Nguyen et al. 2016, section 5.4, decode from layers.
# slant: degrees about the object's upright axis; tilt: degrees towards the camera and away from it.
# x, y: of the object in the picture, in units of its own; depth: further away from the camera, in the same units.
FACTORS = {"depth": (-1.2, 1.2), "slant": (-75.0, 75.0), "tilt": (-30.0, 30.0), "x": (-0.6, 0.6), "y": (-0.6, 0.6)}


class Scene(NamedTuple):
    """One image before it is rendered.

    label:      index into `CLASS_NAMES`.
    factors:    name -> value.
    parts:      `Primitive`s.
    shade:      gray level of the object, in [0, 1].
    background: the same of what is behind it.
    light:      (azimuth, elevation) of the sun, degrees.
    """

    label: int
    factors: dict[str, float]
    parts: list[Primitive]
    shade: float
    background: float
    light: tuple[float, float]


def scene(seed, number):
    """The scene of image `number`: classes take turns, everything else is drawn."""
    rng = np.random.default_rng([seed, number])
    label = number % len(CLASS_NAMES)
    factors = {name: float(rng.uniform(*limits)) for name, limits in FACTORS.items()}
    parts = objects.primitives(label, rng)
    shade = float(rng.uniform(0.25, 0.9))
    background = float(rng.uniform(0.05, 0.95))
    while abs(background - shade) < 0.15:  # An object that nobody can see teaches nothing.
        background = float(rng.uniform(0.05, 0.95))
    return Scene(label, factors, parts, shade, background, (float(rng.uniform(-60, 60)), float(rng.uniform(25, 65))))
