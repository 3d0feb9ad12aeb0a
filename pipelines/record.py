"""The lineage of a pipeline's run as JSON beside the metadata store, readable without it."""

import datetime
from pathlib import Path
from typing import NamedTuple

from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.orchestration import metadata as tfx_metadata

from pipelines import components, evaluation
from tfvae.serving import export
from tfvae.storage import checked_json

_RUNS, _NODES = "pipeline_run", "node"
_INPUTS = (mlmd.Event.INPUT, mlmd.Event.DECLARED_INPUT, mlmd.Event.INTERNAL_INPUT)


class Verdict(NamedTuple):
    """How a run ended.

    version: the path of the version that is served now because of it; empty where nothing was pushed.
    reasons: why nothing was.
    """

    version: str
    reasons: list[str]


def read(settings):
    """The last run of a pipeline: {"pipeline", "run", "nodes": [...], "artifacts": [...]}.

    A node has its state, its seconds and the ids of its inputs and outputs; an artifact its type, URI, sha256,
    properties, the node that made it and the artifacts that it was made of ("parents").
    """
    with _store(settings) as store:
        run = max(store.get_contexts_by_type(_RUNS), key=lambda context: context.id, default=None)
        if run is None:
            return {"pipeline": settings.name, "run": None, "nodes": [], "artifacts": []}
        names = _node_names(store)
        executions = sorted(store.get_executions_by_context(run.id), key=lambda execution: execution.id)
        events = store.get_events_by_execution_ids([execution.id for execution in executions])
        taken, made = _by_execution(events)
        nodes = [_node(execution, names, taken, made) for execution in executions]
        ids = sorted({event.artifact_id for event in events})
        artifacts = [_artifact(artifact, nodes) for artifact in store.get_artifacts_by_id(ids)]
    return {"pipeline": settings.name, "run": run.name, "nodes": nodes, "artifacts": artifacts}


def write(settings, record, seconds, verdict):
    """Writes the record of a run with how it ended into `settings.records`; returns its path."""
    now = datetime.datetime.now(datetime.UTC)
    ended = {
        "date": now.isoformat(timespec="seconds"), "seconds": round(seconds, 1), "shards": str(settings.span.resolve()),
        **verdict._asdict(),
    }  # fmt: skip
    settings.records.mkdir(parents=True, exist_ok=True)
    path = settings.records / f"{now:%Y%m%dT%H%M%S%f}.json"
    checked_json.write(path, record | ended)
    return path


def shards_of_last_push(settings):
    """The folder of the shards behind the last version that was pushed.

    Raises:
        ValueError: if nothing was pushed yet.
    """
    for path in sorted(settings.records.glob("*.json"), reverse=True):
        found = checked_json.read(path, otherwise="move it away, and the record before it counts")
        if found["version"]:
            return Path(found["shards"])
    raise ValueError(f"The pipeline in {settings.workdir} has pushed nothing yet, so there is nothing to compare with.")


def verdict(record, refused=""):
    """Whether a version was pushed, and if not, why.

    Args:
        record: of `read`.
        refused: why the run was ended, where it was.
    """
    nodes, artifacts = _by_name(record)
    pushed = _output(nodes.get("WholePusher"), artifacts)
    if not refused and pushed and pushed["properties"].get("pushed"):
        return Verdict(pushed["properties"]["pushed_destination"], [])
    return Verdict("", [refused] if refused else _refusals(nodes, artifacts) or ["nothing was pushed"])


def mark_stale(settings):
    """Marks executions that a killed run left as running as failed; returns how many.

    The pipeline's lock is held, so that nothing can be running.
    """
    with _store(settings) as store:
        running = (mlmd.Execution.RUNNING, mlmd.Execution.NEW)
        stale = [execution for execution in store.get_executions() if execution.last_known_state in running]
        for execution in stale:
            execution.last_known_state = mlmd.Execution.FAILED
            execution.custom_properties["tfvae_stale"].string_value = "left running by a process that is gone"
        if stale:
            store.put_executions(stale)
        return len(stale)


class _store:
    """The metadata store of a pipeline, closed when the block ends."""

    def __init__(self, settings):
        config = tfx_metadata.sqlite_metadata_connection_config(str(settings.metadata.resolve()))
        self._metadata = tfx_metadata.Metadata(config)

    def __enter__(self):
        return self._metadata.__enter__().store

    def __exit__(self, *error):
        return self._metadata.__exit__(*error)


def _node_names(store):
    """{execution id: name of its node}."""
    names = {}
    for context in store.get_contexts_by_type(_NODES):
        for execution in store.get_executions_by_context(context.id):
            names[execution.id] = context.name.partition(".")[2]
    return names


def _by_execution(events):
    taken, made = {}, {}
    for event in events:
        (taken if event.type in _INPUTS else made).setdefault(event.execution_id, []).append(event.artifact_id)
    return taken, made


def _node(execution, names, taken, made):
    seconds = (execution.last_update_time_since_epoch - execution.create_time_since_epoch) / 1000
    return {
        "node": names.get(execution.id, str(execution.type_id)),
        "execution": execution.id,
        "state": mlmd.Execution.State.Name(execution.last_known_state),
        "seconds": round(seconds, 1),
        "inputs": sorted(set(taken.get(execution.id, []))),
        "outputs": sorted(set(made.get(execution.id, []))),
    }


def _artifact(artifact, nodes):
    makers = [node for node in nodes if artifact.id in node["outputs"]]
    return {
        "id": artifact.id,
        "type": artifact.type,
        "uri": artifact.uri,
        "sha256": export.digest(artifact.uri),
        "properties": {name: _value(value) for name, value in artifact.custom_properties.items()},
        "made_by": makers[-1]["node"] if makers else None,
        "parents": makers[-1]["inputs"] if makers else [],
    }


def _value(value):
    kind = value.WhichOneof("value")
    return getattr(value, kind) if kind in ("int_value", "double_value", "string_value") else str(value)


def _by_name(record):
    """({name: node}, {id: artifact})."""
    return {node["node"]: node for node in record["nodes"]}, {found["id"]: found for found in record["artifacts"]}


def _output(node, artifacts, kind=None):
    """The output of a node, of one type where it has several; None without one."""
    found = [artifacts[i] for i in (node or {}).get("outputs", ()) if i in artifacts]
    return next((artifact for artifact in found if kind in (None, artifact["type"])), None)


def _refusals(nodes, artifacts):
    """Why a model that was trained was not pushed."""
    reasons = []
    blessing = _output(nodes.get("Evaluator"), artifacts, "ModelBlessing")
    if blessing and not blessing["properties"].get("blessed"):
        reasons += evaluation.failures(_output(nodes["Evaluator"], artifacts, "ModelEvaluation")["uri"])
    infra = _output(nodes.get("ExportGate"), artifacts)
    if infra and not infra["properties"].get("blessed"):
        reasons.append(components.reason(infra["uri"]))
    return reasons


def told(record):
    """A record as a table for people: nodes with state and seconds, and what the Evaluator measured."""
    lines = [f"{node['node']:20}{node['state'].lower():>10}{node['seconds']:8.1f} s" for node in record["nodes"]]
    nodes, artifacts = _by_name(record)
    evaluated = _output(nodes.get("Evaluator"), artifacts, "ModelEvaluation")
    values = evaluation.measured(evaluated["uri"]) if evaluated else {}
    lines += [f"  {name} {value:.4g}" for name, value in sorted(values.items())]
    return "\n".join(lines)
