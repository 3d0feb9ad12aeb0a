"""Test time of the DGDN's encoder, an image: what Pu et al. 2016, table 1, set beside Gibbs sampling and MCEM.

The network is that of their MNIST rows; the weights are as initialised, which takes as long as trained ones. A call
classifies a batch: from the mean code, and averaged over 50 codes as the source's errors are. Gibbs sampling and MCEM
infer the code by chains of ten sweeps; the source does not say how many its times are of.
"""

import sys

import benchmark
from comparison import Comparison
from harness import Case

BATCH = 100
SAMPLES = 50
CHAIN_BATCH = 10


def main():
    arguments = benchmark.parse_arguments("encode", __doc__, rounds=15, slice_seconds=0.5)
    with benchmark.session() as (start, _):
        ours = start("tensorflow", sys.executable, "encode_tf.py")
        cases = [
            Case("mean_code", ours, "classify", {"batch": BATCH, "num_samples": 1, "deterministic": False}, BATCH),
            Case("mean_code_vae_d", ours, "classify", {"batch": BATCH, "num_samples": 1, "deterministic": True}, BATCH),
            Case("50_codes", ours, "classify", {"batch": BATCH, "num_samples": SAMPLES, "deterministic": False}, BATCH),
            Case("one_image", ours, "classify", {"batch": 1, "num_samples": 1, "deterministic": False}, 1),
            Case("gibbs_10_sweeps", ours, "sampled", {"batch": CHAIN_BATCH, "kind": "gibbs"}, CHAIN_BATCH),
            Case("mcem_10_sweeps", ours, "sampled", {"batch": CHAIN_BATCH, "kind": "mcem"}, CHAIN_BATCH),
        ]
        comparisons = [
            Comparison("mean code/50 codes", "mean_code", "50_codes"),
            Comparison("mean code/Gibbs, 10 sweeps", "mean_code", "gibbs_10_sweeps", 100),
            Comparison("mean code/MCEM, 10 sweeps", "mean_code", "mcem_10_sweeps", 100),
            Comparison("mean code/VAE-d", "mean_code", "mean_code_vae_d"),
            Comparison("mean code, batch/one image", "mean_code", "one_image"),
        ]
        benchmark.run("encode", arguments, cases, comparisons, "image", {"made": "uniform pixels of 28×28"})


if __name__ == "__main__":
    benchmark.main(main)
