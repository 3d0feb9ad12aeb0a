"""Images a second of a Gibbs sweep of the DGDN, beside the same conditionals in NumPy, written straightforwardly.

The NumPy sweep draws blocks one after the other, of all images at once, as a first version of such a sampler does; its
conditionals are looked at first. `digits` has the sizes of the preset, `mnist` those of Pu 2017, section 3.5.1, on few
images. Growth is that of our sweep with images and with elements.
"""

import sys

import benchmark
from comparison import Comparison
from harness import Case

GOAL = 10
IMAGES = {"digits": 200, "mnist": 8}
GROWTH = {"images": [100, 200, 400], "elements": [4, 8, 16]}


def main():
    arguments = benchmark.parse_arguments("gibbs_sweep", __doc__, rounds=5, slice_seconds=2.0)
    with benchmark.session() as (start, _):
        ours = start("tensorflow", sys.executable, "gibbs_sweep_tf.py")
        rival = start("numpy", sys.executable, "gibbs_sweep_numpy.py")
        checks = {"digits": rival.ask("check", num=5), "memory_mib": ours.ask("memory", size="digits", num=200)}
        cases = [
            Case(f"{size}_{name}", process, "local_sweep", {"size": size, "num": num}, num)
            for size, num in IMAGES.items()
            for name, process in (("ours", ours), ("numpy", rival))
        ]
        cases += [
            Case(f"images_{num}", ours, "local_sweep", {"size": "digits", "num": num}, num) for num in GROWTH["images"]
        ]
        cases += [
            Case(f"elements_{count}", ours, "local_sweep", {"size": "digits", "num": 100, "elements": count}, 100)
            for count in GROWTH["elements"]
        ]
        comparisons = [Comparison(f"{size}: ours/NumPy", f"{size}_ours", f"{size}_numpy", GOAL) for size in IMAGES]
        data = {"made": "uniform pixels, dictionaries from their prior"}
        benchmark.run("gibbs_sweep", arguments, cases, comparisons, "image", data, checks)


if __name__ == "__main__":
    benchmark.main(main)
