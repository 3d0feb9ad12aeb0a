"""One run of a pipeline on this machine: locked, told as it goes, judged, written down."""

import contextlib
import logging
import os
import sys
import time

from absl import logging as absl_logging
from tfx.orchestration.local.local_dag_runner import LocalDagRunner

import tfvae
from pipelines import components, graph, record
from tfvae.data import manifest
from tfvae.serving import gate
from tfvae.storage import unfinished
from tfvae.training import nan_guard

PUSHED, REFUSED = 0, 3
_OURS = os.path.dirname(tfvae.__file__)


def run(settings):
    """Runs the pipeline of checked `Settings`; the exit code.

    Raises:
        ValueError: if another process runs the same pipeline.
    """
    began = time.monotonic()
    with _locked(settings.workdir), quiet():
        stale = record.mark_stale(settings) if settings.metadata.exists() else 0
        if stale:
            print(f"{stale} execution(s) of a run that was killed are marked as failed; going on from what was done.")
        refused, error = _launched(settings)
        found = record.read(settings)
        verdict = record.verdict(found, refused)
        seconds = time.monotonic() - began
        path = record.write(settings, found, seconds, verdict)
        told = record.told(found)
    print(f"\n{told}\n{seconds:.1f} s; {path} says what was made of what.")
    if error:
        raise error
    if verdict.version:
        print(f"{verdict.version} is ready to be served.")
        return PUSHED
    print("NOTHING WAS PUSHED: " + "; ".join(verdict.reasons))
    return REFUSED


def _launched(settings):
    """Runs the graph; (why it was ended where the model or the data were refused, the error where it is another)."""
    try:
        LocalDagRunner().run(graph.make(settings))
    except components.NotPushed:
        return "", None  # The Evaluator and the gate say more.
    except (components.AnomaliesFound, gate.GateError, manifest.DamagedShards, nan_guard.NonFiniteError) as error:
        return str(error), None
    except Exception as error:
        return str(error), error
    return "", None


@contextlib.contextmanager
def _locked(workdir):
    """The pipeline for this process alone: two would write the same artifacts."""
    workdir.mkdir(parents=True, exist_ok=True)
    busy = f"Another process runs the pipeline in {workdir}: wait for it, or name another one."
    with unfinished.lock(workdir / "lock", lambda process: busy):
        unfinished.settle_all(workdir / "runs")
        yield


@contextlib.contextmanager
def quiet():
    """A line for every node that begins, in the place of TFX's pages about each.

    The command line is hidden: TFX parses it once more for the flags of Beam, which takes a preset's fields for new.
    """
    root, told = logging.getLogger(), absl_logging.get_absl_logger()
    before = root.handlers, told.level, sys.argv
    root.handlers, told.level, sys.argv = [_Nodes()], logging.INFO, sys.argv[:1]
    try:
        yield
    finally:
        root.handlers, told.level, sys.argv = before


class _Nodes(logging.Handler):
    """Prints which node runs, and warnings of ours."""

    def emit(self, entry):
        if entry.msg == "Component %s is running.":
            print(f"  {entry.args[0]}", flush=True)
        elif entry.levelno >= logging.WARNING and entry.pathname.startswith(_OURS):
            print(f"  {entry.getMessage()}", flush=True)
