"""A table of a source made anew: all of its runs, its numbers as JSON, its figures as PNG."""

import contextlib
import sys
from pathlib import Path

from absl import logging

from tfvae.reproduction import drawings, facts, preparations, results, runs
from tfvae.storage import atomic


def reproduce(name, table, budget, workdir, output, num_draws=3, data_dir=""):
    """Makes a table; started again after an interruption, it goes on where it was.

    Args:
        name: of the table; `<name>-<budget>.json` and its PNGs are written.
        table: `tfvae.reproduction.tables.Table`.
        budget: `tiny`, `small` or `full`.
        workdir: of the runs.
        output: folder of what is written.
        num_draws: draws of labels, initialisation and noise.
        data_dir: where TFDS keeps its sets; empty for its default.

    Returns:
        The content of the JSON.

    Raises:
        ValueError: if the data do not exist (before anything is trained), or a run directory is of another experiment.
    """
    if table.prepare:
        table = getattr(preparations, table.prepare)(table, budget, Path(workdir), data_dir)
    planned = runs.plan(table, budget, num_draws, workdir, data_dir)
    runs.check_data(planned)
    known = getattr(facts, table.facts)([run.experiment for run in planned]) if table.facts else {}
    done = []
    with contextlib.redirect_stdout(sys.stderr):  # Standard output has the table alone.
        for number, run in enumerate(planned, start=1):
            logging.info("Run %d of %d: %s, draw %d.", number, len(planned), run.entry.name, run.draw)
            done.append(runs.perform(run, table.evaluation, table.timed))
    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    figures = []
    for figure, png in (getattr(drawings, table.drawing)(done) if table.drawing else {}).items():
        figures.append(f"{name}-{budget}-{figure}.png")
        atomic.write_bytes(output / figures[-1], png)
    result = results.document(name, table, budget, done, known, figures)
    atomic.write_json(output / f"{name}-{budget}.json", result)
    return result
