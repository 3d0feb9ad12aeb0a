"""The same classifier as an ONNX graph, run by onnxruntime."""

import numpy as np
import onnx
import onnxruntime
import worker
from onnx import TensorProto, helper, numpy_helper

AUXILIARY = 100
_OPSET, _IR = 17, 9


def graph(weights):
    """q(y | a, x) at the mean a of q(a | x): image [B, 28, 28, 1] in [0, 1] -> probabilities and class."""
    arrays = np.load(weights)
    nodes, constants = [], []

    def constant(name, array):
        constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(kind, inputs, output, **attributes):
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def network(name, x):
        for i in range(3):
            kernel = constant(f"{name}/{i}/kernel", arrays[f"{name}/{2 * i}"])
            bias = constant(f"{name}/{i}/bias", arrays[f"{name}/{2 * i + 1}"])
            x = node("Gemm", [x, kernel, bias], f"{name}/{i}")
            x = node("Relu", [x], f"{name}/{i}/relu") if i < 2 else x
        return x

    rows = node("Flatten", ["image"], "rows")
    x = node("Gather", [rows, constant("kept", arrays["kept"].astype(np.int64))], "x", axis=1)
    params = network("q_a_given_x", x)
    begin, end, axis = (constant(f"slice/{n}", np.array([n], np.int64)) for n in (0, AUXILIARY, 1))
    a = node("Slice", [params, begin, end, axis], "a")
    logits = network("q_y_given_ax", node("Concat", [a, x], "ax", axis=1))
    node("Softmax", [logits], "probabilities", axis=1)
    node("ArgMax", [logits], "class", axis=1, keepdims=0)
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [None, 28, 28, 1])
    answers = [
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, arrays["q_y_given_ax/5"].size]),
        helper.make_tensor_value_info("class", TensorProto.INT64, [None]),
    ]
    made = helper.make_graph(nodes, "classify", [image], answers, constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)
    onnx.checker.check_model(model)
    return model


def classify(weights, images, batch_size):
    """One request to a session with the defaults of onnxruntime: all its optimisations, a thread a core."""
    session = _session(weights)
    image = _images(images, batch_size)
    return worker.repeated(lambda: session.run(None, {"image": image}))


def check(weights, images):
    """The largest difference between its probabilities and those of the exported signature."""
    expected = np.load(weights)["probs"]
    probs, _ = _session(weights).run(None, {"image": _images(images, len(expected))})
    return float(np.abs(probs - expected).max())


def _session(weights):
    return onnxruntime.InferenceSession(graph(weights).SerializeToString(), providers=["CPUExecutionProvider"])


def _images(images, batch_size):
    return np.load(images)[:batch_size].astype(np.float32) / 255


if __name__ == "__main__":
    versions = {"onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__, "numpy": np.__version__}
    worker.serve({"classify": classify}, {"check": check}, versions)
