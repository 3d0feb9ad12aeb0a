"""The training step of a CNN-VAE and of an AR-CNN-VAE (256 images of 28x28, weight-normalised) beside PyTorch.

Both have the same layers, infer one code an image with the same noise, and step by RMSProp with momentum; eager PyTorch
in its usual memory order and channels_last.
"""

import sys

import benchmark
import drmm_step
import peers
from comparison import Comparison
from harness import Case

IMAGES_A_STEP = 256
KINDS = {"cnn_vae": "convolutional", "ar_cnn_vae": "autoregressive"}
OURS = {"graph": {}, "xla": {"xla": True}}
ORDERS = ("contiguous", "channels_last")


def main():
    arguments = benchmark.parse_arguments("multimodal_step", __doc__, rounds=7, slice_seconds=2.0)
    benchmark.check_peers(arguments, "torch", "numpy")
    with benchmark.session() as (start, folder):
        ours = start("tensorflow", sys.executable, "multimodal_step_tf.py")
        theirs = peers.torch_workers(start, arguments.peer_python, "multimodal_step_torch.py", folder)
        checks, cases, compared = {}, [], []
        for name, kind in KINDS.items():
            recorded = str(folder / f"{name}.npz")
            recorded_step = ours.ask("record_step", kind=kind, path=recorded)
            checks[name] = drmm_step.check_equal(recorded_step, theirs["stock"], recorded)
            cases += [
                Case(f"{name}_ours_{mode}", ours, "step", {"kind": kind, **of}, IMAGES_A_STEP)
                for mode, of in OURS.items()
            ]
            for peer, worker in theirs.items():
                for order in ORDERS:
                    case = f"{name}_torch_{peer}_{order}"
                    cases.append(Case(case, worker, "step", {"recorded": recorded, "order": order}, IMAGES_A_STEP))
                    compared += [
                        Comparison(f"{name}: {mode}/torch_{peer}_{order}", f"{name}_ours_{mode}", case, 1.1)
                        for mode in OURS
                    ]
        benchmark.run("multimodal_step", arguments, cases, compared, "image", "images made from a seed", checks)


if __name__ == "__main__":
    benchmark.main(main)
