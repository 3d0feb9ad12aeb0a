"""A folder of images -> shards with a manifest: all of it, or nothing."""

import contextlib
import dataclasses
import errno
import math
import os
import shutil
from pathlib import Path

import tensorflow as tf

from tfvae import batch as batches
from tfvae.data import folder as folders
from tfvae.data import framing, manifest, records
from tfvae.data.rows import NO_LABEL

_FULL = errno.ENOSPC, errno.EDQUOT, errno.EFBIG


def ingest(source, output, config=None, *, records_per_shard=10_000, overwrite=False, report=print):
    """Writes the images of a folder as shards.

    Memory holds one image at a time. The shards are written beside `output` and appear under its name at once, so an
    ingestion that fails or is killed leaves what was there before (a kill between the last two renamings leaves it
    as `.<output>.old-...`).

    Args:
        source: a folder as `tfvae.data.folder` describes it.
        output: the folder of the shards.
        config: `tfvae.data.folder.Config`.
        records_per_shard: the most records in one file.
        overwrite: whether shards that are already there are replaced.
        report: called with a table of what was found.

    Returns:
        `tfvae.data.manifest.Manifest`.

    Raises:
        ValueError: for a source that cannot be used, or an output that must not be written.
        OSError: if the shards cannot be written; nothing is left behind, and nothing that was there is lost.
    """
    if records_per_shard < 1:
        raise ValueError(f"`records_per_shard` must be at least 1, got {records_per_shard}.")
    output = Path(output).expanduser().resolve()
    _check_output(Path(source).expanduser(), output, overwrite)
    found = folders.survey(source, config)
    report(found.summary())
    with _all_or_nothing(output) as beside:
        shards = []
        for split in folders.SPLITS:
            for stream in manifest.STREAMS:
                items = [item for item in found.items if (item.split, _stream(item)) == (split, stream)]
                shards += _write_shards(found, items, beside, f"{split}-{stream}", records_per_shard)
        made = _manifest(found, shards)
        _write_text(beside / manifest.NAME, made.to_json())
    report(f"wrote {sum(made.counts.values())} records in {len(shards)} shards ({made.storage}) to {output}")
    return made


def _check_output(source, output, overwrite):
    if output.is_relative_to(source.resolve()):
        raise ValueError(f"`output` {output} lies in the folder that is read, {source}; give a folder outside of it.")
    if not output.exists():
        return
    if not output.is_dir():
        raise ValueError(f"`output` {output} is a file; give a folder.")
    names = sorted(os.listdir(output))
    if names and not overwrite:
        raise ValueError(
            f"`output` {output} is not empty; give another folder, or `--overwrite` to replace its shards."
        )
    foreign = [name for name in names if name != manifest.NAME and not manifest.is_shard_name(name)]
    if foreign:
        raise ValueError(
            f"`output` {output} holds files that ingest did not write, such as {foreign[0]!r}; it is left alone."
        )


@contextlib.contextmanager
def _all_or_nothing(output):
    """A new folder beside `output` that takes its name when the block ends, and vanishes when the block fails."""
    beside = output.with_name(f".{output.name}.partial-{os.getpid()}")
    old = output.with_name(f".{output.name}.old-{os.getpid()}")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir()
        yield beside
        _sync(beside)
        if output.exists():
            output.rename(old)
        try:
            beside.rename(output)
        except OSError:
            if old.exists():
                old.rename(output)
            raise
        _sync(output.parent)
        shutil.rmtree(old, ignore_errors=True)
    except (OSError, tf.errors.OpError) as error:
        raise _write_error(error, output) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _write_error(error, output):
    """An OSError that says what happened to the output; TensorFlow's writer has errors of its own."""
    number = error.errno if isinstance(error, OSError) else _errno(str(error))
    cause = os.strerror(number) if number else str(error)
    advice = "Make room and start again." if number in _FULL else "See to it and start again."
    text = f"The shards could not be written: {cause}. {advice} What was there before is unchanged"
    return OSError(number or errno.EIO, text, str(output))


def _errno(text):
    return next((number for number in (*_FULL, errno.EACCES) if os.strerror(number) in text), 0)


def _write_shards(found, items, target, prefix, records_per_shard):
    """The shards of one split and stream, rows in an arbitrary fixed order so that every shard is a fair sample."""
    items = sorted(items, key=lambda item: folders.order_key(f"shard {found.config.seed}", item.file))
    num_shards = math.ceil(len(items) / records_per_shard)
    shards = []
    for i in range(num_shards):
        path = target / f"{prefix}-{i:05}-of-{num_shards:05}.tfrecord"
        rows = items[i * len(items) // num_shards : (i + 1) * len(items) // num_shards]
        _write_shard(found, rows, path)
        shards.append(manifest.describe(path, len(rows)))
    return shards


def _write_shard(found, items, path):
    size = 0
    with tf.io.TFRecordWriter(str(path)) as writer:
        for item in items:
            record = records.serialise(
                found.pixels(item), item.label, captions=item.captions, tags=item.tags, pair=item.pair,
                file_name=folders.printable(item.file),
            )  # fmt: skip
            writer.write(record)
            size += framing.size(record)
    _sync(path)
    if path.stat().st_size != size:
        raise OSError(errno.ENOSPC, f"{path.stat().st_size} of {size} bytes were written", str(path))


def _manifest(found, shards):
    class_counts = {name: dict.fromkeys(folders.SPLITS, 0) for name in found.class_names}
    for item in found.items:
        if item.label != NO_LABEL:
            class_counts[found.class_names[item.label]][item.split] += 1
    return manifest.Manifest(
        image_shape=found.image_shape,
        class_names=found.class_names,
        shards=tuple(shards),
        counts=manifest.count(shards),
        class_counts=class_counts,
        captions=sum(len(item.captions) for item in found.items),
        repairs=found.repairs,
        rejects=tuple(tuple(reject) for reject in found.rejects),
        settings=dataclasses.asdict(found.config),
    )


def _stream(item):
    if item.label != NO_LABEL:
        return batches.LABELLED
    return batches.CAPTIONED if item.captions else batches.UNLABELLED


def _write_text(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync(path):
    """Waits until a file or folder lies on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
