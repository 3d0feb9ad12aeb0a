"""Runs that wait for a fast device: what to train next, and what came back.

    python tools/portable_step/waiting.py list
    python tools/portable_step/waiting.py export  --out=FOLDER --seconds=700 [--data_dir=...]
    python tools/portable_step/run.py FOLDER/*/                       (there: it needs JAX and NumPy alone)
    python tools/portable_step/waiting.py collect --out=FOLDER

queue.json beside this file lists rows of `tfvae-reproduce`'s tables with fields of their own, the seconds that a run
may take on the device, and what it decides; the first come first, and a run whose result lies in tools/results/queue is
done. `collect` chooses an epoch of those kept by validation rows, measures it once on the test rows and writes the
result. Where no device is had, run.py trains on the CPU, slower.
"""

import argparse
import datetime
import json
import re
import sys
from pathlib import Path

from tfvae.command_line import startup

startup.import_tensorflow()

import collect as collecting  # noqa: E402
import export as exporting  # noqa: E402

from tfvae.evaluation import label_draws  # noqa: E402
from tfvae.evaluation.evaluate import evaluate, plain, scalars  # noqa: E402
from tfvae.reproduction import runs  # noqa: E402
from tfvae.reproduction.tables import TABLES  # noqa: E402
from tfvae.run.opening import open_run  # noqa: E402
from tfvae.storage import atomic  # noqa: E402

QUEUE = Path(__file__).with_name("queue.json")
RESULTS = Path(__file__).resolve().parents[1] / "results" / "queue"
# Epochs that run.py keeps beside the last, of a hundred: among them validation rows choose.
_KEPT = (5, 10, 20, 30, 40, 50, 60, 70, 80, 85, 90, 95)


def waiting(results=RESULTS, queue=QUEUE):
    """(name, entry, draw) of every run that has no result yet, in order."""
    found = []
    for entry in json.loads(queue.read_text()):
        for draw in range(entry["draws"]):
            name = f"{entry['table']}.{re.sub(r'[^a-z0-9]+', '-', entry['row'].lower()).strip('-')}.{draw}"
            if not (results / f"{name}.json").exists():
                found.append((name, entry, draw))
    return found


def experiment_of(entry, draw, data_dir=""):
    """The experiment of a run.

    Raises:
        ValueError: if the queue names a table, a row or a field that does not exist.
    """
    table = TABLES.get(entry["table"])
    row = next((row for row in table.entries if row.name == entry["row"]), None) if table else None
    if row is None:
        raise ValueError(f"{QUEUE.name} names {entry['row']!r} of the table {entry['table']!r}, which does not exist.")
    overridden = row.__class__(**{**vars(row), "overrides": {**row.overrides, **entry["overrides"]}})
    return label_draws.experiment_of(runs.experiment_of(overridden, "full", data_dir), draw)


def export(out, seconds, data_dir="", results=RESULTS, queue=QUEUE):
    """Writes the next runs whose seconds fit, each to a folder of its name."""
    left = seconds
    for name, entry, draw in waiting(results, queue):
        if entry["seconds"] > left:
            continue
        left -= entry["seconds"]
        experiment = experiment_of(entry, draw, data_dir)
        exporting.export(experiment, out / name / "run", out / name)
        spec = out / name / "spec.json"
        keep = sorted({max(1, experiment.training.epochs * share // 100) for share in _KEPT})
        told = {"seconds": entry["seconds"], "keep": keep, "run": {**entry, "draw": draw}}
        spec.write_text(json.dumps({**json.loads(spec.read_text()), **told}, indent=1))
        print(f"{name}: {experiment.training.epochs} epochs, {entry['seconds']} s; it decides {entry['decides']}")
    print(f"{seconds - left} of {seconds} s are planned")


def collect(out, results=RESULTS):
    """Measures every run that came back, and writes its result."""
    for trained in sorted(out.glob("*/trained.npz")):
        folder = trained.parent
        spec, measured = (json.loads((folder / file).read_text()) for file in ("spec.json", "trained.json"))
        chosen = collecting.collect(folder / "run", folder)
        opened = open_run(folder / "run")
        table = TABLES[spec["run"]["table"]]
        test = plain(scalars(evaluate(opened.model, opened.data, **table.evaluation)))
        result = {
            **spec["run"], **chosen, "test": test, "device": measured["device"], "seconds": measured["seconds"],
            "epochs": measured["epochs"], "date": datetime.date.today().isoformat(),
        }  # fmt: skip
        results.mkdir(parents=True, exist_ok=True)
        atomic.write_json(results / f"{folder.name}.json", result)
        print(json.dumps({"run": folder.name, **chosen, "test": test}))


def main(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("do", choices=["list", "export", "collect"])
    parser.add_argument("--out", type=Path, help="where the runs lie")
    parser.add_argument("--seconds", type=float, default=700.0, help="of the device, compilation not counted")
    parser.add_argument("--data_dir", default="", help="where TFDS keeps its sets")
    chosen = parser.parse_args(argv)
    if chosen.do != "list" and chosen.out is None:
        parser.error("--out names the folder of the runs")
    if chosen.do == "list":
        for name, entry, _ in waiting():
            print(f"{name:44s} {entry['seconds']:5d} s  {entry['decides']}")
    elif chosen.do == "export":
        export(chosen.out, chosen.seconds, chosen.data_dir)
    else:
        collect(chosen.out)


if __name__ == "__main__":
    main(sys.argv[1:])
