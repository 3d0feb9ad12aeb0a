"""The frame of all benchmarks: their flags, their workers, what they print and what they write down."""

import argparse
import contextlib
import datetime
import json
import os
import re
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import comparison
import harness
import machine
import peers

RESULTS = harness.ROOT / "tools" / "results"


def parse_arguments(name, description, rounds, slice_seconds, add=None):
    """The flags of a benchmark.

    Args:
        name: of the benchmark and of its file of results.
        description: for `--help`.
        rounds, slice_seconds: defaults.
        add: called with the parser, to add flags.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--rounds", type=int, default=rounds, help="slices of every case")
    parser.add_argument("--slice_seconds", type=float, default=slice_seconds, help="length of a slice")
    parser.add_argument("--seed", type=int, default=0, help="of the order of the slices")
    parser.add_argument("--only", default="", help="a regular expression: only cases whose name has a match")
    parser.add_argument("--peer_python", default=sys.executable, help="interpreter that has the peers")
    parser.add_argument(
        "--output", nargs="?", const=str(RESULTS / f"{name}.json"), help="write a JSON file, here if no other is named"
    )
    if add is not None:
        add(parser)
    arguments = parser.parse_args()
    if arguments.rounds < 1 or not arguments.slice_seconds > 0:
        parser.error("--rounds must be at least 1 and --slice_seconds positive")
    return arguments


@contextlib.contextmanager
def session():
    """Yields `start(name, python, script, environment=None)`, which starts workers, and a folder for what they make."""
    with tempfile.TemporaryDirectory(prefix="tfvae-benchmark-") as folder, contextlib.ExitStack() as workers:

        def start(name, python, script, environment=None):
            started = harness.Worker(name, python, script, folder, environment)
            workers.callback(started.close)
            return started

        yield start, Path(folder)


def run(name, arguments, cases, comparisons, unit, data, checks=None):
    """Times the cases, prints a table and a line `name ratio goal` a comparison, and writes them down if asked to.

    Args:
        name: of the benchmark.
        arguments: of `parse_arguments`.
        cases: `harness.Case`s.
        comparisons: `comparison.Comparison`s.
        unit: what the cases' units are.
        data: what the cases worked on, e.g. its sha256.
        checks: JSON values that were found to be right before.
    """
    cases = [case for case in cases if re.search(arguments.only, case.name)]
    if not cases:
        raise ValueError(f"`--only` {arguments.only!r} matches no case.")
    named = {case.name for case in cases}
    comparisons = [asked for asked in comparisons if {asked.case, asked.peer} <= named]
    load, began = machine.load(), time.monotonic()
    timings = harness.measure(cases, arguments.rounds, arguments.slice_seconds, arguments.seed, report=_progress)
    about = {
        "versions": _versions(cases),
        "rounds": arguments.rounds,
        "slice_seconds": arguments.slice_seconds,
        "noisy_slices": {"kept": timings.noisy, "of": len(cases) * arguments.rounds, "repeated": timings.repeats},
        "data": data,
        "checks": checks or {},
        "unit": unit,
    }
    units = {case.name: case.units for case in cases}
    conclude(name, arguments, timings.seconds, units, comparisons, load, began, about)


def conclude(name, arguments, seconds, units, comparisons, load, began, about):
    """Prints what was timed, and writes it down if asked to.

    Args:
        name, arguments, comparisons: as of `run`.
        seconds: case -> seconds a call, one a round.
        units: case -> units of a call.
        load: `machine.load()` before.
        began: `time.monotonic()` before.
        about: further entries of the JSON: "versions", "rounds", "data", "unit" and others.
    """
    results = [comparison.compare(asked, seconds, units) for asked in comparisons]
    document = {
        "benchmark": name,
        "command": _command(name, arguments),
        "date": datetime.date.today().isoformat(),
        "git": _git_revision(),
        "machine": machine.description(),
        "load_before": load,
        "load_after": machine.load(),
        "TF_ENABLE_ONEDNN_OPTS": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "unset (on)"),
        "seed": arguments.seed,
        "compute_seconds": round(time.monotonic() - began, 1),
        **about,
        "cases": {key: _case(values, units[key]) for key, values in seconds.items()},
        "ratios": [_ratio(result) for result in results],
    }
    _show(document, seconds, units, results)
    if arguments.output:
        path = Path(arguments.output)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document, indent=1) + "\n")


def main(function):
    """Runs a benchmark; what a user can set right is told in one line, and what a worker died of as it said it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # Rather than to leave workers and files behind.
    try:
        function()
    except (ValueError, OSError, harness.WorkerError, subprocess.CalledProcessError) as error:
        sys.exit(f"error: {error}")


def check_peers(arguments, *modules):
    """Refuses an interpreter without these modules, before anything is started."""
    peers.check(arguments.peer_python, modules)


def _show(document, seconds, units, results):
    described, noisy = document["machine"], document.get("noisy_slices")
    print(f"{described['cpu']}, {described['cores']} cores, {described['memory_gib']} GiB; {described['system']}")
    print(", ".join(f"{name} {version}" for name, version in document["versions"].items()))
    slices = f"; {noisy['kept']} of {noisy['of']} slices noisy, {noisy['repeated']} repeated" if noisy else ""
    length = f" of {document['slice_seconds']} s" if "slice_seconds" in document else ""
    print(
        f"load {document['load_before'][0]} before, {document['load_after'][0]} after{slices}; "
        f"TF_ENABLE_ONEDNN_OPTS {document['TF_ENABLE_ONEDNN_OPTS']}; {document['rounds']} rounds{length}\n"
    )
    print(comparison.table(seconds, units, document["unit"]) + "\n")
    for result in results:
        print(result.line())


def _case(seconds, units):
    median = statistics.median(seconds)
    return {
        "median_seconds": _short(median),
        "units_per_call": units,
        "per_second": _short(units / median),
        "seconds": [_short(value) for value in seconds],
    }


def _ratio(result):
    return {
        **result.comparison._asdict(),
        "ratio": _short(result.ratio),
        "spread": [_short(value) for value in result.spread],
        "reached": result.reached,
    }


def _short(value):
    """Five digits: more are noise."""
    return float(f"{value:.5g}")


def _command(name, arguments):
    """How to measure again; paths are those of another machine then, so they are named rather than kept."""
    chosen = {key: value for key, value in vars(arguments).items() if key not in ("output", "peer_python") and value}
    flags = [f"--{key}={value}" for key, value in chosen.items()]
    peers_of = " --peer_python=PEERS/bin/python" if "peer_python" in vars(arguments) else ""
    return shlex.join(["python", f"tools/benchmarks/{name}.py", *flags]) + peers_of


def _versions(cases):
    versions = {}
    for worker in dict.fromkeys(case.worker for case in cases):
        versions |= worker.versions()
    return versions


def _git_revision():
    """The revision of the source tree, with `-dirty` for uncommitted changes; None outside a repository."""
    command = ["git", "-C", str(harness.ROOT), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return asked.stdout.strip() or None


def _progress(text):
    print(f"{text:<78}", end="\r" if sys.stderr.isatty() else "\n", file=sys.stderr, flush=True)
