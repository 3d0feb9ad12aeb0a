"""The JSON of a table: the numbers of every run, the printed table made from them, and where they were made."""

import datetime
import os
import platform
import statistics
from pathlib import Path

from tfvae.reproduction import derived
from tfvae.run.directory import RunDirectory

_DIGITS = {"percent": 2, "nats": 2, "number": 2}


def document(name, table, budget, done, facts, figures):
    """The JSON of a table.

    Args:
        name: of the table.
        table: `Table`.
        budget: it was made with.
        done: list of `Done`.
        facts: to fill the notes with.
        figures: file names beside the JSON.
    """
    num_draws = 1 + max(run.planned.draw for run in done)
    config = RunDirectory(done[0].planned.workdir).description()
    return {
        "name": name,
        "title": table.title,
        "citation": table.citation,
        "command": command(
            name,
            budget,
            num_draws,
            any(run.planned.experiment.data.data_dir or run.planned.experiment.data.path for run in done),
        ),
        "budget": budget,
        "draws": num_draws,
        "table": rendered(table, [run.record for run in done]),
        "notes": [note.format(**facts) for note in table.notes],
        "facts": facts,
        "figures": figures,
        "runs": [run.record for run in done],
        "seconds": round(sum(run.record["seconds"] for run in done), 1),
        "versions": config["versions"],
        "git": config["git"],
        "machine": machine(),
        "date": datetime.date.today().isoformat(),
    }


def command(name, budget, num_draws, needs_data):
    """How somebody else makes the table; where their data lies they know themselves."""
    parts = [f"python -m tfvae.bin.reproduce --table={name} --budget={budget} --draws={num_draws}"]
    return " ".join(parts + ["--data_dir=DATA"] * needs_data)


def rendered(table, records):
    """{"columns": titles, "rows": cells}, all strings, from the records of runs."""
    sourced = any(entry.source != "–" for entry in table.entries)
    # What no run has is not shown: a later version has a row or a measurement more.
    measures = [measure for measure in table.measures if any(_value(measure, record) is not None for record in records)]
    columns = ["model", *(["source"] if sourced else []), *(measure.title for measure in measures)]
    rows = []
    for entry in table.entries:
        mine = [record for record in records if record["entry"] == entry.name]
        if not mine:
            continue
        cells = [cell(measure, mine) for measure in measures]
        seconds = statistics.fmean(record["seconds"] for record in mine)
        rows.append([entry.name, *([entry.source] if sourced else []), *cells, str(mine[0]["epochs"]), _time(seconds)])
    return {"columns": [*columns, "epochs", "training a run"], "rows": rows}


def cell(measure, records):
    """The cell of a measured column: the draws of one row."""
    if measure.show == "best":
        records = [derived.best(records)]
    values = [value for record in records if (value := _value(measure, record)) is not None]
    if not values:
        return "–"
    shown = [_number(value, measure.unit) for value in values]
    unit = " %" if measure.unit == "percent" else ""
    if measure.show == "each":
        return ", ".join(shown) + unit
    spread = f" ± {_number(statistics.stdev(values), measure.unit)}" if len(values) > 1 else ""
    return f"{_number(statistics.fmean(values), measure.unit)}{spread}{unit}"


def text(result):
    """The table for a terminal, columns aligned, notes below."""
    lines = [result["table"]["columns"], *result["table"]["rows"]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    aligned = ["  ".join(part.ljust(width) for part, width in zip(line, widths)).rstrip() for line in lines]
    rule = "  ".join("-" * width for width in widths)
    head = f"{result['title']} ({result['citation']}), {result['draws']} draws"
    return "\n".join([head, "", aligned[0], rule, *aligned[1:], "", *result["notes"]])


def machine():
    """The processor, its cores that this process may use, and the memory."""
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {"cpu": _cpu(), "cores": len(os.sched_getaffinity(0)), "memory_gib": round(gib, 1)}


def _cpu():
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _value(measure, record):
    """The first of the measure's keys that the run has, signed."""
    for key in measure.keys:
        value = record["test"].get(key, record.get(key))
        if value is not None:
            return measure.sign * value
    return None


def _number(value, unit):
    return f"{100.0 * value if unit == 'percent' else value:.{_DIGITS[unit]}f}"


def _time(seconds):
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
