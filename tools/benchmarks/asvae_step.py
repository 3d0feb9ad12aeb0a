"""The training step of an adversarial symmetric VAE, both players, beside PyTorch.

784-500-64 both ways, critics of 500 and 500 units, 100 images; critics step first, then the model, each with Adam.
"""

import sys

import benchmark
import numpy as np
import peers
from comparison import Comparison
from harness import Case

IMAGES_A_STEP = 100
OURS = {"graph": {}, "xla": {"xla": True}}
TOLERANCE = 1e-3  # of losses, relative; gradients' norms are allowed ten times as much


def main():
    arguments = benchmark.parse_arguments("asvae_step", __doc__, rounds=7, slice_seconds=1.5)
    benchmark.check_peers(arguments, "torch", "numpy")
    with benchmark.session() as (start, folder):
        ours, recorded = start("tensorflow", sys.executable, "asvae_step_tf.py"), str(folder / "step.npz")
        theirs = peers.torch_workers(start, arguments.peer_python, "asvae_step_torch.py", folder)
        checks = check_equal(ours.ask("record_step", path=recorded), theirs["stock"], recorded)
        cases = [Case(f"ours_{name}", ours, "step", of, IMAGES_A_STEP) for name, of in OURS.items()]
        cases += [
            Case(f"torch_{peer}", worker, "step", {"recorded": recorded}, IMAGES_A_STEP)
            for peer, worker in theirs.items()
        ]
        compared = [
            Comparison(f"{name}/torch_{peer}", f"ours_{name}", f"torch_{peer}", *([1.2] if name == "xla" else []))
            for name in OURS
            for peer in theirs
        ]
        benchmark.run("asvae_step", arguments, cases, compared, "image", "images made from a seed", checks)


def check_equal(our_step, torch_worker, recorded):
    """Refuses to time models that are not the same: equal weights and noise must give equal losses and gradients."""
    theirs = torch_worker.ask("check", recorded=recorded)
    for name, value in our_step.items():
        tolerance = 10 * TOLERANCE if name.startswith("gradient") else TOLERANCE
        if not np.isclose(theirs[name], value, rtol=tolerance, atol=0.0):
            raise ValueError(
                f"The {name} of PyTorch is {theirs[name]}, ours is {value}, from the same weights and noise. The "
                "models differ, so their speeds cannot be compared: mend one of them."
            )
    return {"tensorflow": our_step, "torch": theirs}


if __name__ == "__main__":
    benchmark.main(main)
