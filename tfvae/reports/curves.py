"""Curves of training: what was measured by epoch, on validation rows beside training rows."""

from tfvae.metrics import METRICS, Metric
from tfvae.reports import curve_figures
from tfvae.reports.curve_figures import Line
from tfvae.reports.panel import Panel
from tfvae.storage import metrics_log

_LABELS = Metric(
    "label_log_prob", "log q(y | x) of the true class", "nats", True,
    "Training above validation is what the classifier learned by heart.",
)  # fmt: skip
_DRAWN = (METRICS["error"], METRICS["bound"], METRICS["perplexity"], _LABELS)
_OTHERWISE = METRICS["loss"]  # Where there is no curve that can be compared.


def curves(runs, judged=None, counts=None, noun="rows"):
    """A `Panel` for every metric that was recorded, against epochs, every run a colour (figure 5).

    Args:
        runs: name -> records of its `metrics.jsonl`.
        judged: name -> the epoch whose weights are measured, as far as it is known.
        counts: name -> labelled validation rows, as far as they are known: the interval of an error is drawn by them.
        noun: what the rows are.
    """
    settings = judged or {}, counts or {}, noun
    return [panel for metric in _DRAWN for panel in _panel(metric, runs, *settings)] or _panel(
        _OTHERWISE, runs, *settings
    )


def _panel(metric, runs, judged, counts, noun):
    """One panel, or none where no run has the metric."""
    counted = {run: counts.get(run, 0) if metric.unit == "%" else 0 for run in runs}
    lines = {run: _line(records, metric, judged.get(run, 0), counted[run]) for run, records in runs.items()}
    lines = {run: line for run, line in lines.items() if line.validation[0] or line.training[0]}
    if not lines:
        return []
    shaded = [f"{counted[run]:,}" for run in lines if counted[run]]
    interval = (
        f" Shaded: the 95\N{NO-BREAK SPACE}% interval on {', '.join(shaded)} validation {noun}." if shaded else ""
    )
    return [Panel(metric.title, metric.meaning + interval, curve_figures.curves(lines, metric, metric.title))]


def _line(records, metric, judged, count):
    validation, training = (metrics_log.series(records, metric.name, kind) for kind in metrics_log.KINDS)
    return Line(validation, training, judged, count)
