"""Which values a field of a config may have, declared where the field is.

    latent_dim: int = ranges.field(50, ranges.WIDTHS)
    likelihood: str = ranges.field("bernoulli", ranges.Choices(families.LIKELIHOODS))
    hidden: tuple[int, ...] = ranges.field((500, 500), ranges.WIDTHS, shortest=1)

The annotation is the type, the range says which values of it are meant; of a tuple or a dict, every entry. `check`
holds a whole config to both before anything is written, and `said` is what errors and docs/reference tell of them. What
fields must be to each other is said by the method `validate` of their config, which `check` calls too.
"""

import dataclasses
import math
import pathlib
import reprlib
import types
import typing
from collections.abc import Callable, Collection, Iterator
from typing import Any, NamedTuple

_RANGE, _SHORTEST, _HINT = "tfvae.range", "tfvae.shortest", "tfvae.hint"


class Interval(NamedTuple):
    """Numbers from `least` to `most`, both of them too unless it is open there.

    besides: single numbers outside of it, such as 0 for none.
    """

    least: float
    most: float
    besides: tuple[float, ...] = ()
    open_below: bool = False
    open_above: bool = False

    def admits(self, value: float) -> bool:
        above = value > self.least if self.open_below else value >= self.least
        below = value < self.most if self.open_above else value <= self.most
        return (above and below) or value in self.besides

    def said(self) -> str:
        ends = f"{'(' if self.open_below else '['}{_number(self.least)}, {_number(self.most)}"
        return " or ".join([*map(_number, self.besides), f"in {ends}{')' if self.open_above else ']'}"])


class Choices(NamedTuple):
    """One of some names or numbers: a collection, or a function that gives one, which an extension may add to."""

    known: Collection[Any] | Callable[[], Collection[Any]]

    def admits(self, value: Any) -> bool:
        return value in self._names()

    def said(self) -> str:
        return f"one of {', '.join(map(repr, self._names()))}"

    def _names(self) -> tuple[Any, ...]:
        return tuple(self.known() if callable(self.known) else self.known)


class Text(NamedTuple):
    """What stands for something outside of a config: a name, a path.

    meaning: with its article, e.g. "a path".
    exists:  whether a run cannot begin before there is such a file or folder.
    """

    meaning: str
    exists: bool = False

    def admits(self, value: str) -> bool:
        return "\0" not in value  # Which no file system takes.

    def said(self) -> str:
        return self.meaning


class Part(NamedTuple):
    """Another config, told by what it answers.

    meaning: with its article, e.g. "a config of `tfvae.models`".
    answers: methods that it must have.
    """

    meaning: str
    answers: tuple[str, ...]

    def admits(self, value: Any) -> bool:
        is_config = dataclasses.is_dataclass(value) and not isinstance(value, type)
        return is_config and all(callable(getattr(value, name, None)) for name in self.answers)

    def said(self) -> str:
        return f"{self.meaning} that has {', '.join(f'`{name}`' for name in self.answers)}"


Range = Interval | Choices | Text | Part

# A step's number and every seed are folded into noise as numbers of 32 bits (`tfvae.probability.noise`).
SEEDS = Interval(0, 2**31 - 1)
COUNTS = Interval(0, 2**31 - 1)  # Of steps, epochs and rows, 0 for none or all.
POSITIVE_COUNTS = COUNTS._replace(least=1)
# What is in memory at once: ten million rows of a batch, a million units of a layer. A matrix between two such layers
# has 4 TB; what fits below is for the machine to say.
BATCHES = Interval(0, 10_000_000)
WIDTHS = Interval(1, 1_000_000)
DRAWS = Interval(1, 1_000_000)
SIDES = Interval(1, 1024)  # Of filters, strides and blocks, in pixels.
LAYERS = Interval(0, 1000)
IMAGE_SIDES = Interval(0, 65_535)  # The largest that a JPEG can have.
PIXELS = Interval(1, 10**9)  # Decoded they have 4 GB.
# float32 has seven digits: a term that weighs a million times as much as the others leaves one of theirs.
WEIGHTS = Interval(0, 1e6)
POSITIVE = Interval(1e-12, 1e6)
RATES = Interval(0, 1000, open_below=True)  # Of learning.
SHARES = Interval(0, 1)
BELOW_ONE = SHARES._replace(open_above=True)
ACTIVATIONS = Choices((
    "relu", "leaky_relu", "relu6", "elu", "selu", "celu", "gelu", "silu", "swish", "mish", "softplus", "softsign",
    "squareplus", "tanh", "sigmoid", "hard_sigmoid", "hard_tanh", "linear",
))  # fmt: skip
PATH = Text("a path, or empty")
EXISTING_PATH = PATH._replace(exists=True)
# What a model of x and one code z asks of a network (`tfvae.networks`).
NETWORK = Part("a config of `tfvae.networks`", ("check", "prior", "decoder", "encoder"))


def field(
    default: Any = dataclasses.MISSING,
    allowed: Range | None = None,
    *,
    factory: Any = dataclasses.MISSING,
    shortest: int = 0,
    hint: str = "",
) -> Any:
    """A field of a config, with its range.

    Args:
        default: its default.
        allowed: its range; of a tuple or dict, that of every entry.
        factory: makes the default, where it is mutable.
        shortest: entries of a tuple, at least.
        hint: what an error adds, such as which setting does what was meant.
    """
    metadata = {_RANGE: allowed, _SHORTEST: shortest, _HINT: hint}
    return dataclasses.field(default=default, default_factory=factory, metadata=metadata)


def declared(of: dataclasses.Field) -> Range | None:
    """The range of a field; None for one whose type says everything, and for one that was given none."""
    return of.metadata.get(_RANGE)


def shortest(of: dataclasses.Field) -> int:
    """Entries that a field must have at least, of a tuple."""
    return of.metadata.get(_SHORTEST, 0)


def says_all(kind: Any) -> bool:
    """Whether a type needs no range: every value of it has a meaning, or says by itself which have one."""
    entries = [entry for entry in typing.get_args(kind) if entry not in (Ellipsis, types.NoneType)]
    if typing.get_origin(kind) is dict:
        return says_all(entries[1])
    return all(map(says_all, entries)) if entries else kind is bool or dataclasses.is_dataclass(kind)


def said(of: dataclasses.Field) -> str:
    """What a field may be, in words: "an integer in [1, 1000000]"."""
    return _said(of.type, declared(of), shortest(of))


def check(config: Any, path: str = "") -> None:
    """Checks all fields of a config and of the configs in it, and what they must be to each other.

    It needs no data and imports nothing.

    Args:
        config: a dataclass.
        path: what stands before its fields' names, e.g. "model".

    Raises:
        ValueError: for the first field that is out of its range, by its name, its value and what is allowed, and
            whatever `validate` of a config raises.
    """
    fields = dataclasses.fields(config)
    unknown = sorted(set(vars(config)) - {of.name for of in fields})
    if unknown:
        has = ", ".join(of.name for of in fields)
        raise ValueError(f"There is no field `{_dotted(path, unknown[0])}`; there are {has}.")
    for of in fields:
        own, value = _dotted(path, of.name), getattr(config, of.name)
        if not _admits(of.type, declared(of), value) or _too_short(of, value):
            raise ValueError(refusal(own, of, value))
        for name, part in _parts(value):
            check(part, f"{own}{name}")
    if hasattr(config, "validate"):
        config.validate()


def check_places(config: Any, path: str = "") -> None:
    """Checks that the files exist which a new run is to read; those of one that began may have moved.

    Raises:
        ValueError: for the first that does not.
    """
    for of in dataclasses.fields(config):
        own, value, allowed = _dotted(path, of.name), getattr(config, of.name), declared(of)
        if isinstance(allowed, Text) and allowed.exists and value and not pathlib.Path(value).expanduser().exists():
            raise ValueError(f"`{own}` names {value!r}, which does not exist.")
        for name, part in _parts(value):
            check_places(part, f"{own}{name}")


def refusal(path: str, of: dataclasses.Field, value: Any) -> str:
    """What is said of a value that a field, called by its whole name, must not have."""
    hint = of.metadata.get(_HINT)
    return f"`{path}` must be {said(of)}, got {_repr(value)}.{f' {hint}' if hint else ''}"


def _dotted(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _too_short(of: dataclasses.Field, value: Any) -> bool:
    return isinstance(value, tuple) and len(value) < shortest(of)


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """(what its name adds, config) of the configs that a field holds."""
    if dataclasses.is_dataclass(value):
        yield "", value
    elif isinstance(value, dict):
        yield from ((f".{name}", part) for name, part in value.items() if dataclasses.is_dataclass(part))


def _admits(kind: Any, allowed: Range | None, value: Any) -> bool:
    """Whether a value is of a type and, itself or by its entries, in a range."""
    origin, entries = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return value is None or _admits(entries[0], allowed, value)
    if origin is tuple:
        lengths_agree = entries[-1] is Ellipsis or (isinstance(value, tuple) and len(value) == len(entries))
        return isinstance(value, tuple) and lengths_agree and all(_admits(entries[0], allowed, of) for of in value)
    if isinstance(origin or kind, type) and issubclass(origin or kind, dict):
        of_type = isinstance(value, origin or kind) and all(isinstance(name, str) for name in value)
        return of_type and all(_admits(entries[1] if entries else Any, allowed, of) for of in value.values())
    return (isinstance(allowed, Part) or _is_of(kind, value)) and (allowed is None or allowed.admits(value))


def _is_of(kind: Any, value: Any) -> bool:
    """Whether a value is of a plain type: a bool is no number, an integer is one, and numbers are finite."""
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind in (bool, Any)
    if kind is float:
        return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
    return kind is Any or isinstance(value, kind)


_PLAIN = {int: "an integer", float: "a number", str: "a text", bool: "True or False"}
_MANY = {int: "integers", float: "numbers", str: "texts"}


def _said(kind: Any, allowed: Range | None, at_least: int = 0) -> str:
    origin, entries = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return f"{_said(entries[0], allowed)}, or None"
    if origin is tuple:
        fixed = "" if entries[-1] is Ellipsis else f" of {len(entries)}"
        least = f", {at_least} at least" if at_least else ""
        return f"a tuple{fixed or ' of'} {_many(entries[0], allowed)}{least}"
    if isinstance(origin or kind, type) and issubclass(origin or kind, dict):
        return f"a dict from names to {_many(entries[1] if entries else Any, allowed)}"
    if isinstance(allowed, Interval):
        return f"{_PLAIN[kind]} {allowed.said()}" if not allowed.besides else f"{_PLAIN[kind]}, {allowed.said()}"
    return allowed.said() if allowed else _plain(kind)


def _many(kind: Any, allowed: Range | None) -> str:
    """Of every entry of a container."""
    if isinstance(allowed, Interval):
        return f"{_MANY[kind]} {allowed.said()}"
    if isinstance(allowed, Text):
        return f"texts, each {allowed.said()}"
    return f"what is {allowed.said()}" if allowed else _MANY.get(kind, f"what is {_plain(kind)}")


def _plain(kind: Any) -> str:
    if kind in _PLAIN:
        return _PLAIN[kind]
    return f"a `{kind.__module__.removeprefix('tfvae.')}.{kind.__name__}`" if isinstance(kind, type) else "anything"


def _number(number: float) -> str:
    return str(number) if isinstance(number, int) else f"{number:g}"


def _repr(value: Any) -> str:
    """A value in an error: a config by its type, a long one cut."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return f"a `{type(value).__module__}.{type(value).__qualname__}`"
    return reprlib.repr(value)
