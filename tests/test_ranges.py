"""What a field may be: the ranges, the types that they go with, and what is said of others."""

import dataclasses
from typing import Any

import pytest

from tfvae import ranges

NAN, INFINITY = float("nan"), float("inf")
KNOWN = {"a": 1, "b": 2}


@dataclasses.dataclass
class Part:
    """A config in another one."""

    size: int = ranges.field(1, ranges.WIDTHS)


class OfAnother:
    def build(self):
        """What a part must answer."""


@dataclasses.dataclass
class Built(Part, OfAnother):
    """A part that answers it."""


@dataclasses.dataclass
class Config:
    """One field of every type that there is."""

    whole: int = ranges.field(1, ranges.Interval(1, 8, besides=(-1,)))
    real: float = ranges.field(0.5, ranges.Interval(0, 1, open_below=True))
    name: str = ranges.field("a", ranges.Choices(KNOWN))
    weight: float = ranges.field(0, ranges.Choices((0, 1)), hint="Nothing lies between.")
    path: str = ranges.field("", ranges.Text("a path, or empty"))
    flag: bool = False
    maybe: int | None = ranges.field(None, ranges.WIDTHS)
    several: tuple[int, ...] = ranges.field((1,), ranges.WIDTHS, shortest=1)
    pair: tuple[float, float] = ranges.field((1.0, 1.0), ranges.POSITIVE)
    by_name: dict[str, int] = ranges.field(factory=dict, allowed=ranges.BATCHES)
    part: Part = dataclasses.field(default_factory=Part)
    parts: dict[str, Part] = dataclasses.field(default_factory=dict)
    built: Any = ranges.field(allowed=ranges.Part("a config", ("build",)), factory=Built)

    def validate(self):
        if self.whole > 1 and self.flag:
            raise ValueError("`whole` above 1 goes without `flag`.")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("whole", (1, 8, -1)), ("real", (1e-9, 1, 1.0)), ("name", ("a", "b")), ("weight", (0, 1, 1.0)),
        ("path", ("", "x", "~/ü")), ("flag", (True,)), ("maybe", (None, 3)), ("several", ((1, 2),)),
        ("pair", ((1, 0.5),)), ("by_name", ({}, {"a": 0})), ("part", (Part(2), Built(2))), ("parts", ({"x": Part()},)),
        ("built", (Built(3),)),
    ],
)  # fmt: skip
def test_values_that_a_field_may_have(name, values):
    for value in values:
        ranges.check(Config(**{name: value}))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("whole", (0, 9, 1.0, True, "1", None, NAN, 10**12)), ("real", (0, 1.1, NAN, INFINITY, -INFINITY, "0.5", True)),
        ("name", ("c", "", None, ["a"], 1)), ("weight", (0.5, -1, True, NAN)), ("path", (None, 1, "a\0b", b"a")),
        ("flag", (0, 1, "True", None)), ("maybe", (0, "3", False)), ("several", ((), (0,), [1], 1, (1.0,), (True,))),
        ("pair", ((1.0,), (1.0, 1.0, 1.0), (1.0, NAN), [1.0, 1.0])), ("by_name", ([], {1: 1}, {"a": -1}, {"a": 0.5})),
        ("part", (None, Part, {"size": 1}, OfAnother())), ("parts", ({"x": 1}, {1: Part()}, Part())),
        ("built", (Part(), Built, None, {})),
    ],
)  # fmt: skip
def test_values_that_a_field_must_not_have(name, values):
    for value in values:
        with pytest.raises(ValueError, match=f"^`model.{name}` must be .*, got "):
            ranges.check(Config(**{name: value}), "model")


def test_a_part_is_checked_by_its_whole_name():
    with pytest.raises(ValueError, match=r"^`model\.part\.size` must be an integer in \[1, 1000000\], got 0\.$"):
        ranges.check(Config(part=Part(0)), "model")
    with pytest.raises(ValueError, match=r"^`parts\.x\.size`"):
        ranges.check(Config(parts={"x": Part(0)}))
    with pytest.raises(ValueError, match=r"^`built\.size`"):
        ranges.check(Config(built=Built(0)))


def test_fields_are_checked_against_each_other_when_each_is_right():
    with pytest.raises(ValueError, match="goes without"):
        ranges.check(Config(whole=2, flag=True))
    with pytest.raises(ValueError, match="`real` must be"):
        ranges.check(Config(whole=2, flag=True, real=NAN))


def test_a_misspelt_attribute_is_no_field():
    config = Config()
    config.hole = 2
    with pytest.raises(ValueError, match=r"no field `model\.hole`; there are whole, real"):
        ranges.check(config, "model")


def test_choices_that_an_extension_adds_are_known(monkeypatch):
    monkeypatch.setitem(KNOWN, "c", 3)
    ranges.check(Config(name="c"))


def test_what_is_allowed_is_said():
    said = {field.name: ranges.said(field) for field in dataclasses.fields(Config)}
    assert said == {
        "whole": "an integer, -1 or in [1, 8]", "real": "a number in (0, 1]", "name": "one of 'a', 'b'",
        "weight": "one of 0, 1", "path": "a path, or empty", "flag": "True or False",
        "maybe": "an integer in [1, 1000000], or None", "several": "a tuple of integers in [1, 1000000], 1 at least",
        "pair": "a tuple of 2 numbers in [1e-12, 1e+06]", "by_name": "a dict from names to integers in [0, 10000000]",
        "part": f"a `{__name__}.Part`", "parts": f"a dict from names to what is a `{__name__}.Part`",
        "built": "a config that has `build`",
    }  # fmt: skip
    with pytest.raises(ValueError, match=r"got 0\.5\. Nothing lies between\.$"):
        ranges.check(Config(weight=0.5))


def test_types_that_need_no_range():
    needless = {field.name for field in dataclasses.fields(Config) if ranges.says_all(field.type)}
    assert needless == {"flag", "part", "parts"}
