"""Own images with labels and captions, or a TFDS set -> shards.

python -m tfvae.bin.ingest --input=photos/ --output=shards/
"""

from absl import flags

from tfvae.command_line import command

_INPUT = flags.DEFINE_string("input", "", "Folder of images: photos/<class>/*.jpg, metadata.csv, COCO's captions.")
_TFDS = flags.DEFINE_string("tfds", "", "Instead of --input, a prepared set of TensorFlow Datasets, e.g. mnist.")
_DATA_DIR = flags.DEFINE_string("data_dir", "", "Where TFDS keeps its sets.")
_OUTPUT = flags.DEFINE_string("output", None, "Folder of the shards, which is made.", required=True)
_IMAGE_SIZE = flags.DEFINE_integer(
    "image_size", 0, "N: resize the shorter side to N and cut N x N pixels; 0 keeps sizes.", lower_bound=0
)
_COLOR_MODE = flags.DEFINE_enum("color_mode", "auto", ["auto", "gray", "rgb"], "auto: gray if every image is.")
_MAX_PIXELS = flags.DEFINE_integer("max_pixels", 50_000_000, "Larger images are rejected.", lower_bound=1)
_VALIDATION_FRACTION = flags.DEFINE_float(
    "validation_fraction", 0.1, "Share of every class for validation, where the metadata name none.", 0.0, 1.0
)
_TEST_FRACTION = flags.DEFINE_float(
    "test_fraction", 0.1, "Share of every class for the test, where the metadata name none.", 0.0, 1.0
)
_MODALITIES = flags.DEFINE_list(
    "modalities", [], "Folders of an example's images, the first one's first: visible,infrared; by default image*."
)
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Whether shards that are already there are replaced.")
_RECORDS_PER_SHARD = flags.DEFINE_integer("records_per_shard", 10_000, "The most records in a file.", lower_bound=1)


def ingested(spread=map, resume=False):
    """Does what the flags say; `spread` and `resume` as of `tfvae.data.ingest.ingest`."""
    from tfvae.data import folder, ingest, ingest_tfds

    if bool(_INPUT.value) == bool(_TFDS.value):
        raise ValueError("Give either a folder of images, --input, or a set of TensorFlow Datasets, --tfds.")
    sizes = {"records_per_shard": _RECORDS_PER_SHARD.value, "overwrite": _OVERWRITE.value}
    fractions = {"validation_fraction": _VALIDATION_FRACTION.value, "test_fraction": _TEST_FRACTION.value}
    shared = {"image_size": _IMAGE_SIZE.value, **fractions}
    if _TFDS.value:
        unused = [name for name in ("color_mode", "max_pixels", "modalities") if flags.FLAGS[name].present]
        if unused:
            raise ValueError(f"`--{unused[0]}` is for folders of images, not for a set of TensorFlow Datasets.")
        return ingest_tfds.ingest_tfds(
            _TFDS.value, _OUTPUT.value, _DATA_DIR.value, **shared, **sizes, spread=spread, resume=resume
        )
    ways = {"max_pixels": _MAX_PIXELS.value, "modalities": tuple(_MODALITIES.value)}
    config = folder.Config(color_mode=_COLOR_MODE.value, **ways, **shared)
    return ingest.ingest(_INPUT.value, _OUTPUT.value, config, **sizes, spread=spread, resume=resume)


def main():
    from tfvae.progress import tell_next

    ingested()
    shards = ("--config.data.source=shards", f"--config.data.path={_OUTPUT.value}")
    tell_next("tfvae-train", "--config=sdgm_folder", *shards, "--workdir=runs/photos")


run = command.of(main)


if __name__ == "__main__":
    run()
