"""Real numbers that made an image, by name: its pose (slant, tilt, x, y, depth), its light.

file_name,factors.slant,factors.tilt            {"file_name": "a.png", "factors": {"slant": 0.3, "tilt": -1.2}}
a.png,0.3,-1.2
"""

import json
import math

import numpy as np
import tensorflow as tf

from tfvae import batch as batches
from tfvae.data.entry import Entry, floats


class Factors(Entry):
    """float32 [N, F]; NaN where an image has none.

    Args:
        names: of the F factors, in the order of the alphabet; None until some are read.
    """

    name = batches.FACTORS

    def __init__(self, names=None):
        self.names = names

    def read(self, cells):
        found = {}
        for factor, value in cells.named(self.name).items():
            try:
                found[factor] = float(value)
            except (TypeError, ValueError):
                found[factor] = math.nan
            if not math.isfinite(found[factor]):
                raise ValueError(f"{cells.where}: the factor `{factor}` must be a finite number, got {value!r}.")
        return found or None

    def merge(self, ours, theirs):
        both = {**(ours or {}), **(theirs or {})}
        differing = [factor for factor, value in (ours or {}).items() if both[factor] != value]
        if differing:
            raise ValueError(f"two rows give it the factors {ours!r} and {theirs!r}")
        return both or None

    def numbered(self, values):
        found = {tuple(sorted(value)) for value in values if value is not None}
        if len(found) > 1:
            first, second = sorted(found)[:2]
            raise ValueError(
                f"Images with factors must all have the same ones, some have {list(first)}, some {list(second)}. Fill "
                "the empty cells."
            )
        return values, next(iter(found), ())

    def named(self, names):
        return Factors(tuple(names))

    def stack(self, values):
        values = [value if value is None or not isinstance(value, dict) else _ordered(value) for value in values]
        width = next((len(value) for value in values if value is not None), len(self.names or ()))
        none = np.full(width, np.nan, np.float32)
        return np.array([none if value is None else value for value in values], np.float32).reshape(len(values), width)

    def missing(self, num, like):
        return np.full([num, like.shape[1]], np.nan, np.float32)

    def has(self, column):
        return ~np.isnan(column).any(axis=1)

    def features(self, value):
        return {self.feature: floats(_ordered(value))}

    def spec(self):
        return {self.feature: tf.io.RaggedFeature(tf.float32)}

    def parse(self, features, decode=True):
        """{"factors": float32 [B, F]}."""
        values = features[self.feature]
        return {self.name: values.to_tensor(np.nan, shape=[None, len(self.names)])}

    def right(self, parsed, required):
        return not required or not np.isnan(parsed[self.name]).any()

    def problem(self, features, required):
        found = features.get(self.feature)
        num = 0 if found is None else len(found.float_list.value)
        allowed = {len(self.names)} if required else {0, len(self.names)}
        return "" if num in allowed else f"it has {num} factors, {list(self.names)} are known"

    def joined(self, parts):
        return np.concatenate([np.zeros([0, len(self.names)], np.float32), *parts])

    def digest(self, column):
        yield json.dumps([self.name, self.names]).encode()
        yield from super().digest(column)


def _ordered(value):
    return [value[name] for name in sorted(value)]


ENTRY = Factors()
