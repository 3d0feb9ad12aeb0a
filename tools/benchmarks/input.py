"""Batches a second of our input, in memory and from shards, beside PyTorch's DataLoader.

100 labelled and 100 bare images a batch, of 28x28 pixels, of which 444 are kept and binarised anew; from shards, 100
bare ones. The step that reads them is timed too, to say which share of it the input takes.
"""

import sys

import benchmark
import made_data
import numpy as np
from comparison import Comparison
from harness import Case

NUM_LABELLED = 1000
COMPARISONS = [
    Comparison("mixed/dataloader_2_workers", "mixed", "dataloader_2_workers", 5),
    Comparison("mixed/dataloader_0_workers", "mixed", "dataloader_0_workers"),
    Comparison("mixed/numpy_by_hand", "mixed", "numpy_by_hand"),
    Comparison("mixed_share_of_adgm_step_graph", "mixed", "adgm_step_graph", 0.02, share=True),
    Comparison("mixed_share_of_adgm_step_xla", "mixed", "adgm_step_xla", 0.02, share=True),
    Comparison("png_shards/dataloader_pil_2_workers", "png_shards", "dataloader_pil_2_workers", 1.5),
    Comparison("png_shards/dataloader_pil_0_workers", "png_shards", "dataloader_pil_0_workers", 1.5),
    Comparison("raw_shards/dataloader_pil_2_workers", "raw_shards", "dataloader_pil_2_workers", 3),
    Comparison("raw_shards/dataloader_pil_0_workers", "raw_shards", "dataloader_pil_0_workers", 3),
]


def main():
    arguments = benchmark.parse_arguments("input", __doc__, rounds=9, slice_seconds=0.5, add=_add_flags)
    benchmark.check_peers(arguments, "torch", "numpy", "PIL")
    with benchmark.session() as (start, folder):
        images, kept = str(folder / "images.npy"), str(folder / "kept.npy")
        data = made_data.save_images(images, arguments.num_images)
        np.save(kept, made_data.middle_pixels().ravel())
        ours = start("tensorflow", sys.executable, "input_tf.py")
        shards = {storage: str(folder / storage) for storage in ("raw", "png")}
        for storage, path in shards.items():
            ours.ask("write_shards", folder=path, images=images, num_labelled=NUM_LABELLED, storage=storage)
        theirs = start("torch", arguments.peer_python, "input_torch.py")
        cases = our_cases(ours, shards) + their_cases(theirs, {"images": images, "kept": kept})
        benchmark.run("input", arguments, cases, COMPARISONS, "batch", data)


def our_cases(worker, shards):
    step = {"shards": shards["raw"], "precision": "float32"}
    return [
        Case("mixed", worker, "mixed", {"shards": shards["raw"]}),
        *(
            Case(f"{storage}_shards", worker, "streamed", {"shards": path, "storage": storage})
            for storage, path in shards.items()
        ),
        Case("adgm_step_graph", worker, "bare", {**step, "xla": False}),
        Case("adgm_step_xla", worker, "bare", {**step, "xla": True}),
    ]


def their_cases(worker, files):
    return [
        Case("numpy_by_hand", worker, "by_hand", files),
        *(Case(f"dataloader_{n}_workers", worker, "mixed", {**files, "num_workers": n}) for n in (0, 2)),
        *(Case(f"dataloader_pil_{n}_workers", worker, "png", {**files, "num_workers": n}) for n in (0, 2)),
    ]


def _add_flags(parser):
    parser.add_argument("--num_images", type=int, default=20_000, help="training images, made from a seed")


if __name__ == "__main__":
    benchmark.main(main)
