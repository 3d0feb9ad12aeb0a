"""Images a second of ingest and of batch predictions, in one process and on Beam, beside a plain loop.

20,000 PNGs of 28x28 pixels, made from a seed, and photographs (`--photos`: a folder of JPEGs; made ones without).
A case is a process of its own; timed is its work, with the start of Beam's workers and the loading of the model,
without its imports. The plain loop opens each file with Pillow and writes records, or asks the same model: no
checks, no manifest, no resuming. It needs the Python of the pipelines:

    .venv-pipeline/bin/python tools/benchmarks/scale.py
"""

import argparse
import importlib.metadata
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import benchmark
import harness
import machine
import numpy as np
from comparison import Comparison
from PIL import Image, ImageFilter

RUNNERS = ("plain_loop", "one_process", "beam_1_worker", "beam_2_workers")
SIZES = {"small": 28, "photos": 64}


def main():
    arguments = _arguments()
    load, began = machine.load(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tfvae-benchmark-") as folder:
        folders = {"small": Path(folder, "small"), "photos": Path(arguments.photos or Path(folder, "photos"))}
        make(folders["small"], arguments.small, 28, 28, "png")
        if not arguments.photos:
            make(folders["photos"], 1000, 375, 500, "jpg")
        units = {name: sum(path.is_file() for path in path_of.iterdir()) for name, path_of in folders.items()}
        models = {name: Path(folder, f"model_{name}") for name in folders}
        for name, path in folders.items():
            _case(folder, "model", "one_process", path, models[name], SIZES[name])
        cases = [(job, runner, name) for job in ("ingest", "predict") for name in folders for runner in RUNNERS]
        seconds = {"_".join(case): [] for case in cases}
        rng = random.Random(arguments.seed)
        for number in range(arguments.rounds):
            for job, runner, name in rng.sample(cases, len(cases)):
                print(f"round {number + 1}: {job} {runner} {name}", file=sys.stderr, flush=True)
                taken = _case(folder, job, runner, folders[name], models[name], SIZES[name])
                seconds["_".join((job, runner, name))].append(taken)
    comparisons = [
        Comparison(f"{job}_{name}/{runner}_to_plain_loop", f"{job}_{runner}_{name}", f"{job}_plain_loop_{name}")
        for job in ("ingest", "predict")
        for name in folders
        for runner in RUNNERS[1:]
    ]
    versions = {name: importlib.metadata.version(name) for name in ("tensorflow", "apache-beam", "pillow")}
    about = {"versions": versions, "rounds": arguments.rounds, "data": {"files": units}, "unit": "image"}
    if arguments.photos:
        arguments.photos = "PHOTOS"  # In what is written down; the path is this machine's.
    of_cases = {"_".join(case): units[case[2]] for case in cases}
    benchmark.conclude("scale", arguments, seconds, of_cases, comparisons, load, began, about)


def make(folder, num, height, width, suffix):
    """Smooth pictures of a seed, as files of one folder."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i in range(num):
        coarse = rng.integers(0, 256, (height // 7 + 1, width // 7 + 1), np.uint8)
        image = Image.fromarray(coarse).resize((width, height)).filter(ImageFilter.SMOOTH)
        (image if suffix == "png" else image.convert("RGB")).save(folder / f"{i:05}.{suffix}")


def _case(folder, job, runner, source, model, size):
    """Seconds of a job in a process of its own."""
    out = tempfile.mkdtemp(dir=folder)
    command = [
        sys.executable,
        str(harness.HERE / "scale_case.py"),
        job,
        runner,
        str(source),
        str(model),
        str(size),
        out,
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=harness.ROOT)
    if done.returncode:
        raise ValueError(f"{job} {runner} failed: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])["seconds"]


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2, help="runs of every case")
    parser.add_argument("--seed", type=int, default=0, help="of the order of the cases")
    parser.add_argument("--small", type=int, default=20_000, help="how many small PNGs are made")
    parser.add_argument("--photos", default="", help="a folder of photographs; made ones without")
    parser.add_argument("--output", nargs="?", const=str(benchmark.RESULTS / "scale.json"), help="write a JSON file")
    return parser.parse_args()


if __name__ == "__main__":
    benchmark.main(main)
