"""What a request must be, asserted first thing in the graph.

The shapes of a signature bind nobody: a server hands over whatever a client sent, and TensorFlow's kernels trust the
shapes that the graph was made for. Some then answer with other rows than were sent, some end the process.
"""

import re
from collections.abc import Sequence

import tensorflow as tf

# What is not quite an intensity, as after a client's own resizing, counts as 0 or 1; what is further off is a mistake.
FROM, TO = -0.5, 1.5


def arguments(values: Sequence[tf.Tensor], signature: Sequence[tf.TensorSpec]) -> list[tf.Tensor]:
    """The arguments of a request, of the ranks and shapes of a signature and all of the same number of rows.

    Args:
        values: tensors.
        signature: the `tf.TensorSpec` of each, its first axis open.

    Raises:
        tf.errors.InvalidArgumentError: states both shapes, or the numbers of rows.
    """
    values = after([_shape(value, spec) for value, spec in zip(values, signature, strict=True)], values)
    rows = [tf.shape(value)[0] for value in values]
    stated = [part for spec, num in zip(signature, rows, strict=True) for part in (f"{spec.name}:", num)]
    equal = tf.reduce_all(tf.equal(rows, rows[0]))
    return after(
        [tf.debugging.Assert(equal, ["The arguments must have as many rows as each other, got", *stated])], values
    )


def intensities(image: tf.Tensor, name: str) -> tf.Tensor:
    """Images of [B, H, W, C] from 0 to 1.

    Raises:
        tf.errors.InvalidArgumentError: names the rows with NaN, infinity, or values beyond [-0.5, 1.5].
    """
    right = tf.reduce_all((image >= FROM) & (image <= TO), axis=range(1, image.shape.rank))
    fault = (
        f"of `{name}` hold NaN, infinity or values beyond [{FROM}, {TO}], where intensities run from 0 to 1 (gray "
        "levels 0..255 are to be divided by 255)"
    )
    return tf.clip_by_value(after([none(fault, ~right)], [image])[0], 0.0, 1.0)


def finite(points: tf.Tensor, name: str) -> tf.Tensor:
    """Points [B, D] as they are.

    Raises:
        tf.errors.InvalidArgumentError: names the rows with NaN or infinity.
    """
    right = tf.reduce_all(tf.math.is_finite(points), axis=range(1, points.shape.rank))
    return after([none(f"of `{name}` hold NaN or infinity", ~right)], [points])[0]


def none(fault: str, rows: tf.Tensor) -> tf.Operation | None:
    """Asserts that none of the rows, bool [B], has a fault; the error names those that have."""
    named = tf.where(rows)[:, 0]
    return tf.debugging.Assert(~tf.reduce_any(rows), [f"These rows of the batch {fault}:", named], summarize=16)


def after(checks: Sequence[tf.Operation | None], values: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """The values, once the checks were made."""
    # In eager mode a check has been made when it returns, and returns nothing.
    with tf.control_dependencies([check for check in checks if check is not None]):
        return [tf.identity(value) for value in values]


def _shape(value, spec):
    # As text: the optimiser of graphs believes the signature, and folds what it says of ranks and sizes to constants.
    found = tf.strings.reduce_join(tf.strings.as_string(tf.shape(value)), separator=", ")
    wanted = ["rows", *map(str, spec.shape[1:])]
    pattern = ", ".join([r"\d+", *(r"\d+" if size is None else re.escape(str(size)) for size in spec.shape[1:])])
    return tf.debugging.Assert(
        tf.strings.regex_full_match(found, pattern),
        [f"`{spec.name}` must have the shape [{', '.join(wanted)}], got the shape", found],
    )
