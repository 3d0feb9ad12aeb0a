"""The gate: what every export passes before a server can see it.

1. reload        Python's TensorFlow alone, in a process that cannot import tfvae, gives the in-memory answers.
2. cpp_loader    So does TensorFlow's C++ loader, which the server uses, in a process without Python's TensorFlow. It
                 refuses exports that Python accepts, such as those with a variable that is not tracked.
3. ops           No function that must be compiled by XLA, every batch axis open, and only ops a plain server can run.
4. warmup        The warm-up requests run; a server does not load a version in which one fails.
5. model_server  `tensorflow_model_server` answers as the model does, where it is on the PATH.
"""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import kernel_def_pb2

from tfvae.models.base import Endpoint
from tfvae.serving import model_server, requests
from tfvae.serving.graph import MetaGraph
from tfvae.serving.isolated import wire
from tfvae.serving.requests import Request
from tfvae.storage.disk import PathLike

PASSED = "passed"
TIMEOUT_SECONDS = 600

Answer: TypeAlias = dict[str, np.ndarray]  # By the names of outputs.

# The list of ops is asked of TensorFlow itself: those with a CPU kernel in its C++ library, which is what a server
# links. Python's own ops and those of add-ons such as tensorflow-text have none there. Some that have one still do not
# belong into a served graph, because they need XLA or touch the server's files.
FORBIDDEN_OPS = ("ReadFile", "WriteFile", "MatchingFiles")
FORBIDDEN_PREFIXES = ("Xla", "_Xla", "TPU")

_RTOL, _ATOL = 1e-4, 1e-4  # Other fusions in graph mode round differently; a wrong weight differs by far more.
_ISOLATED = pathlib.Path(__file__).parent / "isolated"


class Report(NamedTuple):
    """The outcome of each point: "passed" or "not verified: <why>"."""

    ops: str
    cpp_loader: str
    reload: str
    warmup: str
    model_server: str


class GateError(ValueError):
    """An export that must not be served.

    Attributes:
        point: the point of the gate that failed.
        reason: why.
    """

    def __init__(self, point: str, reason: str) -> None:
        super().__init__(f"The export failed the gate at point `{point}`: {reason}")
        self.point, self.reason = point, reason


def silent(line: str) -> None:
    """For those who do not want to hear."""


def check(
    directory: pathlib.Path,
    questions: Sequence[Request],
    expected: Sequence[Answer],
    model_name: str = "model",
    tell: Callable[[str], None] = silent,
) -> Report:
    """Checks a SavedModel.

    Args:
        directory: of the version.
        questions: list of `requests.Request`.
        expected: their in-memory answers, {output name: array} each, in the same order.
        model_name: under which the server would know it.
        tell: called with a line before each point that takes a while.

    Returns:
        `Report`.

    Raises:
        GateError: names the point and the reason.
    """
    graph = MetaGraph(directory)
    check_compilation(graph)
    check_batch_axes(graph)
    try:
        replayed = requests.read_warmup(directory / "assets.extra" / requests.WARMUP_FILE)
    except requests.WarmupError as error:
        raise GateError("warmup", str(error)) from error
    tell("checking: C++ loader, ops and warm-up in one process, reload without tfvae in another")
    with concurrent.futures.ThreadPoolExecutor() as side_by_side:
        job = {"path": str(directory), "requests": [_by_name(question) for question in questions]}
        reload = side_by_side.submit(_run_isolated, "reload.py", job)
        ops, cpp_loader, replay = through_cpp(directory, graph, questions, expected, replayed)
        _compare("reload", questions, expected, reload.result())
    tell("checking: model server")
    try:
        server = model_server.verify(directory, model_name, questions, expected, differs)
    except model_server.ServerError as error:
        raise GateError("model_server", str(error)) from error
    return Report(ops=ops, cpp_loader=cpp_loader, reload=PASSED, warmup=replay, model_server=server)


def check_again(version: PathLike, model_name: str = "model") -> Report:
    """The gate for a version that was exported before, against the answers that it brings; see `check`.

    Raises:
        GateError: also for answers that are missing or damaged.
    """
    try:
        questions, expected = requests.read_answers(pathlib.Path(version))
    except requests.WarmupError as error:
        raise GateError("answers", str(error)) from error
    return check(pathlib.Path(version), questions, expected, model_name)


def through_cpp(
    directory: pathlib.Path,
    graph: MetaGraph,
    questions: Sequence[Request],
    expected: Sequence[Answer],
    replayed: Sequence[Request],
) -> tuple[str, str, str]:
    """Points 2 to 4 in one process of TensorFlow's C++ library."""
    libraries = _libraries()
    if not libraries:
        reason = "not verified: this TensorFlow brings no libtensorflow_cc"
        return reason, reason, reason
    for index, request in enumerate(replayed):
        wrong = graph.misfit(request)
        if wrong:
            raise GateError("warmup", f"record {index}: {wrong}")
    job = {
        "path": str(directory), "libraries": libraries, "ops": sorted(graph.ops),
        "requests": [_by_tensor(graph, request) for request in (*questions, *replayed)],
    }  # fmt: skip
    answers = _run_isolated("cpp.py", job)
    _check_ops(graph.ops, answers["kernels"])
    asked, warmed = answers["answers"][: len(questions)], answers["answers"][len(questions) :]
    _compare("cpp_loader", questions, expected, {"error": answers["error"], "answers": asked})
    for index, answer in enumerate(warmed):
        if "error" in answer:
            raise GateError("warmup", f"record {index} ({replayed[index].signature}) fails: {_short(answer['error'])}")
    return PASSED, PASSED, PASSED


def reloaded(directory: pathlib.Path, questions: Sequence[Request]) -> list[Answer]:
    """The answers of Python's TensorFlow in a process that cannot import tfvae: {name: array} for each question.

    Raises:
        GateError: if the model does not load, or a signature fails.
    """
    asked = [_by_name(question) for question in questions]
    answers = _run_isolated("reload.py", {"path": str(directory), "requests": asked})
    if answers["error"]:
        raise GateError("reload", _short(answers["error"]))
    for question, answer in zip(questions, answers["answers"], strict=True):
        if "error" in answer:
            raise GateError("reload", f"the signature {question.signature!r} fails: {_short(answer['error'])}")
    return [{name: _unpack(tensor) for name, tensor in answer["outputs"].items()} for answer in answers["answers"]]


def check_compilation(graph: MetaGraph) -> None:
    """Checks that a plain server can run the graph.

    Raises:
        GateError: if a part of it must be compiled by XLA.
    """
    compiled = graph.compiled()
    if compiled:
        raise GateError(
            "ops",
            f"{compiled[0]!r} must be compiled by XLA (`_XlaMustCompile`), which a plain server cannot do. "
            "Remove `jit_compile=True` from what the endpoint calls.",
        )


def check_batch_axes(graph: MetaGraph) -> None:
    """Checks that the server can batch requests.

    Raises:
        GateError: if a tensor that goes in or out has no open batch axis.
    """
    for name, kind, argument, info in graph.tensors():
        shape = info.tensor_shape
        if shape.unknown_rank or not shape.dim or shape.dim[0].size != -1:
            raise GateError(
                "ops",
                f"the {kind} {argument!r} of {name!r} has no open batch axis (`None` first), so the server cannot "
                "batch requests.",
            )


def _check_ops(ops: set[str], kernels: Mapping[str, str]) -> None:
    """Only ops with a CPU kernel in TensorFlow's own C++ library: that is what a server links."""
    for op in sorted(ops):
        found = kernel_def_pb2.KernelList.FromString(wire.payload({"dtype": 0, "data": kernels[op]})).kernel
        if op in FORBIDDEN_OPS or op.startswith(FORBIDDEN_PREFIXES):
            raise GateError("ops", f"the op {op!r} does not belong into a served graph.")
        if not any(kernel.device_type in ("CPU", "DEFAULT") for kernel in found):
            raise GateError("ops", f"the op {op!r} is not one of core TensorFlow, so a plain server cannot run it.")


def _compare(point: str, questions: Sequence[Request], expected: Sequence[Answer], answers: Mapping[str, Any]) -> None:
    if answers["error"]:
        raise GateError(point, _short(answers["error"]))
    for question, wanted, answer in zip(questions, expected, answers["answers"], strict=True):
        if "error" in answer:
            raise GateError(point, f"the signature {question.signature!r} fails: {_short(answer['error'])}")
        got = {name: _unpack(tensor) for name, tensor in answer["outputs"].items()}
        reason = differs(got, wanted)
        if reason:
            raise GateError(point, f"the signature {question.signature!r} answers otherwise than the model: {reason}")


def differs(got: Answer, wanted: Answer) -> str:
    """Why two answers are not the same, or an empty string."""
    if sorted(got) != sorted(wanted):
        return f"outputs {sorted(got)} instead of {sorted(wanted)}."
    for name, want in wanted.items():
        have = got[name]
        if have.shape != want.shape:
            return f"{name!r} has shape {list(have.shape)} instead of {list(want.shape)}."
        if name.endswith("_bytes"):
            # The same picture: intensities that differ in the last bit may round to neighbouring gray levels.
            have, want = _pixels(have), _pixels(want)
            same, unit = np.abs(have - want).max(initial=0) <= 1, "gray levels"
        elif want.dtype == object or not np.issubdtype(want.dtype, np.floating):
            same, unit = np.array_equal(have, want), ""
        else:
            same, unit = np.allclose(have, want, rtol=_RTOL, atol=_ATOL), ""
        if not same:
            return f"{name!r} is {_first(have)} where it should be {_first(want)} {unit}".strip() + "."
    return ""


def _pixels(encoded: np.ndarray) -> np.ndarray:
    return np.stack([tf.io.decode_png(image).numpy().astype(np.int32) for image in encoded.reshape(-1)])


def _first(array: np.ndarray) -> str:
    return np.array2string(np.asarray(array).reshape(-1)[:4], precision=5, separator=", ")


def in_memory(served: Mapping[str, Endpoint], questions: Sequence[Request]) -> list[Answer]:
    """The answers of the model itself, on the CPU, by its graphs as they were traced: {name: array} each."""
    with tf.device("CPU:0"), _not_rewritten():
        answers = [
            served[question.signature].function(
                *(tf.constant(question.inputs[spec.name]) for spec in served[question.signature].signature)
            )
            for question in questions
        ]
    return [{name: value.numpy() for name, value in answer.items()} for answer in answers]


@contextlib.contextmanager
def _not_rewritten() -> Iterator[None]:
    """TensorFlow's graph rewriting off: a graph that is asked once is rewritten for longer than it is run."""
    name = "disable_meta_optimizer"
    before = tf.config.optimizer.get_experimental_options().get(name, False)
    tf.config.optimizer.set_experimental_options({name: True})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({name: before})


def _by_tensor(graph: MetaGraph, request: Request) -> dict[str, Any]:
    """A request as the C++ session takes it: by the names of tensors instead of arguments."""
    signature = graph.signatures[request.signature]
    return {
        "inputs": {signature.inputs[name].name: _pack(array) for name, array in request.inputs.items()},
        "outputs": {name: info.name for name, info in signature.outputs.items()},
    }


def _by_name(request: Request) -> dict[str, Any]:
    return {
        "signature": request.signature,
        "inputs": {name: _pack(array) for name, array in request.inputs.items()},
    }


def _pack(array: np.ndarray) -> dict[str, Any]:
    dtype = tf.string if array.dtype == object else tf.as_dtype(array.dtype)
    return wire.pack(array, dtype.as_datatype_enum)


def _unpack(tensor: Mapping[str, Any]) -> np.ndarray:
    data, shape = wire.payload(tensor), tensor["shape"]
    if tensor["dtype"] == wire.STRING:
        return np.array(data, object).reshape(shape)
    return np.frombuffer(data, tf.as_dtype(tensor["dtype"]).as_numpy_dtype).reshape(shape)


def _libraries() -> list[str]:
    """TensorFlow's C++ libraries in the order in which they are loaded, empty where the wheel has none."""
    directory = pathlib.Path(tf.__file__).parent
    for names in (
        ("libtensorflow_framework.so.2", "libtensorflow_cc.so.2"),
        ("libtensorflow_framework.2.dylib", "libtensorflow_cc.2.dylib"),
    ):
        if all((directory / name).is_file() for name in names):
            return [str(directory / name) for name in names]
    return []


def _run_isolated(program: str, job: Mapping[str, Any]) -> dict[str, Any]:
    """Runs one of the isolated programs on a job and returns its answers; on the CPU, beside whoever holds the GPU."""
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2"}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    with tempfile.TemporaryDirectory() as directory:
        job_path, answers_path = pathlib.Path(directory, "job.json"), pathlib.Path(directory, "answers.json")
        job_path.write_text(json.dumps(job))
        command = [sys.executable, str(_ISOLATED / program), str(job_path), str(answers_path)]
        point = "reload" if program == "reload.py" else "cpp_loader"
        try:
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, errors="replace", timeout=TIMEOUT_SECONDS,
                check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise GateError(point, f"no answers after {TIMEOUT_SECONDS} seconds.") from error
        if done.returncode or not answers_path.is_file():
            raise GateError(point, f"the process ended with code {done.returncode}: {_short(done.stderr[-800:])}")
        return json.loads(answers_path.read_text())


def _short(message: str, length: int = 400) -> str:
    message = " ".join(message.split())
    return message if len(message) <= length else message[:length] + " ..."
