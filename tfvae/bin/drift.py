"""Have the images changed since training?

python -m tfvae.bin.drift --model=savedmodels/sdgm --reference=shards/ --input=new_photos/ --output=drift.html

Exit codes: 0 where nothing changed, 3 where something did.
"""

import json
import sys
from pathlib import Path

from absl import flags

from tfvae.command_line import command

_MODEL = flags.DEFINE_string("model", None, "A version, or a base path whose newest one is taken.", required=True)
_REFERENCE = flags.DEFINE_string("reference", None, "Shards of the training data.", required=True)
_INPUT = flags.DEFINE_string("input", None, "A folder of the images in question, or shards.", required=True)
_OUTPUT = flags.DEFINE_string("output", "drift.html", "The page that is written.")
flags.DEFINE_alias("report", "output")  # Its name in 0.1.
_IMAGES = flags.DEFINE_integer("images", 500, "At most so many of each are drawn.", lower_bound=10)
_LEVEL = flags.DEFINE_float("level", 0.01, "How often equal data pass for changed, by all tests.", 0.005, 1.0)


def main():
    from tfvae.evaluation.evaluate import plain
    from tfvae.monitoring import drift, drift_report
    from tfvae.progress import tell, tell_next
    from tfvae.storage import atomic

    if not Path(_OUTPUT.value).absolute().parent.is_dir():
        raise ValueError(f"There is no folder {Path(_OUTPUT.value).parent} for `--output`; make it first.")
    found = drift.measure(_MODEL.value, _REFERENCE.value, _INPUT.value, _IMAGES.value, level=_LEVEL.value)
    atomic.write_bytes(Path(_OUTPUT.value), drift_report.render(found, _LEVEL.value).encode())
    answer = drift.answer(found, _LEVEL.value)
    tell(answer["verdict"], f"see {_OUTPUT.value}")
    print(json.dumps(plain(answer)), flush=True)
    tell_next("tfvae-predict", f"--model={_MODEL.value}", f"--input={_INPUT.value}", "--output=predictions/")
    sys.exit(3 if answer["changed"] else 0)


run = command.of(main)


if __name__ == "__main__":
    run()
