"""Images a second that a PixelCNN draws: a step that computes its pixel alone, beside a full pass for every value.

Both are compiled and draw the same images from the same uniform numbers, which is looked at first. 28×28 gray with
Bernoulli pixels and 16 maps, 32×32 in colour with a mixture of logistics and 32 maps.
"""

import sys

import benchmark
from comparison import Comparison
from harness import Case

GOALS = {"28x28x1": 10, "32x32x3": 20}
BATCH = {"28x28x1": 16, "32x32x3": 4}  # A call of the second takes minutes in the naive way.


def main():
    arguments = benchmark.parse_arguments("pixelcnn_sampling", __doc__, rounds=5, slice_seconds=4.0)
    with benchmark.session() as (start, _):
        ours = start("tensorflow", sys.executable, "pixelcnn_sampling_tf.py")
        checks = {image: ours.ask("check", image=image, batch=2) for image in GOALS}
        cases = [
            Case(f"{image}_{way}", ours, way, {"image": image, "batch": BATCH[image]}, BATCH[image])
            for image in GOALS
            for way in ("incremental", "naive")
        ]
        comparisons = [
            Comparison(f"{image}: incremental/naive", f"{image}_incremental", f"{image}_naive", goal)
            for image, goal in GOALS.items()
        ]
        data = {"made": "uniform numbers and maps from a seed"}
        benchmark.run("pixelcnn_sampling", arguments, cases, comparisons, "image", data, checks)


if __name__ == "__main__":
    benchmark.main(main)
