"""Ten classes of 3D objects, rendered by Blender in poses that are known -> shards.

python -m tfvae.bin.render --output=shards/rendered --train=10000
"""

from absl import flags

from tfvae.command_line import command

_OUTPUT = flags.DEFINE_string("output", None, "Folder of the shards, which is made.", required=True)
_TRAIN = flags.DEFINE_integer("train", 50_000, "Images to train on.", lower_bound=1)
_VALIDATION = flags.DEFINE_integer("validation", 1000, "Images to choose by.", lower_bound=0)
_TEST = flags.DEFINE_integer("test", 10_000, "Images to judge by.", lower_bound=0)
_SEED = flags.DEFINE_integer("seed", 0, "Of all scenes: equal seeds render equal images.", lower_bound=0)
_PROCESSES = flags.DEFINE_integer("processes", 0, "That render side by side; 0 for one a core.", lower_bound=0)
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Whether shards that are already there are replaced.")


def main():
    from tfvae.data.rendered import ingest_rendered
    from tfvae.progress import tell_next

    ingest_rendered.ingest_rendered(
        _OUTPUT.value,
        {"train": _TRAIN.value, "validation": _VALIDATION.value, "test": _TEST.value},
        _SEED.value,
        overwrite=_OVERWRITE.value,
        processes=_PROCESSES.value,
    )
    place = f"--config.data.path={_OUTPUT.value}"
    tell_next("tfvae-train", "--config=drmm_rendered:small", place, "--workdir=runs/rendered")


run = command.of(main)


if __name__ == "__main__":
    run()
