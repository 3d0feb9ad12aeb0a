"""Runs a SavedModel through Python's TensorFlow where nothing else that could define the model can be imported.

    python reload.py JOB ANSWERS

JOB is JSON {"path", "requests"}; requests are {"signature", "inputs": {name: tensor}}. ANSWERS is JSON
{"error", "answers"}; an answer is {"outputs"} or {"error"}.
"""

import importlib.abc
import importlib.machinery
import json
import sys

import wire

STRANGERS = ("tfvae", "keras", "tf_keras", "tensorflow_probability", "tensorflow_text", "keras_hub")


class Refuser(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Makes the import of a stranger fail, installed or not; to look for one is allowed, TensorFlow looks for Keras."""

    def find_spec(self, fullname, path=None, target=None):
        return importlib.machinery.ModuleSpec(fullname, self) if fullname.partition(".")[0] in STRANGERS else None

    def create_module(self, spec):
        raise ModuleNotFoundError(f"An export must not need `{spec.name}`.", name=spec.name)

    def exec_module(self, module):
        raise NotImplementedError


def _answer(tf, loaded, request):
    try:
        function = loaded.signatures[request["signature"]]
        outputs = function(**{name: _to_tensor(tf, tensor) for name, tensor in request["inputs"].items()})
    except (tf.errors.OpError, TypeError, ValueError, KeyError) as error:
        return {"error": f"{type(error).__name__}: {error}"}
    return {
        "outputs": {name: wire.pack(value.numpy(), value.dtype.as_datatype_enum) for name, value in outputs.items()}
    }


def _to_tensor(tf, tensor):
    data = wire.payload(tensor)
    if tensor["dtype"] == wire.STRING:
        return tf.reshape(tf.constant(data, tf.string), tensor["shape"])
    return tf.reshape(tf.io.decode_raw(data, tf.dtypes.as_dtype(tensor["dtype"])), tensor["shape"])


def main(job_path, answers_path):
    sys.meta_path.insert(0, Refuser())
    import tensorflow as tf

    # As it was written: the C++ loader beside this one rewrites the graph, which takes most of its time.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    with open(job_path) as file:
        job = json.load(file)
    result = {"error": "", "answers": []}
    try:
        loaded = tf.saved_model.load(job["path"])
        result["answers"] = [_answer(tf, loaded, request) for request in job["requests"]]
    except (tf.errors.OpError, ImportError, OSError, ValueError, KeyError) as error:
        result["error"] = f"{type(error).__name__}: {error}"
    with open(answers_path, "w") as file:
        json.dump(result, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
