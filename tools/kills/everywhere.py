"""Kills every writer of tfvae before each of its operations on files, and does the same again.

    python -m tools.kills.everywhere [--sample] [--pairs=N] [--output=FILE] [WRITER ...]

The command that was killed, started again, must leave what it leaves undisturbed, byte for byte but for clocks and
process ids, and nothing else. `--sample` takes of every writer a few operations of every kind; `--pairs` also kills the
second attempt, N times a writer. What a model computes is made up, what is written goes through the real code.
"""

import argparse
import collections
import datetime
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tfvae.command_line import startup

startup.import_tensorflow()

from tfvae.storage import atomic  # noqa: E402
from tools.kills import processes, writers  # noqa: E402
from tools.kills.operations import KILLED, KINDS, tree  # noqa: E402

_OF_A_KIND = 3
_NOTE = (
    "Each writer is killed before each operation and started again, then ten times at two random ones, one an attempt; "
    "every tree is compared with the undisturbed one, byte for byte but for clocks and process ids. What a model "
    "computes is made up. Not counted are files that TensorFlow appends to by itself (TensorBoard's events), and those "
    "of TFX itself."
)


class Outcome(dict):
    """writer, operations, kinds, kills, and the failures in words."""


def main(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", action="store_true")
    parser.add_argument("--pairs", type=int, default=0)
    parser.add_argument("--output")
    parser.add_argument("writers", nargs="*", metavar="WRITER")
    arguments = parser.parse_args(argv)
    known = writers.known()
    if unknown := sorted(set(arguments.writers) - set(known)):
        parser.error(f"there is no writer {', '.join(unknown)}; there are {', '.join(known)}")
    began, outcomes = time.monotonic(), []
    for name in arguments.writers or known:
        outcomes.append(of_writer(known[name], arguments.sample, arguments.pairs))
        print(in_words(outcomes[-1]), flush=True)
    if arguments.output:
        atomic.write_json(arguments.output, document(outcomes, argv, time.monotonic() - began))
    return int(any(outcome["failures"] for outcome in outcomes))


def of_writer(writer, sample=False, pairs=0):
    """The `Outcome` of kills of one writer."""
    with tempfile.TemporaryDirectory(prefix="tfvae-kills-", dir=_fast()) as place:
        base, folder = Path(place, "base"), Path(place, "work")
        base.mkdir()
        made = processes.run(writer.prepare, base)
        assert not made.error, f"{writer.name} was not prepared: {made.error}"
        kinds, wanted = _undisturbed(writer, base, folder)
        kills = [(n,) for n in (chosen(kinds) if sample else range(1, len(kinds) + 1))]
        draw = random.Random(0)
        kills += [(draw.randint(1, len(kinds)), draw.randint(1, len(kinds))) for _ in range(pairs)]
        failures = [told for numbers in kills if (told := _killed(writer, base, folder, numbers, kinds, wanted))]
    counted = collections.Counter(kinds)
    kinds = {kind: counted[kind] for kind in KINDS if counted[kind]}
    return Outcome(writer=writer.name, operations=sum(kinds.values()), kinds=kinds, kills=len(kills), failures=failures)


def chosen(kinds):
    """Numbers of operations: the first, the last and one between of every kind that a writer has."""
    numbers = set()
    for kind in set(kinds):
        of_kind = [number for number, found in enumerate(kinds, 1) if found == kind]
        numbers |= {of_kind[round(i * (len(of_kind) - 1) / (_OF_A_KIND - 1))] for i in range(_OF_A_KIND)}
    return sorted(numbers)


def _undisturbed(writer, base, folder):
    """(kinds of the operations of a writer, what it leaves)."""
    shutil.copytree(base, folder)
    ended = processes.run(writer.run, folder)
    assert not ended.status and not ended.error, f"{writer.name} fails undisturbed: {ended}"
    wanted = writer.result(tree(folder))
    shutil.rmtree(folder)
    return ended.kinds, wanted


def _killed(writer, base, folder, numbers, kinds, wanted):
    """What is wrong after kills before operations of these numbers, one an attempt; empty for nothing."""
    shutil.copytree(base, folder)
    for number in numbers:
        ended = processes.run(writer.run, folder, number)
        if ended.status not in (0, KILLED):
            return _told(numbers, kinds, f"ended with {ended.status}", folder)
    ended = processes.run(writer.run, folder)
    found = writer.result(tree(folder))
    wrong = []
    if ended.status or (ended.error and not writer.may_say(ended.error)):
        wrong.append(f"the next attempt ended with {ended.status}, {ended.error}")
    for what, paths in (
        ("is missing", set(wanted) - set(found)),
        ("is left over", set(found) - set(wanted)),
        ("differs", {path for path in set(wanted) & set(found) if wanted[path] != found[path]}),
    ):
        wrong += [f"{path} {what}" for path in sorted(paths)[:5]]
    return _told(numbers, kinds, "; ".join(wrong), folder)


def _told(numbers, kinds, wrong, folder):
    shutil.rmtree(folder)
    before = " and ".join(f"operation {number} ({kinds[number - 1]})" for number in numbers)
    return f"killed before {before}: {wrong}" if wrong else ""


def _fast():
    """Memory, where fsync costs nothing; else wherever temporary files lie."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def in_words(outcome):
    kinds = ", ".join(f"{number} {kind}" for kind, number in outcome["kinds"].items())
    lines = [f"{outcome['writer']:22} {outcome['kills']:4} kills, {len(outcome['failures'])} failures   ({kinds})"]
    return "\n".join(lines + [f"    {failure}" for failure in outcome["failures"]])


def document(outcomes, argv, seconds):
    """What docs/results.md shows."""
    return {
        "title": "A kill before every operation on files",
        "command": " ".join(["python -m tools.kills.everywhere", *argv]),
        "date": datetime.date.today().isoformat(),
        "table": {
            "columns": ["writer", "operations", "kills", "ended as undisturbed", "operations by kind"],
            "rows": [
                [
                    outcome["writer"],
                    str(outcome["operations"]),
                    str(outcome["kills"]),
                    str(outcome["kills"] - len(outcome["failures"])),
                    ", ".join(f"{number} {kind}" for kind, number in outcome["kinds"].items()),
                ]
                for outcome in outcomes
            ],
        },
        "notes": [_NOTE],
        "minutes": round(seconds / 60, 1),
        "failures": {outcome["writer"]: outcome["failures"] for outcome in outcomes if outcome["failures"]},
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
