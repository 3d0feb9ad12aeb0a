"""Components of ours: the checks that stop a pipeline or a push, and a push that no server sees half of."""

import json
import os
from pathlib import Path

from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.components import Pusher
from tfx.components.pusher import executor as pusher
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.components.base import executor_spec
from tfx.dsl.io import fileio
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils, standard_artifacts, standard_component_specs
from tfx.utils import path_utils, proto_utils

from pipelines import schema
from tfvae.serving import export, gate, models_config
from tfvae.storage import atomic

BASE_PATH = "base_path"
_REASON = "reason.txt"
_BLESSED = "blessed"


class AnomaliesFound(ValueError):
    """Examples that are not what their schema says."""


class NotPushed(ValueError):
    """A model that was not blessed."""


@component
def StopAtAnomalies(
    anomalies: InputArtifact[standard_artifacts.ExampleAnomalies],
    checked: OutputArtifact[standard_artifacts.String],
):
    """Ends the pipeline where ExampleValidator, which never does, found an anomaly."""
    found = anomalies_in(anomalies.uri)
    if found:
        raise AnomaliesFound(
            f"The examples are not what the schema says: {'; '.join(found)}. Mend the data, or, where the data is "
            "right, curate the schema; nothing was trained and nothing pushed."
        )
    checked.value = "no anomalies"


def anomalies_in(uri):
    """Anomalies of all splits below the artifact of an ExampleValidator, a text for each."""
    found, paths = [], sorted(fileio.glob(os.path.join(uri, "Split-*", "SchemaDiff.pb")))
    if not paths:
        raise AnomaliesFound(f"There is nothing in {uri} that says whether the examples are what the schema says.")
    for path in paths:
        with fileio.open(path, "rb") as file:
            proto = anomalies_pb2.Anomalies.FromString(file.read())
        split = os.path.basename(os.path.dirname(path)).removeprefix("Split-")
        found += [f"{name} in {split}: {text}" for name, text in schema.anomalies(proto).items()]
    return found


@component
def ExportGate(
    model: InputArtifact[standard_artifacts.Model],
    blessing: OutputArtifact[standard_artifacts.InfraBlessing],
    name: Parameter[str],
):
    """InfraValidator without Docker: the gate of `tfvae.serving` on the model as it lies in the store of artifacts."""
    reason = ""
    try:
        gate.check_again(path_utils.serving_model_path(model.uri), name)
    except gate.GateError as error:
        reason = str(error)
    Path(blessing.uri).mkdir(parents=True, exist_ok=True)
    atomic.write_bytes(Path(blessing.uri, _REASON), (reason or "passed").encode())
    blessing.set_int_custom_property(_BLESSED, int(not reason))


def reason(uri):
    """Why the artifact of an `ExportGate` blesses nothing."""
    return Path(uri, _REASON).read_text()


class _WholeVersions(pusher.Executor):
    """Pushes by one rename; TFX's own executor copies file by file into the directory that the server watches."""

    def Do(self, input_dict, output_dict, exec_properties):
        pushed = artifact_utils.get_single_instance(output_dict[standard_component_specs.PUSHED_MODEL_KEY])
        if not self.CheckBlessing(input_dict):
            self._MarkNotPushed(pushed)
            return
        destination = pusher_pb2.PushDestination()
        proto_utils.json_to_proto(exec_properties[standard_component_specs.PUSH_DESTINATION_KEY], destination)
        base = Path(destination.filesystem.base_directory)
        version = export.push(self.GetModelPath(input_dict), base)
        custom = json.loads(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY])
        models_config.update(base.parent, custom[BASE_PATH])
        self._MarkPushed(pushed, pushed_destination=str(version), pushed_version=version.name)


class WholePusher(Pusher):
    """Pusher whose versions are integers and appear whole."""

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(_WholeVersions)


@component
def StopUnlessPushed(
    pushed: InputArtifact[standard_artifacts.PushedModel],
    served: OutputArtifact[standard_artifacts.String],
):
    """Ends the pipeline in failure where nothing was pushed, whichever orchestrator runs it: TFX calls that success."""
    if not pushed.get_int_custom_property("pushed"):
        raise NotPushed("The model was not blessed, so nothing was pushed; the Evaluator and the gate say why.")
    served.value = pushed.get_string_custom_property("pushed_destination")
