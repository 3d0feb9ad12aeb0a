"""Will TensorFlow Serving load this SavedModel, and answer as Python does? For exports of Keras and TensorFlow too.

python -m tfvae.bin.check --model=savedmodels/sdgm

Exit codes: 0 where nothing speaks against it, 3 where something does.

With --accept instead, a file of a run, of shards or of an export that was edited on purpose is read again.
"""

import sys

from absl import flags

from tfvae.command_line import command

_MODEL = flags.DEFINE_string("model", "", "A version, or a base path whose newest one is taken.")
_ACCEPT = flags.DEFINE_multi_string("accept", [], "A file of JSON that was edited on purpose: config.json, ...")


def main():
    from tfvae.serving import check
    from tfvae.storage import checked_json

    if bool(_MODEL.value) == bool(_ACCEPT.value):
        raise ValueError("Give either a model to check, --model, or files that were edited on purpose, --accept.")
    for path in _ACCEPT.value:
        checked_json.accept(path)
        print(f"{path} has the checksum of what it holds now.")
    if _ACCEPT.value:
        return
    points = check.check(_MODEL.value)
    print(check.text(points))
    sys.exit(3 if check.failed(points) else 0)


run = command.of(main)


if __name__ == "__main__":
    run()
