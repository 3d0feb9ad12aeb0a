"""The exported signature `classify` of ADGM beside onnxruntime running the same network.

Both take intensities [B, 28, 28, 1]. onnxruntime is faster; at one image most of our time is the call itself, and no
goal is set there.
"""

import sys

import benchmark
import made_data
from comparison import Comparison
from harness import Case

NUM_IMAGES, NUM_LABELLED = 2000, 1000
BATCH_SIZES = (1, 256)
TOLERANCE = 1e-4  # of a probability
COMPARISONS = [
    Comparison("signature_256/onnxruntime_256", "signature_256", "onnxruntime_256", 0.6),
    Comparison("signature_1/onnxruntime_1", "signature_1", "onnxruntime_1"),
]


def main():
    arguments = benchmark.parse_arguments("serve", __doc__, rounds=15, slice_seconds=0.4)
    benchmark.check_peers(arguments, "onnx", "onnxruntime", "numpy")
    with benchmark.session() as (start, folder):
        images, shards, weights = str(folder / "images.npy"), str(folder / "shards"), str(folder / "weights.npz")
        data = made_data.save_images(images, NUM_IMAGES)
        ours = start("tensorflow", sys.executable, "serve_tf.py")
        theirs = start("onnxruntime", arguments.peer_python, "serve_onnx.py")
        ours.ask("write_shards", folder=shards, images=images, num_labelled=NUM_LABELLED, storage="raw")
        model = str(folder / "model")
        ours.ask("write_model", shards=shards, images=images, folder=model, weights=weights)
        difference = theirs.ask("check", weights=weights, images=images)
        if not difference <= TOLERANCE:
            raise ValueError(
                f"The probabilities of the ONNX graph and of the signature differ by {difference}, which is more than "
                f"{TOLERANCE}: they are not the same network, so their speeds cannot be compared."
            )
        cases = []
        for size in BATCH_SIZES:
            request = {"images": images, "batch_size": size}
            cases.append(Case(f"signature_{size}", ours, "classify", {**request, "folder": model}, size))
            cases.append(Case(f"onnxruntime_{size}", theirs, "classify", {**request, "weights": weights}, size))
        checks = {"largest_probability_difference": difference}
        benchmark.run("serve", arguments, cases, COMPARISONS, "image", data, checks)


if __name__ == "__main__":
    benchmark.main(main)
