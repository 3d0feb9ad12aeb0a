"""Asks `tensorflow_model_server` itself, over REST and gRPC, where it is installed."""

import base64
import contextlib
import json
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TextIO, TypeAlias

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import prediction_service_pb2_grpc

from tfvae.serving import requests
from tfvae.serving.requests import Request

BINARY = "tensorflow_model_server"
START_SECONDS = 120


Answer: TypeAlias = dict[str, np.ndarray]  # By the names of outputs.


class ServerError(ValueError):
    """The server did not load the version, or answers otherwise."""


def verify(
    directory: pathlib.Path,
    model_name: str,
    questions: Sequence[Request],
    expected: Sequence[Answer],
    differs: Callable[[Answer, Answer], str],
) -> str:
    """Serves a version and asks it every question both ways.

    Args:
        directory: of the version.
        model_name: the name to serve it under.
        questions, expected: as in `tfvae.serving.gate.check`.
        differs: (got, wanted) -> why they differ, or an empty string.

    Returns:
        "passed", or "not verified: <why>" without the server.

    Raises:
        ServerError: with the reason.
    """
    binary = shutil.which(BINARY)
    if not binary:
        return f"not verified: no {BINARY} on the PATH"
    with _serving(binary, directory, model_name) as (grpc_port, rest_port):
        for question, wanted in zip(questions, expected, strict=True):
            for protocol, ask, port in (("gRPC", _ask_grpc, grpc_port), ("REST", _ask_rest, rest_port)):
                reason = differs(ask(port, model_name, question, wanted), wanted)
                if reason:
                    raise ServerError(f"{question.signature!r} over {protocol}: {reason}")
    return "passed"


@contextlib.contextmanager
def _serving(binary: str, directory: pathlib.Path, model_name: str) -> Iterator[tuple[int, int]]:
    """A running server that has loaded the version; yields its two ports."""
    grpc_port, rest_port = _free_port(), _free_port()
    with tempfile.TemporaryDirectory() as base, open(pathlib.Path(base, "log"), "w+") as log:
        model = pathlib.Path(base, model_name)
        model.mkdir()
        (model / "1").symlink_to(pathlib.Path(directory).absolute())
        server = subprocess.Popen(
            [
                binary, f"--port={grpc_port}", f"--rest_api_port={rest_port}", f"--model_name={model_name}",
                f"--model_base_path={model}",
            ],
            stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            _wait(server, rest_port, model_name, log)
            yield grpc_port, rest_port
        finally:
            server.terminate()
            try:
                server.wait(timeout=30)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait(server: subprocess.Popen, port: int, model_name: str, log: TextIO) -> None:
    """Until the version is available."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models/{model_name}", timeout=5) as response:
                status = json.load(response)["model_version_status"][0]
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            status = {}
        if status.get("state") == "AVAILABLE":
            return
        if status.get("state") == "END":
            break
        time.sleep(0.2)
    log.seek(0)
    raise ServerError(f"the server did not load the version: {' '.join(log.read()[-600:].split())}")


def _ask_rest(port: int, model_name: str, question: Request, wanted: Answer) -> Answer:
    payload = {"signature_name": question.signature, "inputs": {n: _to_json(a) for n, a in question.inputs.items()}}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/models/{model_name}:predict", json.dumps(payload).encode()
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            outputs = json.load(response)["outputs"]
    except urllib.error.HTTPError as error:
        raise ServerError(f"{question.signature!r} over REST: {error.read().decode(errors='replace')[:400]}") from error
    if not isinstance(outputs, dict):  # A single output comes without its name.
        outputs = {next(iter(wanted)): outputs}
    return {name: _from_json(value, wanted.get(name)) for name, value in outputs.items()}


def _to_json(array: np.ndarray) -> list:
    if array.dtype == object:
        return [{"b64": base64.b64encode(item).decode("ascii")} for item in array]
    return array.tolist()


def _from_json(value: Any, wanted: np.ndarray | None) -> np.ndarray:
    """Strings come as text, or as {"b64": ...} where the output's name ends in `_bytes`."""
    if wanted is None or wanted.dtype != object:
        return np.asarray(value, None if wanted is None else wanted.dtype)
    return np.array([base64.b64decode(s["b64"]) if isinstance(s, dict) else s.encode() for s in value], object)


def _ask_grpc(port: int, model_name: str, question: Request, wanted: Answer) -> Answer:
    del wanted
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.max_receive_message_length", -1)]) as channel:
        service = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        try:
            response = service.Predict(requests.to_message(question, model_name), timeout=60)
        except grpc.RpcError as error:
            raise ServerError(f"{question.signature!r} over gRPC: {error.details()}") from error
    return {name: tf.make_ndarray(tensor) for name, tensor in response.outputs.items()}
