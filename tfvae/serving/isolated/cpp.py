"""Runs a SavedModel through TensorFlow's C++ loader, as TensorFlow Serving does; Python's TensorFlow is not imported.

    python cpp.py JOB ANSWERS

JOB is JSON {"path", "libraries", "ops", "requests"}: the SavedModel, the shared libraries in the order in which to load
them, op names to look up, and requests {"inputs": {tensor name: tensor}, "outputs": {name: tensor name}}.
ANSWERS is JSON {"version", "kernels": {op: base64 of its KernelList}, "error", "answers"}; an answer is {"outputs"} or
{"error"}.
"""

import base64
import ctypes
import json
import sys
from ctypes import POINTER, Structure, c_char_p, c_int, c_int64, c_size_t, c_void_p

import wire

_TSTRING_BYTES = 24  # sizeof(TF_TString)

# name -> (result, arguments); pointers that are 64 bits wide must be declared, ctypes would cut them to an int.
_FUNCTIONS = {
    "TF_Version": (c_char_p, []),
    "TF_NewStatus": (c_void_p, []),
    "TF_GetCode": (c_int, [c_void_p]),
    "TF_Message": (c_char_p, [c_void_p]),
    "TF_NewGraph": (c_void_p, []),
    "TF_NewSessionOptions": (c_void_p, []),
    "TF_LoadSessionFromSavedModel": (
        c_void_p,
        [c_void_p, c_void_p, c_char_p, POINTER(c_char_p), c_int, c_void_p, c_void_p, c_void_p],
    ),
    "TF_GraphOperationByName": (c_void_p, [c_void_p, c_char_p]),
    "TF_AllocateTensor": (c_void_p, [c_int, POINTER(c_int64), c_int, c_size_t]),
    "TF_DeleteTensor": (None, [c_void_p]),
    "TF_TensorData": (c_void_p, [c_void_p]),
    "TF_TensorType": (c_int, [c_void_p]),
    "TF_TensorByteSize": (c_size_t, [c_void_p]),
    "TF_NumDims": (c_int, [c_void_p]),
    "TF_Dim": (c_int64, [c_void_p, c_int]),
    "TF_StringInit": (None, [c_void_p]),
    "TF_StringCopy": (None, [c_void_p, c_char_p, c_size_t]),
    "TF_StringGetDataPointer": (c_void_p, [c_void_p]),
    "TF_StringGetSize": (c_size_t, [c_void_p]),
    "TF_GetRegisteredKernelsForOp": (c_void_p, [c_char_p, c_void_p]),
    "TF_SessionRun": (
        None,
        [c_void_p, c_void_p, c_void_p, POINTER(c_void_p), c_int, c_void_p, POINTER(c_void_p), c_int,
         c_void_p, c_int, c_void_p, c_void_p],
    ),
}  # fmt: skip


class _Buffer(Structure):
    _fields_ = [("data", c_void_p), ("length", c_size_t), ("deallocator", c_void_p)]


class _Output(Structure):
    _fields_ = [("operation", c_void_p), ("index", c_int)]


class Refused(Exception):
    """TensorFlow's own message."""


def load_library(paths):
    """The C API as one ctypes library with its functions declared."""
    for path in paths[:-1]:
        ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL)
    library = ctypes.CDLL(paths[-1])
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class Session:
    """A SavedModel's graph with restored variables.

    Raises:
        Refused: with the loader's message.
    """

    def __init__(self, library, path):
        self._tf = library
        self._status = library.TF_NewStatus()
        self._graph = library.TF_NewGraph()
        tags = (c_char_p * 1)(b"serve")
        self._session = library.TF_LoadSessionFromSavedModel(
            library.TF_NewSessionOptions(), None, path.encode(), tags, 1, self._graph, None, self._status
        )
        self._check()

    def run(self, inputs, outputs):
        """Feeds packed tensors by tensor name and returns packed tensors by output name."""
        fed = [self._to_tensor(tensor) for tensor in inputs.values()]
        fetched = (c_void_p * len(outputs))()
        try:
            self._tf.TF_SessionRun(
                self._session, None, self._endpoints(inputs), (c_void_p * len(fed))(*fed), len(fed),
                self._endpoints(outputs.values()), fetched, len(outputs), None, 0, None, self._status,
            )  # fmt: skip
            self._check()
            return {name: self._to_json(tensor) for name, tensor in zip(outputs, fetched, strict=True)}
        finally:
            for tensor in (*fed, *fetched):
                if tensor:
                    self._tf.TF_DeleteTensor(tensor)

    def _check(self):
        if self._tf.TF_GetCode(self._status):
            raise Refused(self._tf.TF_Message(self._status).decode("utf-8", "replace"))

    def _endpoints(self, names):
        endpoints = (_Output * len(names))()
        for endpoint, name in zip(endpoints, names, strict=True):
            operation, _, index = name.partition(":")
            endpoint.operation = self._tf.TF_GraphOperationByName(self._graph, operation.encode())
            endpoint.index = int(index)
            if not endpoint.operation:
                raise Refused(f"The graph has no operation {operation!r}.")
        return endpoints

    def _to_tensor(self, tensor):
        data, shape = wire.payload(tensor), tensor["shape"]
        is_string = tensor["dtype"] == wire.STRING
        num_bytes = _TSTRING_BYTES * len(data) if is_string else len(data)
        pointer = self._tf.TF_AllocateTensor(tensor["dtype"], (c_int64 * len(shape))(*shape), len(shape), num_bytes)
        start = self._tf.TF_TensorData(pointer)
        if not is_string:
            ctypes.memmove(start, data, num_bytes)
            return pointer
        for index, item in enumerate(data):
            self._tf.TF_StringInit(start + index * _TSTRING_BYTES)
            self._tf.TF_StringCopy(start + index * _TSTRING_BYTES, item, len(item))
        return pointer

    def _to_json(self, pointer):
        dtype = self._tf.TF_TensorType(pointer)
        shape = [self._tf.TF_Dim(pointer, axis) for axis in range(self._tf.TF_NumDims(pointer))]
        start, num_bytes = self._tf.TF_TensorData(pointer), self._tf.TF_TensorByteSize(pointer)
        if dtype == wire.STRING:
            cells = range(start, start + num_bytes, _TSTRING_BYTES) if num_bytes else ()
            data = [_base64(self._tf.TF_StringGetDataPointer(s), self._tf.TF_StringGetSize(s)) for s in cells]
        else:
            data = _base64(start, num_bytes)
        return {"dtype": dtype, "shape": shape, "data": data}


def kernels(library, op):
    """The serialised KernelList of an op, empty for one that the library does not know."""
    status = library.TF_NewStatus()
    pointer = library.TF_GetRegisteredKernelsForOp(op.encode(), status)
    if library.TF_GetCode(status) or not pointer:
        return ""
    found = ctypes.cast(pointer, POINTER(_Buffer)).contents
    return _base64(found.data, found.length)


def _base64(start, num_bytes):
    return base64.b64encode(ctypes.string_at(start, num_bytes) if num_bytes else b"").decode("ascii")


def _answer(session, request):
    try:
        return {"outputs": session.run(request["inputs"], request["outputs"])}
    except Refused as error:
        return {"error": str(error)}


def main(job_path, answers_path):
    with open(job_path) as file:
        job = json.load(file)
    library = load_library(job["libraries"])
    result = {"version": library.TF_Version().decode(), "error": "", "answers": []}
    result["kernels"] = {op: kernels(library, op) for op in job["ops"]}
    try:
        session = Session(library, job["path"])
        result["answers"] = [_answer(session, request) for request in job["requests"]]
    except Refused as error:
        result["error"] = str(error)
    if "tensorflow" in sys.modules:
        result["error"] = "Python's TensorFlow was imported, so this was no test of the C++ loader alone."
    with open(answers_path, "w") as file:
        json.dump(result, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
