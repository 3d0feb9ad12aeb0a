"""One self-contained page about a run: no scripts, no links to anything outside, so it can be mailed or archived."""

from pathlib import Path

from tfvae.capabilities import Capability
from tfvae.evaluation import labels, measurement, nouns
from tfvae.reports import comparison, curves, figures, mistakes, next_steps, pages, panel, unlabelled
from tfvae.run.directory import RunDirectory
from tfvae.run.monitor import begins, course
from tfvae.storage import atomic, checked_json
from tfvae.storage.metrics_log import MetricsLog

_TEMPLATE = "report.html.j2"


def render(model, data, metrics, workdir, description=None, others=(), command="", seed=0):
    """The report as HTML.

    Args:
        model, data: the trained model and its `tfvae.data.load.Data`.
        metrics: what `tfvae.evaluation.evaluate.evaluate` returned, with "draws"
            (`label_draws.spread`) where there were any.
        workdir: of the run; its `metrics.jsonl` gives the curves.
        description: the content of `config.json`.
        others: further run directories whose curves are drawn beside this one's (figure 5).
        command: the command that drew this report.
        seed: of samples and subsets.

    Returns:
        HTML with every picture inside it; everything that came from outside (names of classes, paths) is escaped.
    """
    workdir, description = Path(workdir), description or {}
    name = model.title
    entrants = comparison.comparison(metrics, name, data)
    num_draws = _num_draws(metrics)
    runs = {path.name: MetricsLog(path / "metrics.jsonl").lines() for path in (workdir, *map(Path, others))}
    return pages.environment(Path(__file__).parent).get_template(_TEMPLATE).render(
        title=f"{name} on {_data_name(model, description, data)}",
        summary=_summary(data, runs[workdir.name]),
        warnings=[*_interrupted(runs[workdir.name], description, model, data), *measurement.caveats(metrics, data)],
        headlines=measurement.headlines(metrics, data),
        entrants=entrants,
        errors_figure=_errors_figure(entrants),
        verdict=comparison.verdict(entrants, num_draws, comparison.judged(metrics, data)),
        num_draws=num_draws,
        judged=comparison.judged(metrics, data),
        learning=_learning(runs, workdir, others, data),
        **panel.drawn(model, data, metrics, seed),
        mistakes=mistakes.mistakes(model, data),
        unlabelled=unlabelled.guesses(model, data, seed),
        plural=nouns.plural(data),
        steps=next_steps.next_steps(workdir, metrics, data, model.can(Capability.CLASSIFY)),
        numbers=[(key, value) for key, value in metrics.items() if not isinstance(value, list | dict)],
        configuration=list(flatten(description.get("experiment", {}))),
        versions=sorted(description.get("versions", {}).items()),
        provenance=_provenance(description, data),
        command=command or f"tfvae-evaluate --workdir={workdir}",
    )  # fmt: skip


def write(run, metrics, others=(), command=""):
    """Writes `metrics.json` and `report.html` of an opened run, and says where.

    `others` and `command` are those of `render`.
    """
    workdir = run.workdir
    checked_json.write(workdir / "metrics.json", metrics)
    page = render(run.model, run.data, metrics, workdir, RunDirectory(workdir).description(), others, command)
    atomic.write_bytes(workdir / "report.html", page.encode())
    return f"report: {workdir / 'report.html'}"


def flatten(fields, prefix=""):
    """Yields ("model.network.hidden", value) for nested dicts."""
    for name, value in fields.items():
        if isinstance(value, dict):
            yield from flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _errors_figure(entrants):
    """Bars of the errors, where there is somebody to compare with."""
    if len(entrants) < 2:
        return None
    ours = [entrant.name for entrant in entrants if entrant.ours]
    return figures.errors({entrant.name: (entrant.error, entrant.interval) for entrant in entrants}, ours)


def _learning(runs, workdir, others, data):
    """The curves, with the epochs that are judged, and the interval of this run's errors."""
    judged = {path.name: _judged(path, runs[path.name]) for path in (workdir, *map(Path, others))}
    counts = {workdir.name: len(labels.labelled(data.validation))}
    return curves.curves(runs, judged, counts, nouns.plural(data))


def _judged(workdir, records):
    """The epoch of a run's best weights; 0 where it did not write down what they are chosen by."""
    directory = RunDirectory(workdir)
    if not (records and directory.config.exists()):
        return 0
    # Which epoch was best does not depend on those that patience waits for.
    return course(records, directory.description()["experiment"]["training"], waits=0).judged


def _num_draws(metrics):
    return max((len(summary["values"]) for summary in metrics.get("draws", {}).values()), default=1)


def _data_name(model, description, data):
    if model.can(Capability.LOG_NORMALISER):
        return f"the potential {model.config.prior.upper()}"
    fields = description.get("experiment", {}).get("data", {})
    if fields.get("path"):
        return Path(fields["path"]).name
    parts = [fields.get("source", ""), fields.get("name", "")]
    return " ".join(part for part in parts if part) or f"{data.info.num_classes} classes"


def _summary(data, records):
    """What the run was, in a sentence or two."""
    info = data.info
    shape = "×".join(str(n) for n in data.transform.raw_shape if n)
    sentence = nouns.counted(info.num_train, data, "training") + (f" of {shape}" if shape else " without observations")
    if info.num_labelled:
        sentence += f", {info.num_labelled:,} of them labelled with {info.num_classes} classes"
    if len(data.captioned):
        sentence += f", {len(data.captioned):,} with captions"
    sentence += f"; {len(data.validation):,} more for validation, {len(data.test):,} for the test."
    seconds = sum(record.get("seconds", 0.0) for record in records)
    if records and seconds:
        sentence += f" Trained for {len(records):,} epochs in {_duration(seconds)}."
    return sentence


def _interrupted(records, description, model, data):
    """A warning about a run that did not come to its end."""
    training = description.get("experiment", {}).get("training")
    if not training or not records:
        return []
    wanting = course(records, training, begins(model, data.steps_per_epoch)).wanting
    return [wanting] if wanting else []


def _duration(seconds):
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"


def _provenance(description, data):
    """Where the numbers come from: revision, seeds, hash of the data."""
    seeds = {f"seed of {name}": seed for name, seed in description.get("seeds", {}).items()}
    found = {"git revision": description.get("git"), **seeds}
    found |= {"data sha256": data.split.get("data"), "split sha256": data.split.get("hash")}
    return [(name, value) for name, value in found.items() if value is not None]
