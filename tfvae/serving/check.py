"""The gate for any SavedModel, not only ours: will TensorFlow Serving load this, and answer as Python does?

An export of Keras or TensorFlow that Python loads may still be refused by the C++ loader that a server uses, may need
XLA or ops that a server does not have, or may bring warm-up requests that end its load.
"""

import pathlib
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfvae.serving import export, gate, requests
from tfvae.serving.graph import MetaGraph

_ROWS = 2


class Point(NamedTuple):
    """What became of one point: `passed`, `failed`, `warned` or `not verified`, and why."""

    name: str
    outcome: str
    reason: str = ""


def check(path):
    """The points of the gate for a version, or for the newest one of a base path.

    Where the version brings no requests of its own, every signature of numbers alone is asked about zeros.

    Args:
        path: a directory with a saved_model.pb, or one with numbered versions.

    Returns:
        [`Point`] in the order in which they were checked; those behind a failed one are missing.

    Raises:
        ValueError: if there is no SavedModel.
    """
    version = pathlib.Path(path)
    if not (version / "saved_model.pb").is_file():
        version = export.newest(path)
    graph = MetaGraph(version)
    points = []
    try:
        for point in _points(version, graph):
            points.append(point)
    except gate.GateError as error:
        points.append(Point(error.point, "failed", error.reason))
    return points


def failed(points):
    """Whether a server should not be given this version."""
    return any(point.outcome == "failed" for point in points)


def text(points):
    """The points as lines for people."""
    return "\n".join(f"  {point.name:<13} {point.outcome:<13} {point.reason}".rstrip() for point in points)


def _points(version, graph):
    gate.check_compilation(graph)
    yield Point("compilation", "passed", "nothing needs XLA")
    try:
        gate.check_batch_axes(graph)
        yield Point("batch axes", "passed", "the server can batch requests")
    except gate.GateError as error:  # It is served all the same, one request at a time.
        yield Point("batch axes", "warned", error.reason)
    warmup = _warmup(version)
    questions, skipped = _questions(graph, warmup)
    expected = gate.reloaded(version, questions)
    yield Point("reload", "passed", f"{len(questions)} requests{_without(skipped)}")
    ops, cpp_loader, replayed = gate.through_cpp(version, graph, questions, expected, warmup)
    yield _verified("ops", ops, f"{len(graph.ops)} kinds, all with a kernel in the server's library")
    yield _verified("cpp_loader", cpp_loader, "the answers of Python")
    if warmup:
        yield _verified("warmup", replayed, f"{len(warmup)} requests")
    else:
        yield Point("warmup", "warned", "no warm-up requests: the first clients wait while the graph is prepared")


def _verified(name, outcome, meaning):
    return Point(name, gate.PASSED, meaning) if outcome == gate.PASSED else Point(name, *outcome.split(": ", 1))


def _warmup(version):
    """The warm-up requests of a version, [] where it has none."""
    path = version / "assets.extra" / requests.WARMUP_FILE
    if not path.exists():
        return []
    try:
        return requests.read_warmup(path)
    except requests.WarmupError as error:
        raise gate.GateError("warmup", str(error)) from error


def _questions(graph, warmup):
    """A request for each signature: of the warm-up, or zeros; and the signatures that no request is known for."""
    known = {request.signature: request for request in warmup}
    skipped = []
    for name, signature in sorted(graph.signatures.items()):
        if name in known:
            continue
        if any(info.dtype == tf.string.as_datatype_enum for info in signature.inputs.values()):
            skipped.append(name)
            continue
        known[name] = requests.Request(name, {key: _zeros(info) for key, info in signature.inputs.items()})
    return [known[name] for name in sorted(known)], skipped


def _zeros(info):
    """Zeros of an input's type and shape: two rows, one of every other size that is open."""
    shape = [_ROWS if i == 0 else 1 for i in range(4)] if info.tensor_shape.unknown_rank else [
        dim.size if dim.size >= 0 else (_ROWS if i == 0 else 1) for i, dim in enumerate(info.tensor_shape.dim)
    ]  # fmt: skip
    return np.zeros(shape, tf.as_dtype(info.dtype).as_numpy_dtype)


def _without(skipped):
    return f"; not asked, because they take strings and no warm-up request shows any: {', '.join(skipped)}" * bool(
        skipped
    )
