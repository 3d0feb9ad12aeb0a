"""Runs the pipeline of a preset on this machine: `tools/pipeline`, or

python -m pipelines.local --config=tfvae/configs/sdgm_folder.py --input=shards/ --workdir=runs/pipeline \
  --output=savedmodels/photos [--error=0.1] [--config.training.epochs=20]

Exit codes: 0 when a version was pushed, 3 when the model or its data were refused, 1 for every other error.
"""

import sys

from absl import app

from pipelines import command
from tfvae.command_line.errors import friendly, parse_flags


@friendly
def main(argv):
    del argv
    settings = command.settings()
    from pipelines import runner  # After the flags are known to be right: importing TFX takes ten seconds.

    sys.exit(runner.run(settings))


if __name__ == "__main__":
    app.run(main, flags_parser=parse_flags)
