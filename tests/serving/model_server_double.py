"""A test double of `tensorflow_model_server`: takes its flags, answers REST and gRPC requests from a SavedModel.

It shows that the gate's client speaks both protocols; it shows nothing about the real server.
"""

import argparse
import base64
import concurrent.futures
import http.server
import json
import pathlib

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2


class Model:
    def __init__(self, base):
        version = max(int(path.name) for path in pathlib.Path(base).iterdir())
        self._signatures = tf.saved_model.load(f"{base}/{version}").signatures

    def __call__(self, signature, inputs):
        function = self._signatures[signature]
        specs = function.structured_input_signature[1]
        outputs = function(**{name: tf.constant(value, specs[name].dtype) for name, value in inputs.items()})
        return {name: value.numpy() for name, value in outputs.items()}


def serve_grpc(port, model):
    def predict(message, context):
        inputs = {name: tf.make_ndarray(tensor) for name, tensor in message.inputs.items()}
        response = predict_pb2.PredictResponse()
        for name, array in model(message.model_spec.signature_name, inputs).items():
            response.outputs[name].CopyFrom(tf.make_tensor_proto(array))
        return response

    handler = grpc.unary_unary_rpc_method_handler(
        predict, predict_pb2.PredictRequest.FromString, lambda message: message.SerializeToString()
    )
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(1))
    service = grpc.method_handlers_generic_handler("tensorflow.serving.PredictionService", {"Predict": handler})
    server.add_generic_rpc_handlers([service])
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return server


def serve_rest(port, model):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self._reply(200, {"model_version_status": [{"version": "1", "state": "AVAILABLE"}]})

        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            try:
                outputs = model(asked["signature_name"], {n: _decoded(v) for n, v in asked["inputs"].items()})
            except (tf.errors.OpError, KeyError) as error:
                return self._reply(400, {"error": str(error)})
            outputs = {name: _encoded(name, array) for name, array in outputs.items()}
            # As the server does: a single output comes without its name.
            return self._reply(200, {"outputs": outputs if len(outputs) > 1 else next(iter(outputs.values()))})

        def _reply(self, code, content):
            self.send_response(code)
            self.end_headers()
            self.wfile.write(json.dumps(content).encode())

        def log_message(self, *args):
            pass

    http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()


def _decoded(value):
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [base64.b64decode(item["b64"]) for item in value]
    return value


def _encoded(name, array):
    if array.dtype != object:
        return np.asarray(array).tolist()
    if name.endswith("_bytes"):
        return [{"b64": base64.b64encode(item).decode()} for item in array]
    return [item.decode() for item in array]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for flag, kind in (("port", int), ("rest_api_port", int), ("model_name", str), ("model_base_path", str)):
        parser.add_argument(f"--{flag}", type=kind)
    flags = parser.parse_args()
    loaded = Model(flags.model_base_path)
    grpc_server = serve_grpc(flags.port, loaded)
    serve_rest(flags.rest_api_port, loaded)
