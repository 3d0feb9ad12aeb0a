"""Seeded changes of bytes and of JSON: the same for the same seed."""

import copy
import json

import numpy as np

_BYTES = (0, 1, 0x7F, 0x80, 0xFF, 0x0A, 0x0D, 0x22, 0x2C)
_INTEGERS = (0, 1, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1)
_VALUES = (
    None, True, False, 0, -1, 1, 0.5, -0.5, 10**12, 2**63, 1e308, float("inf"), float("nan"), "", "x", "../x", "\x00",
    "\ud800", [], [0], [[]], {}, {"x": 1},
)  # fmt: skip


def of_bytes(content, others, rng):
    """A few changes of the content one after the other: flips, integers, cuts, copies, and ends of another one."""
    changed = bytearray(content)
    for _ in range(int(rng.geometric(0.4))):
        _CHANGES[rng.integers(len(_CHANGES))](changed, others, rng)
    return bytes(changed)


def _flip(changed, others, rng):
    if changed:
        changed[rng.integers(len(changed))] ^= 1 << rng.integers(8)


def _byte(changed, others, rng):
    if changed:
        changed[rng.integers(len(changed))] = _BYTES[rng.integers(len(_BYTES))]


def _integer(changed, others, rng):
    size, order = int(rng.choice([2, 4, 8])), str(rng.choice(["little", "big"]))
    place, value = int(rng.integers(len(changed) + 1)), _INTEGERS[rng.integers(len(_INTEGERS))]
    changed[place : place + size] = (value % 256**size).to_bytes(size, order)


def _cut(changed, others, rng):
    begin, end = sorted(rng.integers(len(changed) + 1, size=2))
    del changed[begin : min(end, begin + 64)]


def _end(changed, others, rng):
    del changed[int(rng.integers(len(changed) + 1)) :]


def _copy(changed, others, rng):
    begin, to = rng.integers(len(changed) + 1, size=2)
    changed[to:to] = changed[begin : begin + int(rng.integers(1, 64))]


def _splice(changed, others, rng):
    other = others[rng.integers(len(others))]
    changed[int(rng.integers(len(changed) + 1)) :] = other[int(rng.integers(len(other) + 1)) :]


_CHANGES = (_flip, _flip, _byte, _integer, _cut, _end, _copy, _splice)


def of_json(value, rng):
    """Other values at a few places, keys that are gone, doubled or new."""
    whole = {"": copy.deepcopy(value)}
    for _ in range(int(rng.geometric(0.5))):
        places = list(_places(whole))
        holder, key = places[rng.integers(len(places))]
        kind = rng.integers(4)
        if kind == 0 and holder is not whole:
            del holder[key]
        elif kind == 1 and isinstance(holder, dict) and holder is not whole:
            holder[f"{key}x"] = holder.pop(key)
        elif kind == 2 and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
        else:
            holder[key] = copy.deepcopy(_VALUES[rng.integers(len(_VALUES))])
    return whole[""]


def _places(value):
    """(holder, key) of every value inside."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])


def text_of(value):
    return json.dumps(value).encode()


def generator(seed, number):
    """Of the `number`th input of a seed."""
    return np.random.default_rng([seed, number])
