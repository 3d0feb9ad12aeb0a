"""Our pooling and unpooling by one map, beside PyTorch's and beside the memory's speed.

A call pools [64, H, W, C] and unpools it again. What the memory allows is one copy of the maps for that (they are read
once and written once), and two for forward and backward. PyTorch runs both of the ways in which it is commonly written:
`gather` and `max_unpool2d` on NCHW, and a product with a one-hot mask; the faster one is the peer.
"""

import sys

import benchmark
from comparison import Comparison
from harness import Case

SHAPES = {"mnist_3x3": ((64, 21, 21, 30), 3), "cifar_2x2": ((64, 16, 16, 128), 2)}
# Of forward against a copy, forward and backward against two copies, and with sampling against PyTorch.
GOALS = {"mnist_3x3": (None, None, 1.2), "cifar_2x2": (0.8, 0.6, 5.0)}
VARIANTS = {"forward": (False, False), "both": (False, True), "sampled": (True, True)}


def main():
    arguments = benchmark.parse_arguments("unpooling", __doc__, rounds=15, slice_seconds=0.3)
    benchmark.check_peers(arguments, "torch", "numpy")
    with benchmark.session() as (start, _):
        ours = start("tensorflow", sys.executable, "unpooling_tf.py")
        theirs = start("torch", arguments.peer_python, "unpooling_torch.py")
        cases, comparisons = [], []
        for name, (shape, block) in SHAPES.items():
            request = {"shape": shape, "block": block}
            cases.append(Case(f"copy_{name}", ours, "copy", {"shape": shape}, shape[0]))
            for variant, (sampled, backward) in VARIANTS.items():
                asked = {**request, "sampled": sampled, "backward": backward}
                for xla in (False, True):
                    cases.append(
                        Case(f"{_ours(xla)}_{name}_{variant}", ours, "pool_and_unpool", {**asked, "xla": xla}, shape[0])
                    )
                for way in ("gather", "mask"):
                    cases.append(
                        Case(f"{way}_{name}_{variant}", theirs, "pool_and_unpool", {**asked, "way": way}, shape[0])
                    )
            comparisons += _comparisons(name)
        data = {"made": "normal maps, uniform positions", "shapes": SHAPES}
        benchmark.run("unpooling", arguments, cases, comparisons, "image", data)


def _ours(xla):
    return "xla" if xla else "graph"


def _comparisons(name):
    forward, both, sampled = GOALS[name]
    made = [
        Comparison(f"{name}: forward/copy", f"xla_{name}_forward", f"copy_{name}", forward),
        # Two copies are the bound: half the ratio to one copy is what is reached of it.
        Comparison(f"{name}: both/copy (goal is half)", f"xla_{name}_both", f"copy_{name}", both and both / 2),
    ]
    for way in ("gather", "mask"):
        made.append(Comparison(f"{name}: sampled/torch {way}", f"xla_{name}_sampled", f"{way}_{name}_sampled", sampled))
        made.append(Comparison(f"{name}: both/torch {way}", f"xla_{name}_both", f"{way}_{name}_both"))
    made.append(Comparison(f"{name}: sampled, XLA/graph", f"xla_{name}_sampled", f"graph_{name}_sampled"))
    return made


if __name__ == "__main__":
    benchmark.main(main)
