"""Curves of training: error and bound by epoch."""

from tfvae.metrics import METRICS
from tfvae.reports import figures
from tfvae.reports.panel import Panel
from tfvae.storage import metrics_log

_NAMES = ("error", "bound", "perplexity")
_OTHERWISE = "loss"  # Where there is no curve that can be compared.


def curves(runs):
    """A `Panel` for every metric that was recorded, against epochs, every run a line (figure 5).

    Args:
        runs: name -> records of its `metrics.jsonl`.
    """
    drawn = [panel for name in _NAMES for panel in _panel(METRICS[name], runs)]
    return drawn or _panel(METRICS[_OTHERWISE], runs)


def _panel(metric, runs):
    """One panel, or none where no run has the metric."""
    lines = {run: metrics_log.series(records, metric.name) for run, records in runs.items()}
    lines = {run: line for run, line in lines.items() if line[0]}
    if not lines:
        return []
    return [Panel(_title(metric), metric.meaning, figures.curves(lines, metric, _title(metric)))]


def _title(metric):
    return f"Validation {metric.title[0].lower()}{metric.title[1:]}" if metric.monitored else metric.title
