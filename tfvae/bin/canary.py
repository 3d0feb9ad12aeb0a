"""Two versions on the same requests, before clients see the new one.

python -m tfvae.bin.canary --stable=savedmodels/sdgm/1 --canary=savedmodels/sdgm/2 --input=photos/

Exit codes: 0 where nothing speaks against the canary, 3 where something does.
"""

import json
import sys

from absl import flags

from tfvae.command_line import command

_STABLE = flags.DEFINE_string("stable", None, "The version that is served.", required=True)
_CANARY = flags.DEFINE_string("canary", None, "The new one.", required=True)
_INPUT = flags.DEFINE_string("input", None, "A folder of images, or shards.", required=True)
_IMAGES = flags.DEFINE_integer("images", 200, "At most so many are drawn.", lower_bound=1)
_DISAGREEMENT = flags.DEFINE_float("max_disagreement", 0.05, "Share of images whose class may differ.", 0.0, 1.0)
_BOUND_LOSS = flags.DEFINE_float("max_bound_loss", 1.0, "How much lower the mean bound may be, in nats.")


def main():
    from tfvae.evaluation.evaluate import plain
    from tfvae.monitoring import canary
    from tfvae.progress import tell, tell_next

    found = canary.compare(_STABLE.value, _CANARY.value, _INPUT.value, _IMAGES.value)
    reasons = canary.refusals(found, _DISAGREEMENT.value, _BOUND_LOSS.value)
    tell(canary.verdict(found, reasons))
    print(json.dumps(plain(found | {"against": reasons})), flush=True)
    tell_next("tfvae-predict", f"--model={_CANARY.value}", f"--input={_INPUT.value}", "--output=predictions/")
    sys.exit(3 if reasons else 0)


run = command.of(main)


if __name__ == "__main__":
    run()
