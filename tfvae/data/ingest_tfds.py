"""A prepared set of TensorFlow Datasets -> shards with a manifest, a slice of the set a shard."""

import functools
from pathlib import Path
from typing import NamedTuple

from tfvae import batch as batches
from tfvae import ranges
from tfvae.data import folder, ingest, manifest, records
from tfvae.data.entries.label import NO_LABEL
from tfvae.data.sources import tfds
from tfvae.storage import reachable

# What TFDS calls a split of ours.
_SPLITS = {"train": ("train",), "validation": ("validation", "val"), "test": ("test",)}


class _Slice(NamedTuple):
    """Rows [first, end) of a split, as TFDS stored them."""

    split: str
    first: int
    end: int


def ingest_tfds(
    name, output, data_dir="", image_size=0, validation_fraction=0.1, test_fraction=0.1, *, records_per_shard=10_000,
    overwrite=False, report=print, spread=map, resume=False,
):  # fmt: skip
    """Writes a set as shards, rows in the order of the set, which TFDS has shuffled.

    Args:
        name: of the set.
        data_dir: where TFDS keeps its sets; empty for its default.
        image_size: images are resized to this square; 0 leaves them.
        validation_fraction, test_fraction: the last rows of `train` that a set without such a split gives away.
        output, records_per_shard, overwrite, report, spread, resume: as of `tfvae.data.ingest.ingest`.

    Returns:
        `tfvae.data.manifest.Manifest`.

    Raises:
        ValueError: for a set that is not there, or is none of images of one size, or an output that must not be
            written.
    """
    output = ingest.checked_output(None, output, records_per_shard, overwrite)
    fractions = {"validation_fraction": validation_fraction, "test_fraction": test_fraction}
    ranges.check(folder.Config(image_size=image_size, **fractions))
    # Workers may have another working directory.
    data_dir = str(Path(data_dir).expanduser().resolve()) if data_dir and "://" not in data_dir else data_dir
    builder = tfds.builder_of(name, data_dir)
    first = tfds.rows(builder, "train[:1]", image_size)
    if first.image.shape[-1] not in (1, 3):
        raise ValueError(
            f"The images of {name!r} have {first.image.shape[-1]} channels, shards hold 1 or 3: train on the set "
            "itself, `--config.data.source=tfds`."
        )
    stream = _stream(first)
    parts = [
        ingest.Part(file, _Slice(of.split, of.first + start, of.first + end))
        for split, of in _slices(builder, validation_fraction, test_fraction).items()
        for file, start, end in ingest.shard_names(f"{split}-{stream}", of.end - of.first, records_per_shard)
    ]
    names = tfds.class_names(builder)
    if stream == batches.LABELLED and not names:
        raise ValueError(
            f"The set {name!r} does not say which classes it has: train on it itself, `--config.data.source=tfds`."
        )
    settings = {"tfds": name, "version": str(builder.version), "image_size": image_size}

    def described(shards):
        # How many captions there are is known to nobody yet; a reader only asks whether there are any.
        return manifest.Manifest(
            tuple(first.image.shape[1:]), names, tuple(shards), manifest.count(shards),
            captions=len(first.captions), settings=settings,
        )  # fmt: skip

    records_of = functools.partial(_serialised, name, data_dir, image_size, stream)
    key = ingest.digest([settings, parts])
    made = ingest.write(output, parts, records_of, described, spread, resume and key)
    report(f"wrote {sum(made.counts.values())} records in {len(made.shards)} shards ({made.storage}) to {output}")
    return made


def _slices(builder, validation_fraction, test_fraction):
    """{split of ours: `_Slice`}: the set's own, or the end of its `train`."""
    found = {
        split: _Slice(name, 0, builder.info.splits[name].num_examples)
        for split, names in _SPLITS.items()
        for name in names
        if name in builder.info.splits
    }
    end = found["train"].end
    for split, share in (("test", test_fraction), ("validation", validation_fraction)):
        if split not in found and share:
            found[split] = _Slice("train", end - round(share * found["train"].end), end)
            end = found[split].first
    return found | {"train": _Slice("train", 0, end)}


def _stream(rows):
    if (rows.label != NO_LABEL).all():
        return batches.LABELLED
    return batches.CAPTIONED if any(rows.captions) else batches.UNLABELLED


def _serialised(name, data_dir, image_size, stream, of):
    if data_dir and "://" not in data_dir:
        reachable.require(data_dir)
    builder = tfds.builder_of(name, data_dir)
    rows = tfds.rows(builder, f"{of.split}[{of.first}:{of.end}]", image_size)
    if len(rows) and _stream(rows) != stream:
        raise ValueError(f"{name} has rows with and without labels in {of.split}, so that they cannot be told apart.")
    texts = rows.captions or [()] * len(rows)
    for image, label, captions in zip(rows.image, rows.label, texts, strict=True):
        yield records.serialise(image, int(label), caption=captions)
