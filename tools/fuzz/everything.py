"""Hands changed files, values and requests to everything that reads what strangers made.

    python -m tools.fuzz.everything [--seconds=60] [--seed=0] [--keep=FOLDER] [--output=FILE] [TARGET ...]

A reader may refuse what it gets, by an error that says why; an input that ends it otherwise, takes longer than twenty
seconds, or that training and a server see otherwise, is kept as a file, and the command ends with 1. Each target runs
in a process of its own, so that one that ends the process is found too. Inputs follow from the seed and their number.
"""

import argparse
import datetime
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

_SLOW = 20


def main(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", help="where inputs that were survived by nobody are kept; a new folder by default")
    parser.add_argument("--output", help="JSON of the figures")
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    arguments = parser.parse_args(argv)
    names = arguments.targets or known()
    if unknown := sorted(set(names) - set(known())):
        parser.error(f"there is no target {', '.join(unknown)}; there are {', '.join(known())}")
    keep = Path(arguments.keep or tempfile.mkdtemp(prefix="tfvae-fuzz-found-"))
    keep.mkdir(parents=True, exist_ok=True)
    found = [alone(name, arguments.seconds / len(names), arguments.seed, keep) for name in names]
    if arguments.output:
        from tfvae.storage import atomic

        atomic.write_json(arguments.output, document(found, argv))
    return int(any(outcome["failures"] for outcome in found))


def known():
    """Names of targets, without what they need."""
    from tools.fuzz import targets

    return sorted(targets.TARGETS)


def alone(name, seconds, seed, keep):
    """The outcome of a target in a process of its own."""
    queue, place = multiprocessing.get_context("spawn").Queue(), keep / f"{name}-last"
    process = multiprocessing.get_context("spawn").Process(target=_child, args=(queue, name, seconds, seed, place))
    began = time.monotonic()
    process.start()
    while process.is_alive() and queue.empty():
        process.join(0.2)
    if queue.empty():
        failures = [f"the process ended with {process.exitcode}: {place}"]
        outcome = {"target": name, "inputs": 0, "refused": 0, "failures": failures}
    else:
        outcome = queue.get()
        place.unlink(missing_ok=True)
    process.join()
    outcome["seconds"] = round(time.monotonic() - began, 1)
    print(in_words(outcome), flush=True)
    return outcome


def in_words(outcome):
    said = f"{outcome['target']}: {outcome['inputs']:,} inputs, {outcome['refused']:,} refused, {outcome['seconds']} s"
    return "\n  ".join([said, *outcome["failures"]])


def _child(queue, name, seconds, seed, place):
    from tools.fuzz import targets

    # Decoders say what is wrong with each of thousands of images.
    with open(place.with_name(f"{name}.log"), "w") as log:
        os.dup2(log.fileno(), sys.stderr.fileno())
    target, folder = targets.made(name)
    try:
        queue.put(run(name, target, seconds, seed, place))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(name, target, seconds, seed, place, most=None):
    """Reads changed inputs for so many seconds, or so many inputs.

    Args:
        name: of the target.
        target: `targets.Target`.
        seconds: None for no limit of time.
        seed: of the inputs.
        place: file that the present input is kept in, and beside which those that fail are.
        most: inputs; None for no limit.

    Returns:
        {"target", "inputs", "refused", "failures"}.
    """
    from tools.fuzz import mutation

    refused, failures, number, seen = 0, [], 0, set()
    for content in target.corpus:
        _read(target, content)  # What is right is taken.
    end = None if seconds is None else time.monotonic() + seconds
    while (end is None or time.monotonic() < end) and (most is None or number < most):
        rng = mutation.generator(seed, number)
        content = target.change(target.corpus[rng.integers(len(target.corpus))], rng)
        place.write_bytes(content)
        try:
            _read(target, content)
        except ValueError:
            refused += 1
        except Exception as error:  # The point of it all: nothing else may come.
            where = traceback.extract_tb(error.__traceback__)[-1]
            kind = (type(error).__name__, where.filename, where.lineno)
            if kind not in seen:
                seen.add(kind)
                kept = place.with_name(f"{name}-{seed}-{number}")
                kept.write_bytes(content)
                failures.append(f"{type(error).__name__}: {' '.join(str(error).split())[:200]} ({kept})")
        number += 1
    return {"target": name, "inputs": number, "refused": refused, "failures": failures}


def _read(target, content):
    def stop(*_):
        raise TimeoutError(f"it takes longer than {_SLOW} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(_SLOW)
    try:
        target.read(content)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def document(found, argv):
    """The figures as a table of results."""
    rows = [
        [of["target"], f"{of['inputs']:,}", f"{of['refused']:,}", str(len(of["failures"])), f"{of['seconds']:.0f} s"]
        for of in found
    ]
    return {
        "title": "Changed files, values and requests for everything that reads what strangers made",
        "table": {"columns": ["reader", "inputs", "refused", "failures", "time"], "rows": rows},
        "notes": ["The others were taken. An input fails that ends its reader otherwise than by an error that says "
                  "why, or that training and a server see otherwise."],
        "command": " ".join(["python -m tools.fuzz.everything", *argv]),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
