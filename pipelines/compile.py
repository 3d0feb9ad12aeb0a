"""Compiles the pipeline of a preset for Kubeflow Pipelines (v2) or Vertex AI:

python -m pipelines.compile --config=tfvae/configs/sdgm_folder.py --input=/data/shards --workdir=... --output=... \
  --image=registry/tfvae-pipeline:1 --root=/gcs/bucket/pipelines --file=pipeline.json

The image holds this checkout with the extra `pipeline`; every path is one that its containers see.
"""

from absl import app, flags

from pipelines import command
from tfvae.command_line.errors import friendly, parse_flags

_IMAGE = flags.DEFINE_string("image", None, "Container image with tfvae and its extra `pipeline`.", required=True)
_FILE = flags.DEFINE_string("file", "pipeline.json", "What is written: upload it to Kubeflow or Vertex AI.")
_ROOT = flags.DEFINE_string("root", "", "Where artifacts go, e.g. /gcs/bucket/pipelines; the workdir by default.")


@friendly
def main(argv):
    del argv
    settings = command.settings()
    from pipelines import kubeflow  # After the flags are known to be right: importing TFX takes ten seconds.

    kubeflow.write(settings, _IMAGE.value, _FILE.value, _ROOT.value)
    print(f"{_FILE.value} holds the pipeline {settings.name}.")


if __name__ == "__main__":
    app.run(main, flags_parser=parse_flags)
