"""The pipeline for Kubeflow Pipelines v2 and Vertex AI."""

from tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner import KubeflowV2DagRunner, KubeflowV2DagRunnerConfig

from pipelines import graph, runner


def write(settings, image, file, root=""):
    """Writes the compiled pipeline of checked `Settings` to a file.

    Args:
        settings: `pipelines.settings.Settings`; its paths are those that containers see.
        image: of the containers, with tfvae and its extra `pipeline`.
        file: what is written.
        root: where artifacts go; the workdir's by default.
    """
    made = graph.make(settings, root=root)
    with runner.quiet():
        KubeflowV2DagRunner(KubeflowV2DagRunnerConfig(default_image=image), output_filename=str(file)).run(made)
