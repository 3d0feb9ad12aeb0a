"""The training step of a deep rendering mixture (ConvSmall, 50 labelled and 50 bare images of 28x28) beside PyTorch.

Both infer, render and step down the same four losses, in eager PyTorch with its usual memory order and channels_last.
"""

import sys

import benchmark
import numpy as np
import peers
from comparison import Comparison
from harness import Case

IMAGES_A_STEP = 100
OURS = {"graph_f32": {}, "xla_f32": {"xla": True}, "graph_bf16": {"precision": "mixed_bfloat16"}}
TOLERANCE = 1e-3  # of the loss, relative; the gradient's norm is allowed ten times as much


def main():
    arguments = benchmark.parse_arguments("drmm_step", __doc__, rounds=7, slice_seconds=1.5)
    benchmark.check_peers(arguments, "torch", "numpy")
    with benchmark.session() as (start, folder):
        ours, recorded = start("tensorflow", sys.executable, "drmm_step_tf.py"), str(folder / "step.npz")
        theirs = peers.torch_workers(start, arguments.peer_python, "drmm_step_torch.py", folder)
        checks = check_equal(ours.ask("record_step", path=recorded), theirs["stock"], recorded)
        cases = [
            Case(f"ours_{name}", ours, "step", {"recorded": recorded, **of}, IMAGES_A_STEP) for name, of in OURS.items()
        ]
        cases += [
            Case(f"torch_{peer}_{order}", worker, "step", {"recorded": recorded, "order": order}, IMAGES_A_STEP)
            for peer, worker in theirs.items()
            for order in ("contiguous", "channels_last")
        ]
        compared = [
            Comparison(
                f"{name}/torch_{peer}_{order}", f"ours_{name}", f"torch_{peer}_{order}", *([1.1] if goal else [])
            )
            for name in OURS
            for peer in theirs
            for order in ("contiguous", "channels_last")
            for goal in [name == "graph_f32"]
        ]
        benchmark.run("drmm_step", arguments, cases, compared, "image", "images made from a seed", checks)


def check_equal(our_step, torch_worker, recorded):
    """Refuses to time models that are not the same: equal weights must give an equal loss and gradient."""
    theirs = torch_worker.ask("check", recorded=recorded)
    for name, tolerance in {"loss": TOLERANCE, "gradient_norm": 10 * TOLERANCE}.items():
        if not np.isclose(theirs[name], our_step[name], rtol=tolerance, atol=0.0):
            raise ValueError(
                f"The {name} of PyTorch is {theirs[name]}, ours is {our_step[name]}, from the same weights. The models "
                "differ, so their speeds cannot be compared: mend one of them."
            )
    return {"tensorflow": our_step, "torch": theirs}


if __name__ == "__main__":
    benchmark.main(main)
