"""Draws images from a trained run: `python -m tfvae.bin.sample --workdir=runs/sdgm --output=samples.png`."""

import math
from pathlib import Path

from absl import flags

from tfvae.command_line import command

_WORKDIR = flags.DEFINE_string("workdir", None, "A run directory that tfvae-train made.", required=True)
_OUTPUT = flags.DEFINE_string("output", None, "The PNG file to write.", required=True)
_NUM = flags.DEFINE_integer("num", 64, "Images in the grid.", lower_bound=1, upper_bound=10_000)
_SEED = flags.DEFINE_integer("seed", 0, "Equal seeds draw equal images.")
_CAPTION = flags.DEFINE_multi_string("caption", [], "Images for these captions; may be given several times.")
_LABEL = flags.DEFINE_string("label", None, "Only this class: its name or its number.")


def class_of(label, class_names):
    """The number of a class given by name or number; None for None.

    Raises:
        ValueError: if the name or number is not a class.
    """
    if label is None:
        return None
    if label in class_names:
        return class_names.index(label)
    if label.isdigit() and int(label) < len(class_names):
        return int(label)
    raise ValueError(f"`--label` must be one of {', '.join(map(str, class_names))} or a number, got {label!r}.")


def main():
    from tfvae.progress import tell_next
    from tfvae.reports import captions, generation
    from tfvae.run.opening import open_without_data
    from tfvae.storage import atomic

    if not Path(_OUTPUT.value).parent.is_dir():
        raise ValueError(f"There is no folder {Path(_OUTPUT.value).parent} for `--output`; make it first.")
    run = open_without_data(_WORKDIR.value)
    if _CAPTION.value:
        images = captions.drawn(run.model, run.data, _CAPTION.value)
    else:
        label = class_of(_LABEL.value, list(run.data.class_names))
        images = generation.sampled(run.model, run.data, _NUM.value, _SEED.value, label)
    grid = generation.grid(images, columns=math.ceil(math.sqrt(len(images))))
    atomic.write_bytes(_OUTPUT.value, generation.png(grid, min_width=512))
    print(f"{len(images)} images in {_OUTPUT.value}", flush=True)
    tell_next("tfvae-export", f"--workdir={run.workdir}", f"--output=savedmodels/{run.workdir.resolve().name}")


run = command.of(main)


if __name__ == "__main__":
    run()
