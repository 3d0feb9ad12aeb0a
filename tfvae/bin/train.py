"""Trains a preset in a run directory, or goes on with what is there.

python -m tfvae.bin.train --config=sdgm_digits --workdir=runs/sdgm [--config.data.labels_per_class=10]
"""

import json

from absl import flags
from ml_collections import config_flags

from tfvae.command_line import command

_CONFIG = config_flags.DEFINE_config_file(
    "config", lock_config=True, help_string="Preset by its name or path, e.g. sdgm_digits, or with `:tiny` behind it."
)
_WORKDIR = flags.DEFINE_string("workdir", None, "Where checkpoints, metrics and config.json go.", required=True)


def main():
    from tfvae import progress
    from tfvae.training import trainer

    if _CONFIG.value is None:
        raise ValueError("Name a preset: `--config=sdgm_digits`, or the path of your own.")
    print(json.dumps(trainer.train(_CONFIG.value, workdir=_WORKDIR.value)), flush=True)
    progress.tell_next("tfvae-evaluate", f"--workdir={_WORKDIR.value}")


run = command.of(main)


if __name__ == "__main__":
    run()
