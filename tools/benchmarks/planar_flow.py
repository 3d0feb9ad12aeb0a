"""A planar flow of length 80 over 64 dimensions: draws, their densities and the gradients of both, beside PyTorch.

PyTorch goes from layer to layer, as the flow is usually written; ours solves one triangular system.
"""

import sys

import benchmark
import numpy as np
import peers
from comparison import Comparison
from harness import Case

ROWS = 100
OURS = {"graph": {}, "xla": {"xla": True}}
TOLERANCE = 1e-3


def main():
    arguments = benchmark.parse_arguments("planar_flow", __doc__, rounds=7, slice_seconds=1.0)
    benchmark.check_peers(arguments, "torch", "numpy")
    with benchmark.session() as (start, folder):
        ours, recorded = start("tensorflow", sys.executable, "planar_flow_tf.py"), str(folder / "flow.npz")
        theirs = peers.torch_workers(start, arguments.peer_python, "planar_flow_torch.py", folder)
        checks = check_equal(ours.ask("record_step", path=recorded), theirs["stock"], recorded)
        cases = [Case(f"ours_{name}", ours, "step", {"recorded": recorded, **of}, ROWS) for name, of in OURS.items()]
        cases += [
            Case(f"torch_{peer}", worker, "step", {"recorded": recorded}, ROWS) for peer, worker in theirs.items()
        ]
        compared = [
            Comparison(f"{name}/torch_{peer}", f"ours_{name}", f"torch_{peer}", *([1.2] if name == "xla" else []))
            for name in OURS
            for peer in theirs
        ]
        benchmark.run("planar_flow", arguments, cases, compared, "row", "parameters made from a seed", checks)


def check_equal(our_step, torch_worker, recorded):
    """Refuses to time flows that are not the same."""
    theirs = torch_worker.ask("check", recorded=recorded)
    for name, value in our_step.items():
        if not np.isclose(theirs[name], value, rtol=TOLERANCE, atol=0.0):
            raise ValueError(
                f"The {name} of PyTorch is {theirs[name]}, ours is {value}, from the same parameters. The flows "
                "differ, so their speeds cannot be compared: mend one of them."
            )
    return {"tensorflow": our_step, "torch": theirs}


if __name__ == "__main__":
    benchmark.main(main)
