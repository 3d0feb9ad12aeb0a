"""The SVGD direction for 100 particles of each of 64 data points in 50 dimensions, its score given or taken.

The bandwidth is the median of the squared distances of each point's particles: ours finds it exactly by bisection on
the bits of floats, PyTorch by `kthvalue`, NumPy by `partition`, blackjax by `jnp.median`. Its function is mapped over
points and compiled; it computes the kernel's gradient by automatic differentiation. All must agree first, at one h, and
say what memory a direction takes at its peak.
`score` adds the gradient of log p(x | z) p(z) of a Bernoulli decoder of two layers of 200 tanh units.
"""

import sys

import benchmark
import peers
from comparison import Comparison
from harness import Case

SIZES = {"points": 64, "particles": 100, "dim": 50}


def main():
    arguments = benchmark.parse_arguments("svgd", __doc__, rounds=9, slice_seconds=0.5)
    benchmark.check_peers(arguments, "torch", "numpy", "blackjax")
    with benchmark.session() as (start, folder):
        ours = start("tensorflow", sys.executable, "svgd_tf.py")
        jax = start("blackjax", arguments.peer_python, "svgd_blackjax.py")
        theirs = peers.torch_workers(start, arguments.peer_python, "svgd_torch.py", folder)
        memory = {w.name: w.ask("memory", **SIZES) for w in (ours, jax, theirs["stock"])}
        checks = {**_agree(ours, jax, theirs["stock"]), "memory_mib": memory}
        print("memory of a direction at its peak, compiled within, MiB:", checks["memory_mib"])
        cases = [
            Case("ours_xla", ours, "direction", {**SIZES, "xla": True, "bandwidth": "median"}, SIZES["points"]),
            Case("ours_graph", ours, "direction", {**SIZES, "xla": False, "bandwidth": "median"}, SIZES["points"]),
            Case("ours_xla_fixed", ours, "direction", {**SIZES, "xla": True, "bandwidth": 100.0}, SIZES["points"]),
            Case("ours_score", ours, "score_and_direction", SIZES, SIZES["points"]),
            Case("blackjax_median", jax, "direction", {**SIZES, "median": True}, SIZES["points"]),
            Case("blackjax_fixed", jax, "direction", {**SIZES, "median": False}, SIZES["points"]),
            Case("numpy", jax, "numpy_direction", SIZES, SIZES["points"]),
        ]
        comparisons = [
            Comparison("direction/blackjax", "ours_xla", "blackjax_median", 20),
            Comparison("fixed bandwidth/blackjax", "ours_xla_fixed", "blackjax_fixed"),
            Comparison("direction/numpy", "ours_xla", "numpy"),
            Comparison("direction, XLA/graph", "ours_xla", "ours_graph"),
            # Seconds of ours in those with a bandwidth that is given.
            Comparison("seconds: median/fixed bandwidth", "ours_xla", "ours_xla_fixed", 1.6, share=True),
        ]
        for name, worker in theirs.items():
            cases.append(Case(f"torch_{name}", worker, "direction", SIZES, SIZES["points"]))
            cases.append(Case(f"torch_{name}_score", worker, "score_and_direction", SIZES, SIZES["points"]))
            comparisons.append(Comparison(f"direction/torch_{name}", "ours_xla", f"torch_{name}", 1.0, 1.6))
            goal = 1.3 if name == "avx512" else None
            comparisons.append(Comparison(f"score + direction/torch_{name}", "ours_score", f"torch_{name}_score", goal))
        benchmark.run("svgd", arguments, cases, comparisons, "point", {"made": "normal particles and scores"}, checks)


def _agree(ours, *others):
    """Refuses implementations that do not give one direction."""
    norm = ours.ask("norm", **SIZES)
    for worker in others:
        other = worker.ask("norm", **SIZES)
        if abs(other - norm) > 1e-3 * norm:
            raise ValueError(f"{worker.name} gives a direction of norm {other}, ours is {norm}: mend one of them.")
    return {"norm": norm}


if __name__ == "__main__":
    benchmark.main(main)
