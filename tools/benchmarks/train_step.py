"""ADGM training steps of ours, through `fit` and bare, beside PyTorch's eager steps of the same model.

100 labelled and 100 bare images of 444 pixels, 10 classes summed out, 2x500 hidden units, a and z of 100, Adam.
"""

import sys

import benchmark
import made_data
import numpy as np
import peers
from comparison import Comparison
from harness import Case

IMAGES_A_STEP = 200
NUM_LABELLED = 1000  # in the shards; the experiment takes 100 of them
CLASSES = ("loop", "vectorised", "factored")
TOLERANCE = 1e-3  # of the loss, relative; the gradient's norm is allowed ten times as much
OURS = {
    f"{way}_{mode}_{precision}": (way, {"precision": policy, "xla": mode == "xla"})
    for way in ("fit", "bare")
    for mode in ("graph", "xla")
    for precision, policy in {"f32": "float32", "bf16": "mixed_bfloat16"}.items()
}


def main():
    arguments = benchmark.parse_arguments("train_step", __doc__, rounds=9, slice_seconds=0.6, add=_add_flags)
    benchmark.check_peers(arguments, "torch", "numpy")
    with benchmark.session() as (start, folder):
        images = str(folder / "images.npy")
        data = made_data.save_images(images, arguments.num_images)
        ours = start("tensorflow", sys.executable, "train_step_tf.py")
        shards, recorded = str(folder / "shards"), str(folder / "step.npz")
        ours.ask("write_shards", folder=shards, images=str(folder / "images.npy"), num_labelled=1000, storage="raw")
        theirs = peers.torch_workers(start, arguments.peer_python, "train_step_torch.py", folder)
        checks = check_equal(ours.ask("record_step", shards=shards, path=recorded), theirs["stock"], recorded)
        cases = [
            Case(name, ours, way, {"shards": shards, **kwargs}, IMAGES_A_STEP) for name, (way, kwargs) in OURS.items()
        ]
        for peer, worker in theirs.items():
            cases += torch_cases(peer, worker, recorded)
        benchmark.run("train_step", arguments, cases, comparisons(theirs), "image", data, checks)


def check_equal(our_step, torch_worker, recorded):
    """Refuses to time models that are not the same: equal weights and noise must give an equal loss and gradient."""
    checks = {"tensorflow": our_step}
    for classes in CLASSES:
        checks[f"torch_{classes}"] = theirs = torch_worker.ask("check", recorded=recorded, classes=classes)
        for name, tolerance in {"loss": TOLERANCE, "gradient_norm": 10 * TOLERANCE}.items():
            if not np.isclose(theirs[name], our_step[name], rtol=tolerance, atol=0.0):
                raise ValueError(
                    f"The {name} of PyTorch ({classes}) is {theirs[name]}, ours is {our_step[name]}, from the same "
                    "weights and noise. The models differ, so their speeds cannot be compared: mend one of them."
                )
    return checks


def torch_cases(peer, worker, recorded):
    """The three ways to sum over classes; and what a patient user could still do: fused Adam, bfloat16."""
    variants = {classes: {"classes": classes} for classes in CLASSES}
    variants["factored_fused"] = {"classes": "factored", "fused": True}
    variants["factored_fused_bf16"] = {"classes": "factored", "fused": True, "bfloat16": True}
    return [
        Case(f"torch_{peer}_{name}", worker, "step", {"recorded": recorded, **kwargs}, IMAGES_A_STEP)
        for name, kwargs in variants.items()
    ]


def comparisons(theirs):
    """Goals are set against vectorised steps as people write them; the best PyTorch can do is shown beside."""
    asked = []
    if "avx512" in theirs:
        for name in OURS:
            asked.append(Comparison(f"{name}/torch_avx512_vectorised", name, "torch_avx512_vectorised", 1.3, 1.8))
        for name in OURS:
            best = "torch_avx512_factored_fused" + ("_bf16" if name.endswith("bf16") else "")
            asked.append(Comparison(f"{name}/{best}", name, best))
    for name in OURS:
        asked.append(Comparison(f"{name}/torch_stock_vectorised", name, "torch_stock_vectorised", 2.2))
    for name in OURS:
        asked.append(Comparison(f"{name}/torch_stock_loop", name, "torch_stock_loop"))
    for name in OURS:
        if name.startswith("fit_"):
            bare = name.replace("fit", "bare", 1)
            asked.append(Comparison(f"{name}/{bare}", name, bare, 0.85))
    return asked


def _add_flags(parser):
    parser.add_argument("--num_images", type=int, default=20_000, help="training images, made from a seed")


if __name__ == "__main__":
    benchmark.main(main)
