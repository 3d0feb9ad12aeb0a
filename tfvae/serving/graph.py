"""The saved_model.pb of a version, read without loading it."""

import pathlib
from collections.abc import Iterator
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tfvae.serving.requests import Request
from tfvae.storage.disk import PathLike


class MetaGraph:
    """The graph with its signatures.

    Attributes:
        signatures: {name: SignatureDef}, without those that TensorFlow keeps for itself.
        ops: names of all ops in it and in its functions.
    """

    def __init__(self, directory: PathLike) -> None:
        saved = saved_model_pb2.SavedModel.FromString(pathlib.Path(directory, "saved_model.pb").read_bytes())
        graph = saved.meta_graphs[0]
        self.signatures = {name: s for name, s in graph.signature_def.items() if not name.startswith("__")}
        self._functions = graph.graph_def.library.function
        self._nodes = [*graph.graph_def.node, *(node for function in self._functions for node in function.node_def)]
        self.ops = {node.op for node in self._nodes} - {function.signature.name for function in self._functions}

    def compiled(self) -> list[str]:
        """Names of functions and nodes that XLA must compile."""
        named = [(f.signature.name, f.attr) for f in self._functions] + [(node.name, node.attr) for node in self._nodes]
        return [name for name, attr in named if "_XlaMustCompile" in attr and attr["_XlaMustCompile"].b]

    def tensors(self) -> Iterator[tuple[str, str, str, Any]]:
        """(signature, "input" or "output", argument, TensorInfo) of everything that goes in and out."""
        for name, signature in sorted(self.signatures.items()):
            for kind, tensors in (("input", signature.inputs), ("output", signature.outputs)):
                for argument, info in sorted(tensors.items()):
                    yield name, kind, argument, info

    def shapes(self) -> dict[str, dict[str, dict[str, str]]]:
        """{signature: {"inputs": {argument: "float32 [None, 8, 8, 1]"}, "outputs": ...}}."""
        shapes: dict[str, dict[str, dict[str, str]]] = {
            name: {"inputs": {}, "outputs": {}} for name in sorted(self.signatures)
        }
        for name, kind, argument, info in self.tensors():
            shape = tf.TensorShape(info.tensor_shape).as_list()
            shapes[name][f"{kind}s"][argument] = f"{tf.as_dtype(info.dtype).name} {shape}"
        return shapes

    def misfit(self, request: Request) -> str:
        """Why a request does not fit the signatures, or an empty string."""
        signature = self.signatures.get(request.signature)
        if signature is None:
            return f"there is no signature {request.signature!r}, only {sorted(self.signatures)}."
        if sorted(request.inputs) != sorted(signature.inputs):
            return (
                f"{request.signature!r} takes {sorted(signature.inputs)}, the request holds {sorted(request.inputs)}."
            )
        return ""
