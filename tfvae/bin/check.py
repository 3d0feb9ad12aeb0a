"""Will TensorFlow Serving load this SavedModel, and answer as Python does? For exports of Keras and TensorFlow too.

python -m tfvae.bin.check --model=savedmodels/sdgm

Exit codes: 0 where nothing speaks against it, 3 where something does.
"""

import sys

from absl import flags

from tfvae.command_line import command

_MODEL = flags.DEFINE_string("model", None, "A version, or a base path whose newest one is taken.", required=True)


def main():
    from tfvae.serving import check

    points = check.check(_MODEL.value)
    print(check.text(points))
    sys.exit(3 if check.failed(points) else 0)


run = command.of(main)


if __name__ == "__main__":
    run()
