"""`manifest.json`: what `ingest` wrote, so that a shard that is missing, short or damaged is found before training."""

import dataclasses
import hashlib
import math
import re
from pathlib import Path
from typing import NamedTuple

from tfvae import batch as batches
from tfvae.data import entries
from tfvae.data.entries import image as images
from tfvae.data.entries.image import Image
from tfvae.data.entries.label import Label
from tfvae.storage import checked_json, tfrecord_format

NAME = "manifest.json"
FORMAT = "tfvae shards 1"
POLICIES = ("stop", "quarantine")

_SHARD_NAME = re.compile(r"(train|validation|test)-([a-z_0-9]+)-\d{5}-of-\d{5}\.tfrecord")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_OTHERWISE = "copy the shards again from where they came, or run ingest again"
_AGAIN = f"{_OTHERWISE.capitalize()}."


class DamagedShards(ValueError):
    """Shards that are not what their manifest says."""


@dataclasses.dataclass(frozen=True)
class Shard:
    """One file: its name, how many records and bytes it holds, and the sha256 of its bytes."""

    name: str
    records: int
    bytes: int
    sha256: str

    @property
    def split(self):
        """`train`, `validation` or `test`."""
        return self.name.split("-")[0]

    @property
    def stream(self):
        """The richest stream that its records can be rows of: `labelled`, `captioned`, …, or `unlabelled`."""
        return stream_of(self.name)


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What a folder of shards holds.

    Args:
        image_shape: (H, W, C) of every image.
        class_names: a name for every label.
        shards: every file.
        counts: "<split>-<stream>" -> records.
        class_counts: class name -> split -> records.
        captions: how many there are.
        repairs: what was done to captions -> how often.
        rejects: files that were not used, as [file, reason].
        settings: the fields of `tfvae.data.folder.Config` it was made with.
        further_images: name -> (H, W, C) of the modalities beside `image`.
        entries: other kinds of entry -> how many records have one.
        names: entry -> what its places are called, such as those of factors.
    """

    image_shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    shards: tuple[Shard, ...]
    counts: dict[str, int]
    class_counts: dict[str, dict[str, int]] = dataclasses.field(default_factory=dict)
    captions: int = 0
    repairs: dict[str, int] = dataclasses.field(default_factory=dict)
    rejects: tuple[tuple[str, str], ...] = ()
    settings: dict = dataclasses.field(default_factory=dict)
    further_images: dict[str, tuple[int, int, int]] = dataclasses.field(default_factory=dict)
    entries: dict[str, int] = dataclasses.field(default_factory=dict)
    names: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)

    @property
    def storage(self):
        """`raw` or `png`: how the images are stored."""
        return images.storage(self.image_shape)

    @property
    def modalities(self):
        """Name -> shape of every image, the first one first."""
        return {batches.IMAGE: self.image_shape, **self.further_images}

    @property
    def streams(self):
        """Names of the streams that shards of these modalities may be of."""
        return tuple(batches.streams(tuple(self.modalities)))

    def images(self):
        """The entries that read the images."""
        return [Image(name, shape, bool(self.further_images)) for name, shape in self.modalities.items()]

    def entries_of(self, config):
        """The entries that are read for a `tfvae.data.load.Config`, images first."""
        has = {batches.LABEL: 1, batches.CAPTION: self.captions, **self.entries}
        others = [entry for entry in entries.wanted(config) if has.get(entry.name)]
        bound = {batches.LABEL: Label(len(self.class_names))}
        return self.images() + [bound.get(entry.name, entry).named(self.names.get(entry.name)) for entry in others]

    def required(self, shard):
        """Names of the entries that every record of a shard must have."""
        return batches.streams(tuple(self.modalities))[shard.stream]

    def bytes_of(self, shards):
        """What the images of shards take in memory, at most."""
        return sum(shard.records for shard in shards) * sum(math.prod(shape) for shape in self.modalities.values())

    def of(self, split, stream):
        """The shards of one split and stream."""
        return [shard for shard in self.shards if (shard.split, shard.stream) == (split, stream)]

    def to_json(self):
        """The text of `manifest.json`, with its checksum."""
        fields = dataclasses.asdict(self)
        for name in ("further_images", "entries", "names"):
            if not fields[name]:
                del fields[name]
        return checked_json.to_text({"format": FORMAT, "storage": self.storage, **fields}, indent=1)


_FIELDS = ("format", "storage", *(field.name for field in dataclasses.fields(Manifest)))


class Damage(NamedTuple):
    """One damaged record: the shard it stands in, its first byte there, and what is wrong."""

    shard: str
    offset: int
    problem: str

    def __str__(self):
        return f"{self.shard}, record at byte {self.offset}: {self.problem}"


def read(folder):
    """The manifest of a folder of shards.

    Raises:
        ValueError: for a folder without one, and for a manifest that was changed, does not say what it must, or names
            files that are no shards of this folder.
    """
    path = Path(folder) / NAME
    if not path.is_file():
        raise ValueError(f"{folder} has no {NAME}; give a folder that `ingest` wrote.")
    fields = checked_json.parse(path.read_bytes(), path, _OTHERWISE)
    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        found = fields.get("format") if isinstance(fields, dict) else fields
        raise ValueError(f"{path} must have the format {FORMAT!r}, got {str(found)[:80]!r}; run ingest again.")
    fields = checked_json.verified(fields, path, _FIELDS, _OTHERWISE)
    try:
        return _typed(fields)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} lacks a field or has one of a wrong type: {error!r}; run ingest again.") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error} Run ingest again.") from error


def verify(folder, manifest, on_bad_record="stop"):
    """Compares every shard with its manifest.

    Args:
        folder: where the shards lie.
        manifest: `Manifest`.
        on_bad_record: one of `POLICIES`: `stop`, or `quarantine` to go on without damaged records.

    Returns:
        {name of a shard: [`Damage`]} of shards with damaged records; always empty for `stop`.

    Raises:
        DamagedShards: names the shard, and the byte at which a damaged record begins. Missing files and missing records
            are refused whatever the policy is.
    """
    damaged = {}
    for shard in manifest.shards:
        path = _checked_path(Path(folder), shard)
        if path.stat().st_size == shard.bytes and _sha256(path) == shard.sha256 and _holds(path, shard.records):
            continue
        damage = _diagnose(path, shard)
        if on_bad_record == "stop":
            raise DamagedShards(
                f"{path} is damaged. {damage[0]} ({len(damage)} of {shard.records} records are bad). {_AGAIN} "
                "To go on without such records, start with --config.data.on_bad_record=quarantine."
            )
        damaged[shard.name] = damage
    return damaged


def _holds(path, num_records):
    """Whether a file has that many records by their lengths: whoever writes a shard may write its sha256 too."""
    try:
        return tfrecord_format.count(path) == num_records
    except ValueError:
        return False


def describe(path, num_records):
    """The `Shard` of a file that was just written."""
    path = Path(path)
    return Shard(path.name, num_records, path.stat().st_size, _sha256(path))


def stream_of(name):
    """The stream in the name of a shard."""
    return name.split("-")[1]


def is_shard_name(name):
    """Whether a file name is one that `ingest` gives."""
    return bool(_SHARD_NAME.fullmatch(name))


def _typed(fields):
    shards = tuple(Shard(**shard) for shard in fields["shards"])
    for shard in shards:
        if not isinstance(shard.name, str) or not is_shard_name(shard.name):
            raise ValueError(f"it names {shard.name!r}, which is no shard of this folder.")
        if not _is_count(shard.records) or not _is_count(shard.bytes) or not _SHA256.fullmatch(shard.sha256):
            raise ValueError(f"what it says of {shard.name} is no count, size and sha256.")
    if len({shard.name for shard in shards}) < len(shards):
        raise ValueError("it names a shard twice.")
    image_shape, class_names = _shape(fields["image_shape"]), tuple(fields["class_names"])
    further = {name: _shape(shape) for name, shape in fields.get("further_images", {}).items()}
    names = {entry: tuple(of_entry) for entry, of_entry in fields.get("names", {}).items()}
    known = batches.streams((batches.IMAGE, *further))
    for shard in shards:
        if shard.stream not in known:
            raise ValueError(f"it names {shard.name!r}, which is no shard of this folder.")
    if not all(isinstance(name, str) for name in class_names):
        raise ValueError("`class_names` must be strings.")
    counts = {key: int(num) for key, num in fields["counts"].items()}
    if counts != count(shards):
        raise ValueError(f"`counts` are {counts}, but the shards add up to {count(shards)}.")
    rest = {field.name: fields[field.name] for field in dataclasses.fields(Manifest) if field.name in fields}
    rejects = tuple((file, reason) for file, reason in fields.get("rejects", ()))
    typed = {
        "image_shape": image_shape, "class_names": class_names, "shards": shards, "counts": counts, "rejects": rejects,
        "further_images": further, "names": names,
    }  # fmt: skip
    return Manifest(**rest | typed)


def _shape(value):
    shape = tuple(value)
    if len(shape) != 3 or not all(_is_count(n) and n for n in shape) or shape[2] not in (1, 3):
        raise ValueError(f"The shape of an image must be [height, width, 1 or 3], got {list(shape)}.")
    return shape


def count(shards):
    """{"<split>-<stream>": records} of shards."""
    counts = {}
    for shard in shards:
        key = f"{shard.split}-{shard.stream}"
        counts[key] = counts.get(key, 0) + shard.records
    return counts


def _is_count(value):
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _checked_path(folder, shard):
    """The path of a shard that is there, in this folder, and not empty."""
    path = folder / shard.name
    if path.is_symlink() and not path.resolve().is_relative_to(folder.resolve()):
        raise DamagedShards(f"{path} is a symbolic link that leads out of the folder; shards must lie in it. {_AGAIN}")
    if not path.is_file():
        raise DamagedShards(f"The shard {path} is missing. {_AGAIN}")
    if not path.stat().st_size:
        raise DamagedShards(f"The shard {path} is empty, it should hold {shard.records} records. {_AGAIN}")
    return path


def _diagnose(path, shard):
    """The damaged records of a file whose bytes are not what they were: [`Damage`].

    Raises:
        DamagedShards: if it is not a matter of single records.
    """
    with open(path, "rb") as file:
        if file.read(2) == b"\x1f\x8b":
            raise DamagedShards(f"The shard {path} is compressed with gzip, shards are not; unpack it. {_AGAIN}")
    found, damage = 0, []
    for frame in tfrecord_format.frames(path):
        found += 1
        if frame.payload is None:
            damage.append(Damage(shard.name, frame.offset, frame.problem))
    if found != shard.records:
        first = f" {damage[0]}." if damage else ""
        raise DamagedShards(f"The shard {path} holds {found} of its {shard.records} records.{first} {_AGAIN}")
    if not damage:
        raise DamagedShards(
            f"The records of {path} are intact but not those that were written (other sha256). {_AGAIN}"
        )
    return damage


def _sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
