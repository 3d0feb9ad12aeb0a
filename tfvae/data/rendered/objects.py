"""Ten classes of objects, each a handful of primitives; the classes are those of CIFAR-10.

An object looks along +x and stands with z upwards, about two units long, its middle near the origin. All numbers are
in these units, and vary a little from one object to the next.
"""

from typing import NamedTuple

import numpy as np

CLASS_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

# How much sizes of one class differ: the deviation of the logarithm of a part's size, and of the whole shape's.
_PART_SPREAD, _SHAPE_SPREAD = 0.05, 0.10


class Primitive(NamedTuple):
    """A part of an object.

    kind:   `box`, `ball`, `cylinder` or `cone`, each of side or diameter 1 around the origin, upright.
    centre: (x, y, z).
    size:   (x, y, z), the factors by which it is stretched.
    along:  the direction in which its upright axis points.
    shade:  its gray level, a factor of the object's own.
    """

    kind: str
    centre: tuple[float, float, float]
    size: tuple[float, float, float]
    along: tuple[float, float, float] = (0.0, 0.0, 1.0)
    shade: float = 1.0


def primitives(label, rng):
    """The parts of one object of a class.

    Args:
        label: index into `CLASS_NAMES`.
        rng: `numpy.random.Generator`, of how it differs from others of its class.
    """
    shape = np.exp(_SHAPE_SPREAD * rng.normal(size=3))
    return [_varied(part, shape, rng) for part in _PARTS[CLASS_NAMES[label]]()]


def _varied(part, shape, rng):
    """A part of another size, in an object of another shape."""
    size = np.asarray(part.size) * np.exp(_PART_SPREAD * rng.normal(size=3))
    upright = part.along == (0.0, 0.0, 1.0)
    return part._replace(centre=tuple(shape * part.centre), size=tuple(shape * size if upright else size))


def _box(centre, size, shade=1.0):
    return Primitive("box", centre, size, shade=shade)


def _ball(centre, size, shade=1.0):
    return Primitive("ball", centre, size, shade=shade)


def _rod(start, end, width, shade=1.0, kind="cylinder"):
    """A cylinder or a cone from one point to another."""
    start, end = np.asarray(start), np.asarray(end)
    length = float(np.linalg.norm(end - start))
    return Primitive(kind, tuple((start + end) / 2), (width, width, length), tuple((end - start) / length), shade)


def _both_sides(part):
    """A part and its mirror image on the other side."""
    (x, y, z), (ax, ay, az) = part.centre, part.along
    return [part, part._replace(centre=(x, -y, z), along=(ax, -ay, az))]


def _legs(front, back, side, top, bottom, width, shade=0.9):
    return [
        leg
        for x in (front, back)
        for leg in _both_sides(_rod((x, side, top), (x, side, bottom), width, shade))
    ]  # fmt: skip


def _wheels(places, side, z, size):
    return [
        wheel
        for x in places
        for wheel in _both_sides(_rod((x, side - 0.08, z), (x, side + 0.08, z), size, 0.25))
    ]  # fmt: skip


def _airplane():
    return [
        _rod((-1.0, 0, 0), (0.85, 0, 0), 0.3), _ball((0.85, 0, 0), (0.5, 0.3, 0.3)),
        _box((0.05, 0, -0.03), (0.45, 2.2, 0.06), 0.85), _box((-0.9, 0, 0.05), (0.25, 0.8, 0.05), 0.85),
        _box((-0.92, 0, 0.3), (0.3, 0.05, 0.5), 0.7),
        *_both_sides(_rod((-0.05, 0.55, -0.14), (0.35, 0.55, -0.14), 0.17, 0.5)),
    ]  # fmt: skip


def _automobile():
    return [
        _box((0, 0, -0.1), (2.0, 0.85, 0.36)), _box((-0.12, 0, 0.2), (1.05, 0.75, 0.3), 0.55),
        _box((-0.12, 0, 0.36), (0.85, 0.7, 0.06)), *_wheels((-0.62, 0.62), 0.38, -0.28, 0.42),
    ]  # fmt: skip


def _bird():
    return [
        _ball((0, 0, 0), (1.0, 0.55, 0.6)), _ball((0.5, 0, 0.35), (0.42, 0.38, 0.38)),
        _rod((0.66, 0, 0.34), (1.0, 0, 0.28), 0.16, 0.4, "cone"), _box((-0.68, 0, 0.05), (0.6, 0.3, 0.06), 0.7),
        *_both_sides(Primitive("ball", (-0.05, 0.5, 0.18), (0.55, 0.1, 0.95), (0.0, 0.9, 0.45), 0.75)),
        *_both_sides(_rod((0.02, 0.13, -0.2), (0.06, 0.13, -0.62), 0.06, 0.4)),
    ]  # fmt: skip


def _cat():
    return [
        _ball((-0.05, 0, 0), (1.15, 0.45, 0.5)), _ball((0.62, 0, 0.36), (0.46, 0.46, 0.42)),
        *_both_sides(_rod((0.6, 0.14, 0.5), (0.6, 0.17, 0.8), 0.2, 0.8, "cone")),
        _rod((-0.55, 0, 0.1), (-0.85, 0, 0.5), 0.1), _rod((-0.85, 0, 0.5), (-0.75, 0, 0.95), 0.1),
        *_legs(0.38, -0.42, 0.13, -0.1, -0.6, 0.14),
    ]  # fmt: skip


def _deer():
    return [
        _ball((-0.1, 0, 0.1), (1.1, 0.4, 0.46)), _rod((0.3, 0, 0.15), (0.6, 0, 0.7), 0.2),
        _ball((0.72, 0, 0.75), (0.46, 0.22, 0.24)), _ball((-0.62, 0, 0.22), (0.16, 0.12, 0.2), 1.3),
        *_both_sides(_rod((0.6, 0.06, 0.82), (0.5, 0.3, 1.2), 0.06, 0.5)),
        *_both_sides(_rod((0.55, 0.18, 1.0), (0.8, 0.3, 1.15), 0.05, 0.5)),
        *_legs(0.28, -0.45, 0.12, 0.0, -0.8, 0.08),
    ]  # fmt: skip


def _dog():
    return [
        _ball((-0.05, 0, 0.05), (1.2, 0.5, 0.52)), _rod((0.4, 0, 0.15), (0.65, 0, 0.42), 0.3),
        _ball((0.7, 0, 0.48), (0.44, 0.4, 0.4)), _box((0.98, 0, 0.4), (0.36, 0.2, 0.18), 0.8),
        *_both_sides(_box((0.64, 0.24, 0.38), (0.16, 0.06, 0.36), 0.45)),
        _rod((-0.6, 0, 0.2), (-0.95, 0, 0.55), 0.1), *_legs(0.38, -0.45, 0.16, 0.0, -0.65, 0.17),
    ]  # fmt: skip


def _frog():
    return [
        _ball((0, 0, -0.1), (1.15, 0.95, 0.5)), _ball((0.42, 0, 0.02), (0.6, 0.75, 0.4)),
        *_both_sides(_ball((0.45, 0.22, 0.26), (0.24, 0.22, 0.24), 1.3)),
        *_both_sides(_ball((-0.35, 0.55, -0.15), (0.75, 0.3, 0.36), 0.8)),
        *_both_sides(_box((-0.05, 0.72, -0.34), (0.65, 0.2, 0.06), 0.8)),
        *_both_sides(_rod((0.35, 0.4, -0.15), (0.55, 0.55, -0.38), 0.13, 0.8)),
    ]  # fmt: skip


def _horse():
    return [
        _ball((-0.1, 0, 0.1), (1.35, 0.5, 0.58)), _rod((0.4, 0, 0.2), (0.78, 0, 0.68), 0.32),
        Primitive("ball", (0.95, 0, 0.62), (0.22, 0.22, 0.58), (0.75, 0.0, -0.5)),
        _rod((0.32, 0, 0.42), (0.66, 0, 0.85), 0.12, 0.35), _rod((-0.72, 0, 0.25), (-0.95, 0, -0.35), 0.14, 0.35),
        *_both_sides(_rod((0.8, 0.07, 0.78), (0.78, 0.08, 0.95), 0.08, 0.8, "cone")),
        *_legs(0.36, -0.5, 0.15, 0.0, -0.75, 0.13),
    ]  # fmt: skip


def _ship():
    return [
        _box((-0.15, 0, -0.25), (1.6, 0.55, 0.34), 0.6),
        _rod((0.62, 0, -0.22), (1.15, 0, -0.12), 0.42, 0.6, "cone"), _box((-0.35, 0, 0.05), (0.8, 0.42, 0.28), 1.2),
        _box((-0.45, 0, 0.28), (0.45, 0.36, 0.2), 1.2), _rod((-0.55, 0, 0.3), (-0.6, 0, 0.72), 0.2, 0.4),
        _rod((0.25, 0, -0.1), (0.25, 0, 0.75), 0.05, 0.8),
    ]  # fmt: skip


def _truck():
    return [
        _box((-0.3, 0, 0.16), (1.4, 0.85, 0.85), 1.15), _box((0.68, 0, 0.0), (0.5, 0.8, 0.55), 0.7),
        _box((0.72, 0, 0.12), (0.44, 0.7, 0.26), 0.35), _box((0, 0, -0.32), (1.9, 0.7, 0.12), 0.4),
        *_wheels((-0.75, -0.3, 0.65), 0.38, -0.4, 0.38),
    ]  # fmt: skip


_PARTS = {
    "airplane": _airplane, "automobile": _automobile, "bird": _bird, "cat": _cat, "deer": _deer, "dog": _dog,
    "frog": _frog, "horse": _horse, "ship": _ship, "truck": _truck,
}  # fmt: skip
