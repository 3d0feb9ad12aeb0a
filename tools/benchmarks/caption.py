"""Captions: beam search beside keras-hub's around the same cell, and training beside a GRU of PyTorch.

Both searches go through the same GRU of 512 units over 2,500 words for 20 words of every caption (the end is made so
improbable that none stops before), 5 beams, in one compiled function, and must find captions as probable. Training is
one step of Adam on the head alone: its GRU and the softmax over the words, on captions as long as those of Flickr8k.
PyTorch multiplies all places with the words and masks (`masked`), or those within captions alone (`packed`), as ours.
"""

import sys

import benchmark
import peers
from comparison import Comparison
from harness import Case

SIZES = {"words": 2500, "hidden": 512, "embedding": 300, "length": 21, "latent": 576}
BATCHES = (1, 32)
CAPTIONS = 64


def main():
    arguments = benchmark.parse_arguments("caption", __doc__, rounds=9, slice_seconds=0.6)
    benchmark.check_peers(arguments, "torch", "numpy")
    with benchmark.session() as (start, folder):
        ours = start("tensorflow", sys.executable, "caption_tf.py")
        theirs = peers.torch_workers(start, arguments.peer_python, "caption_torch.py", folder)
        checks = ours.ask("agree", **SIZES, batch=32)
        tokens = ours.ask("tokens", batch=CAPTIONS, **SIZES)
        cases, comparisons = [], []
        for batch in BATCHES:
            asked = {**SIZES, "batch": batch}
            cases += [
                Case(f"ours_beam_{batch}", ours, "beam", {**asked, "peer": False}, batch),
                Case(f"keras_hub_beam_{batch}", ours, "beam", {**asked, "peer": True}, batch),
                Case(f"ours_greedy_{batch}", ours, "greedy", asked, batch),
            ]
            comparisons.append(
                Comparison(f"beam_{batch}/keras_hub_beam_{batch}", f"ours_beam_{batch}", f"keras_hub_beam_{batch}", 1.0)
            )
        cases.append(Case("ours_train", ours, "train", {**SIZES, "batch": CAPTIONS}, tokens))
        for name, worker in theirs.items():
            for way in ("masked", "packed"):
                asked = {**SIZES, "batch": CAPTIONS, "way": way}
                cases.append(Case(f"torch_{name}_{way}", worker, "train", asked, tokens))
                peer = f"torch_{name}_{way}"
                comparisons.append(Comparison(f"train/{peer}", "ours_train", peer, 1.0))
        benchmark.run("caption", arguments, cases, comparisons, "caption or token", {"made": SIZES}, checks)


if __name__ == "__main__":
    benchmark.main(main)
