"""A folder of images -> shards with a manifest: all of it, or nothing."""

import contextlib
import dataclasses
import errno
import functools
import hashlib
import json
import math
import os
from pathlib import Path
from typing import NamedTuple

from tfvae import batch as batches
from tfvae.data import folder as folders
from tfvae.data import manifest, records
from tfvae.data.entries.label import NO_LABEL
from tfvae.progress import Progress
from tfvae.storage import atomic, checked_json, reachable, record_files, unfinished

_FULL = errno.ENOSPC, errno.EDQUOT, errno.EFBIG


class Part(NamedTuple):
    """One shard to be written.

    name: of its file.
    rows: what its records are made of; plain values that can be sent to another process.
    """

    name: str
    rows: tuple


def ingest(
    source, output, config=None, *, records_per_shard=10_000, overwrite=False, report=print, spread=map, resume=False
):
    """Writes the images of a folder as shards.

    Memory holds one image at a time. The shards are written beside `output` and appear under its name at once, so an
    ingestion that fails or is killed leaves what was there before. (Between the last two renamings it lies in
    `.<output>.unfinished/former`; the next ingestion puts it back.)

    Args:
        source: a folder as `tfvae.data.folder` describes it.
        output: the folder of the shards.
        config: `tfvae.data.folder.Config`.
        records_per_shard: the most records in one file.
        overwrite: whether shards that are already there are replaced.
        report: called with a table of what was found.
        spread: applies a function to values as `map` does, maybe in other processes that see the same files.
        resume: whether shards of an ingestion that did not end are kept, and taken over by the next one of the same
            files.

    Returns:
        `tfvae.data.manifest.Manifest`.

    Raises:
        ValueError: for a source that cannot be used, or an output that must not be written.
        OSError: if the shards cannot be written, or a machine cannot read the images; nothing that was there is lost,
            and nothing is left behind without `resume`.
    """
    output = checked_output(Path(source).expanduser().resolve(), output, records_per_shard, overwrite)
    found = folders.survey(source, config, spread)
    report(found.summary())
    parts = [
        part
        for split in folders.SPLITS
        for stream in batches.streams(tuple(found.shapes))
        for part in _parts(found, split, stream, records_per_shard)
    ]
    records_of = functools.partial(_serialised, found._replace(items=[], rejects=[], digests={}))
    stamps = [folders.stamp(found.root / file) for item in found.items for file in item.files.values()]
    key = [dataclasses.asdict(found.config), parts, stamps]
    made = write(output, parts, records_of, lambda shards: _manifest(found, shards), spread, resume and digest(key))
    report(f"wrote {sum(made.counts.values())} records in {len(made.shards)} shards ({made.storage}) to {output}")
    return made


def checked_output(source, output, records_per_shard, overwrite):
    """The output's path, once it is known that shards may be written there.

    Args:
        source: the folder that is read; None where there is none.
        output, records_per_shard, overwrite: as of `ingest`.
    """
    if records_per_shard < 1:
        raise ValueError(f"`records_per_shard` must be at least 1, got {records_per_shard}.")
    output = Path(output).expanduser().resolve()
    unfinished.settle(output)
    _check_output(source, output, overwrite)
    return output


def write(output, parts, records_of, described, spread=map, key=""):
    """Writes shards and their manifest: all of it, or nothing.

    Args:
        output: their folder.
        parts: [`Part`].
        records_of: rows of a part -> its serialised records.
        described: [`tfvae.data.manifest.Shard`] -> `Manifest`.
        spread: as of `ingest`.
        key: names an ingestion that can be resumed: what is written is a function of it; empty for none.
    """
    with _told(output), unfinished.new_folder(output, key) as making:
        shards = list(spread(functools.partial(_written, records_of, making), parts))
        made = described(shards)
        atomic.write_bytes(making.made / manifest.NAME, made.to_json().encode())
        _remove_others(making.made, shards)
    return made


def _remove_others(folder, shards):
    """Nothing but shards and manifest is published, not even what a worker of a killed ingestion still writes."""
    for path in list(folder.iterdir()):
        if path.name not in (manifest.NAME, *(shard.name for shard in shards)):
            path.unlink()


def _check_output(source, output, overwrite):
    if source and output.is_relative_to(source):
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
    foreign = [name for name in names if not (name == manifest.NAME or _is_of_ingest(name))]
    if foreign:
        raise ValueError(
            f"`output` {output} holds files that ingest did not write, such as {foreign[0]!r}; it is left alone."
        )


def _is_of_ingest(name):
    """Whether a name is that of a shard, or what 0.2 published of one that was being written."""
    return manifest.is_shard_name(name) or unfinished.is_unfinished(name)


@contextlib.contextmanager
def _told(output):
    """Errors of the disk, as those that say what happened to the output."""
    try:
        yield
    except reachable.UnreachableError:
        raise
    except OSError as error:
        raise _write_error(error, output) from error


def _write_error(error, output):
    """An OSError that says what happened to the output."""
    cause = os.strerror(error.errno) if error.errno else str(error)
    advice = "Make room and start again." if error.errno in _FULL else "See to it and start again."
    text = f"The shards could not be written: {cause}. {advice} What was there before is unchanged"
    return OSError(error.errno or errno.EIO, text, str(output))


def _parts(found, split, stream, records_per_shard):
    """The shards of one split and stream, rows in an arbitrary fixed order so that every shard is a fair sample."""
    items = [item for item in found.items if (item.split, found.stream(item)) == (split, stream)]
    items.sort(key=lambda item: folders.order_key(f"shard {found.config.seed}", item.file))
    names = shard_names(f"{split}-{stream}", len(items), records_per_shard)
    return [Part(name, tuple(items[first:end])) for name, first, end in names]


def shard_names(prefix, num_records, records_per_shard):
    """[(name, first record, end)] of even shards with at most so many records."""
    num = math.ceil(num_records / records_per_shard)
    return [
        (f"{prefix}-{i:05}-of-{num:05}.tfrecord", i * num_records // num, (i + 1) * num_records // num)
        for i in range(num)
    ]


def _serialised(found, items):
    for item in items:
        images = {name: found.pixels(item, name) for name in item.files}
        yield records.serialise(**images, **item.values, file_name=folders.printable(item.file))


def _written(records_of, making, part):
    """The `Shard` of a part, written unless an earlier ingestion did it: its name appears when it is whole."""
    reachable.require(making.made)
    path, done = making.made / part.name, making.notes / f"{part.name}.json"
    if path.exists() and (known := _noted(done)):
        return known
    told = Progress().over(records_of(part.rows), lambda count: f"writing {part.name}: {count:,} records")
    shard = manifest.describe(path, record_files.write(path, told))
    checked_json.write(done, dataclasses.asdict(shard), indent=None)
    return shard


def _noted(done):
    """The `Shard` that an earlier ingestion noted; None where it did not, or where the note is damaged."""
    try:
        return manifest.Shard(**checked_json.read(done))
    except (FileNotFoundError, atomic.DamagedFileError):
        return None


def digest(values):
    """Sixteen hexadecimal digits that name JSON values."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _manifest(found, shards):
    class_counts = {name: dict.fromkeys(folders.SPLITS, 0) for name in found.class_names}
    for item in found.items:
        if item.label != NO_LABEL:
            class_counts[found.class_names[item.label]][item.split] += 1
    return manifest.Manifest(
        image_shape=found.image_shape,
        further_images={name: shape for name, shape in found.shapes.items() if name != batches.IMAGE},
        class_names=found.class_names,
        shards=tuple(shards),
        counts=manifest.count(shards),
        class_counts=class_counts,
        captions=sum(len(item.values.get(batches.CAPTION, ())) for item in found.items),
        entries=_counted(found.items),
        names=found.names,
        repairs=found.repairs,
        rejects=tuple(tuple(reject) for reject in found.rejects),
        settings=json.loads(json.dumps(dataclasses.asdict(found.config))),  # As it is read: lists for tuples.
    )


def _counted(items):
    """{entry: records that have it} of the entries that the manifest has no field of its own for."""
    counts = {}
    for item in items:
        for name in item.values.keys() - {batches.LABEL, batches.CAPTION}:
            counts[name] = counts.get(name, 0) + 1
    return counts
