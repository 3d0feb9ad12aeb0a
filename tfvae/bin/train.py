"""Trains a preset in a run directory, or goes on with what is there.

python -m tfvae.bin.train --config=tfvae/configs/sdgm_digits.py --workdir=runs/sdgm [--config.data.labels_per_class=10]
"""

import json

from absl import app, flags
from ml_collections import config_flags

from tfvae.bin.errors import friendly, parse_flags
from tfvae.training import trainer

_CONFIG = config_flags.DEFINE_config_file(
    "config", lock_config=True, help_string="Preset, e.g. tfvae/configs/sdgm_digits.py, or with `:tiny` behind it."
)
_WORKDIR = flags.DEFINE_string("workdir", None, "Where checkpoints, metrics and config.json go.", required=True)


@friendly
def main(argv):
    del argv
    if _CONFIG.value is None:
        raise app.UsageError("Name a preset: --config=tfvae/configs/sdgm_digits.py.")
    print(json.dumps(trainer.train(_CONFIG.value, workdir=_WORKDIR.value)))


def run():
    """The console script."""
    app.run(main, flags_parser=parse_flags)


if __name__ == "__main__":
    run()
