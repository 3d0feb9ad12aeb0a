"""Our recurrent cells beside those of keras.layers, which stay in the package only as long as they win.

A `sequence` is a batch of embedded captions through a cell, forward and backward, as training does it; a `step` is one
step of a decoder over all beams, the projection of its words included. Both cells have the same weights and must give
the same states first. Keras runs its layer as it is written by default, and unrolled.
"""

import sys

import benchmark
from comparison import Comparison
from harness import Case

# Those of the Flickr8k preset: captions of 20 words, 100 images of 5 beams.
SIZES = {"batch": 64, "length": 20, "inputs": 200, "units": 200}
STEP = {"rows": 500, "inputs": 200, "units": 200}
CELLS = ("gru", "lstm")
WAYS = ("keras", "keras_unrolled")


def main():
    arguments = benchmark.parse_arguments("cells", __doc__, rounds=15, slice_seconds=0.3)
    with benchmark.session() as (start, _):
        worker = start("tensorflow", sys.executable, "cells_tf.py")
        checks = {kind: worker.ask("agree", kind=kind, **SIZES) for kind in CELLS}
        print("largest difference of h, ours and Keras':", checks)
        if max(checks.values()) > 1e-5:
            raise ValueError(f"The cells do not agree, so that there is nothing to time: {checks}.")
        cases, comparisons = [], []
        for kind in CELLS:
            for xla in (False, True):
                name = f"{kind}_{'xla' if xla else 'graph'}"
                asked = {"kind": kind, "xla": xla}
                for way in ("ours", *WAYS):
                    cases.append(Case(f"sequence_{name}_{way}", worker, "sequence", {**asked, **SIZES, "way": way}, 64))
                for way in ("ours", "keras"):
                    cases.append(Case(f"step_{name}_{way}", worker, "step", {**asked, **STEP, "way": way}, 500))
                comparisons += [
                    Comparison(f"sequence, {name}: ours/{way}", f"sequence_{name}_ours", f"sequence_{name}_{way}", 1)
                    for way in WAYS
                ]
                comparisons.append(
                    Comparison(f"step, {name}: ours/keras", f"step_{name}_ours", f"step_{name}_keras", 1)
                )
        data = {"made": "normal inputs", "sequence": SIZES, "step": STEP}
        benchmark.run("cells", arguments, cases, comparisons, "row", data, checks)


if __name__ == "__main__":
    benchmark.main(main)
