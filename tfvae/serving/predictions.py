"""A served model over a folder or over shards: labels, codes and captions of every image, file by file."""

import dataclasses
import errno
import functools
import hashlib
import json
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfvae import batch as batches
from tfvae.batch import IMAGE, is_image
from tfvae.data import folder as folders
from tfvae.data import images, manifest, records
from tfvae.data.entries.image import Image
from tfvae.evaluation import calibration
from tfvae.serving import export, image_files, signatures
from tfvae.storage import atomic, checked_json, reachable, record_files, unfinished

DESCRIPTION = "predictions.json"
FORMATS = ("jsonl", "tfrecord")
# Signature -> what is kept of its answer, as far as it has it, under which name.
KEPT = {
    "classify": {
        "label": "label", "probabilities": "probabilities", calibration.CALIBRATED: calibration.CALIBRATED,
        calibration.P_VALUE: calibration.P_VALUE,
    },
    "novelty": {calibration.P_VALUE: calibration.P_VALUE},
    "encode": {"mean": "code", "stddev": "code_stddev"},
    "caption": {"caption": "caption", "log_prob": "caption_log_prob"},
    "tag": {"tags": "tags", "tag_probabilities": "tag_probabilities"},
    "cluster": {"cluster": "cluster", "cluster_probabilities": "cluster_probabilities"},
}  # fmt: skip
# Signatures of this name make pictures: of each a PNG file is kept, in a folder that is called after the signature.
TRANSLATE = "translate_"
_BATCH = 64
_COUNTS = ("images", "errors")


@dataclasses.dataclass(frozen=True)
class Job:
    """What every part of a batch of predictions has in common.

    Args:
        version: the path of a version.
        source: a folder of images, or of shards.
        output: the folder of the parts.
        signatures: those of `KEPT` that are asked.
        suffix: `jsonl` or `tfrecord`.
        shapes: modality -> (H, W, C) of the records of shards; None for a folder of images.
    """

    version: str
    source: str
    output: str
    signatures: tuple[str, ...]
    suffix: str
    shapes: dict[str, tuple[int, int, int]] | None


def predict(
    model, source, output, signatures=(), suffix="jsonl", rows_per_part=1000, spread=map, report=print, done=None
):
    """Asks a model about every image, and goes on where an earlier call stopped.

    A line (or tf.Example) for every file that training would read as an image, whatever its name: `file`, and `label`,
    `probabilities`, `calibrated_probabilities`, `p_value` (is the image new?), `code`, `code_stddev`, `caption`,
    `caption_log_prob`, `tags` with `tag_probabilities`, `cluster` with `cluster_probabilities` as far as the model has
    them; `error` instead for a file that is no image. What training reads
    and a server does not, such as WebP, is sent as PNG.

    Args:
        model: a version, or a base path whose newest version is taken.
        source: a folder of images, or of shards that ingest wrote.
        output: the folder of the parts `part-<i>-of-<n>.<suffix>`; each appears when it is whole.
        signatures: of `classify`, `novelty`, `encode`, `caption`, `tag` and `cluster`, all that the model has by
            default; and of `translate_<a>_to_<b>`, of images that are of the modality a:
            `<output>/<signature>/<file>.png`, by a draw of the code that follows from the file's name.
        suffix: `jsonl`, or `tfrecord` for tf.Examples.
        rows_per_part: files in a part; with shards a part is a shard.
        spread: applies a function to values as `map` does, maybe in other processes that see the same files.
        report: called with a line for people.
        done: called as `done(images, of)` after every batch, of the images that are not answered yet; only with a
            `spread` that stays in this process.

    Returns:
        {"images", "errors", "parts"}: counts.

    Raises:
        ValueError: for a model or a source that is none, a signature that the model lacks, an unknown suffix, or an
            output that holds the predictions of something else.
        OSError: where a machine that takes part cannot read or write a file; such a part is not done, and asked about
            again by the next call.
    """
    if suffix not in FORMATS:
        raise ValueError(f"`format` must be one of {FORMATS}, got {suffix!r}.")
    if rows_per_part < 1:
        raise ValueError(f"`rows_per_part` must be at least 1, got {rows_per_part}.")
    # Workers may have another working directory.
    version, source, output = (Path(path).expanduser().absolute() for path in (export.newest(model), source, output))
    shapes, parts, stamps = _parts(source, output, rows_per_part)
    asked = _signatures(version, signatures, shapes)
    job = Job(str(version), str(source), str(output), asked, suffix, shapes)
    _describe(job, parts, stamps)
    numbered = [(i, len(parts), rows) for i, rows in enumerate(parts)]
    each = functools.partial(_part, job)
    if done is not None:
        each = functools.partial(each, done=_Tally(done, _left(job, parts)))
    counts = list(spread(each, numbered))
    total = {"images": sum(n for n, _ in counts), "errors": sum(bad for _, bad in counts), "parts": len(parts)}
    report(f"{total['images']} images, {total['errors']} of them unreadable, in {total['parts']} parts in {output}")
    for line in _confidence(version, asked):
        report(line)
    return total


def _confidence(version, asked):
    """What `calibrated_probabilities` and `p_value` rest on, or why they are not there: a line each."""
    if not {"classify", calibration.NOVELTY} & set(asked):
        return
    known = export.describe(version).get("calibration")
    if known is None:
        return  # An export of an older tfvae, which answers neither.
    if calibration.NOVELTY in known:
        found = known[calibration.NOVELTY]
        yield f"p_value: rank among n = {found['rows']} validation images; the smallest is {found['smallest_p']:.2g}"
    if "classify" in asked and calibration.TEMPERATURE in known:
        found = known[calibration.TEMPERATURE]
        labelled = f"{found['rows']} labelled validation images"
        yield f"{calibration.CALIBRATED}: temperature {found['value']:.3g}, fitted on {labelled}"
    columns = {calibration.NOVELTY: calibration.P_VALUE, calibration.TEMPERATURE: calibration.CALIBRATED}
    for name, why in known["missing"].items():
        if "classify" in asked or name == calibration.NOVELTY:
            yield f"no {columns[name]}: {why}"


def _parts(source, output, rows_per_part):
    """(shapes or None, rows of every part, what tells their content): names of files, or of one shard."""
    if (source / manifest.NAME).is_file():
        described = manifest.read(source)
        manifest.verify(source, described)
        stamps = [shard.sha256 for shard in described.shards]
        return described.modalities, [[shard.name] for shard in described.shards], stamps
    if not source.is_dir():
        raise ValueError(f"There is no folder {source}; give one of images, or of shards.")
    root, own = source.resolve(), output.resolve()
    files, _, rejects = folders.scan(root)
    # What is not followed has a line too, which says why; predictions below the images are none of them, nor is what a
    # system keeps beside them.
    files = sorted({*files, *(reject.file for reject in rejects if reject.reason != folders.SYSTEM_FOLDER)})
    files = [file for file in files if own == root or own not in (root / file).parents]
    if not files:
        raise ValueError(f"{source} holds no image and no shards.")
    stamps = [_stamp(root, file) for file in files]
    return None, [files[i : i + rows_per_part] for i in range(0, len(files), rows_per_part)], stamps


def _stamp(root, file):
    return folders.stamp(root / file) if (root / file).exists() else None


def _signatures(version, asked, shapes):
    """The signatures to ask, those of the model where none are named."""
    described = export.describe(version)
    for name in (name for name in described if shapes and is_image(name)):
        if list(shapes.get(name, ())) != described[name]["shape"]:
            raise ValueError(
                f"The shards hold images of {list(shapes.get(name, ()))}, the model takes {described[name]['shape']} "
                f"(`{name}`): ingest with its `--image_size`, or ask about the folder of images."
            )
    ending = "" if shapes else signatures.ENCODED
    there = described["signatures"]
    # A file of a folder is one image, so that it cannot be asked what takes several.
    has = [name for name in KEPT if f"{name}{ending}" in there and (shapes or len(there[name]["inputs"]) == 1)]
    can_translate = [name for name in there if name.startswith(TRANSLATE) and f"{name}{ending}" in there]
    missing = [name for name in asked if name not in (*has, *can_translate)]
    if missing or not (has or asked):
        known = f"{has + can_translate} of {[*KEPT, f'{TRANSLATE}<a>_to_<b>']}"
        raise ValueError(f"{version} has the signatures {known}; it cannot be asked to {missing}.")
    # What classifies says what is new as well.
    default = [name for name in has if name != calibration.NOVELTY or "classify" not in has]
    return tuple(name for name in (*KEPT, *can_translate) if name in (asked or default))


def _describe(job, parts, stamps):
    """Writes down what the output is of, or compares: parts of two models are never mixed."""
    output = Path(job.output)
    rows = json.dumps([parts, stamps]).encode("utf-8", "surrogateescape")
    described = {
        "model": export.digest(job.version),
        "source": str(Path(job.source).resolve()),
        "signatures": list(job.signatures),
        "format": job.suffix,
        "parts": len(parts),
        "images": hashlib.sha256(rows).hexdigest(),
    }
    path = output / DESCRIPTION
    if path.is_file():
        there = checked_json.read(path, described, "name another folder")
        differing = sorted(name for name in described if there.get(name) != described[name])
        if differing:
            raise ValueError(f"{output} holds predictions of something else: another {', '.join(differing)}.")
        unfinished.sweep_own(output)
        return
    if output.exists() and not all(unfinished.is_unfinished(found.name) for found in output.iterdir()):
        raise ValueError(f"{output} is not empty and holds no {DESCRIPTION}; name another folder.")
    output.mkdir(parents=True, exist_ok=True)
    unfinished.sweep_own(output)
    checked_json.write(path, described)


class _Tally:
    """Adds up the images of the parts that this call asks about."""

    def __init__(self, done, of):
        self._done, self._of, self._count = done, of, 0

    def __call__(self, images):
        self._count += images
        self._done(self._count, self._of)


def _left(job, parts):
    """How many images are in parts that are not there yet."""
    missing = [rows for i, rows in enumerate(parts) if not _is_there(*_paths(job, i, len(parts)))]
    if job.shapes is None:
        return sum(map(len, missing))
    records = {shard.name: shard.records for shard in manifest.read(Path(job.source)).shards}
    return sum(records[name] for rows in missing for name in rows)


def _paths(job, number, of):
    """The files of a part, and of its counts."""
    path = Path(job.output) / f"part-{number:05}-of-{of:05}.{job.suffix}"
    return path, path.with_name(f".{path.name}.counts")


def _is_there(path, counted):
    return path.exists() and counted.exists()


def _part(job, numbered, done=lambda images: None):
    """Writes one part unless it is there; (images, errors) in it. `done` hears of every batch.

    Raises:
        UnreachableError: where this machine, which may be another than that of the call, lacks something.
    """
    for needed in (job.version, job.source, Path(job.output) / DESCRIPTION):
        reachable.require(needed)
    number, of, rows = numbered
    path, counted = _paths(job, number, of)
    if _is_there(path, counted) and (counts := _counted(counted)):
        return counts
    answers = []
    for chunk in _chunks(job, rows):
        answers += _lines(job, *chunk)
        done(len(chunk[0]))
    counts = len(answers), sum("error" in line for line in answers)
    checked_json.write(counted, dict(zip(_COUNTS, counts)), indent=None)
    if job.suffix == "jsonl":
        atomic.write_bytes(path, "".join(map(_line, answers)).encode())
    else:
        record_files.write(path, map(_example, answers))
    return counts


def _counted(path):
    """(images, errors) of a part that is there; None where what says so is damaged, so that they are asked again."""
    try:
        value = checked_json.parse(path.read_bytes(), path)
        if isinstance(value, list):  # As 0.2 wrote them.
            return tuple(value)
        return tuple(checked_json.verified(value, path, _COUNTS).values())
    except atomic.DamagedFileError:
        return None


def _chunks(job, rows):
    """Batches of (names, {argument: images}): encoded ones of files, or gray levels of records that have them."""
    if job.shapes is None:
        for i in range(0, len(rows), _BATCH):
            names, root = rows[i : i + _BATCH], Path(job.source).resolve()
            yield names, {f"{IMAGE}{signatures.ENCODED}": [_read(root, name) for name in names]}
        return
    for shard in rows:
        has = batches.streams(tuple(job.shapes))[manifest.stream_of(shard)]
        read = [Image(name, shape) for name, shape in job.shapes.items() if name in has]
        for batch in _records(Path(job.source) / shard):
            parsed = records.parse(batch, read)
            yield records.file_names(batch), {name: value.numpy() / np.float32(255.0) for name, value in parsed.items()}


def _records(path):
    """Batches of the serialised records of a shard, whose checksum was right when the predictions began."""
    reachable.require(path)
    try:
        yield from tf.data.TFRecordDataset(str(path)).batch(_BATCH)
    except tf.errors.OpError as error:
        raise reachable.unreachable(OSError(errno.EIO, str(error)), path) from error


def _read(root, name):
    """An image file as a server reads it, or what is wrong with its content: `images.BadImage`.

    Raises:
        UnreachableError: where nothing is known of the content, because this machine cannot read the file.
    """
    path = root / name
    try:
        path.lstat()
        if not folders.stays_inside(root, path):
            raise images.BadImage("a symbolic link that leads out of the folder")
        if path.is_dir():
            raise images.BadImage("a folder that is not looked into: a link, or without permission")
        if not path.is_file():
            raise images.BadImage("not a regular file")
        return image_files.encoded(path)
    except images.BadImage as error:
        return error
    except OSError as error:
        raise reachable.unreachable(error, path) from error


def _lines(job, names, given):
    """A line for every file of a batch: what is wrong with it, or the model's answer."""
    wrong = {
        i: value for values in given.values() for i, value in enumerate(values) if isinstance(value, images.BadImage)
    }
    if not wrong:
        return _asked(job, names, given)
    asked = [i for i in range(len(names)) if i not in wrong]
    answers = iter(_asked(job, [names[i] for i in asked], {n: [v[i] for i in asked] for n, v in given.items()}))
    return [{"file": name, "error": str(wrong[i])} if i in wrong else next(answers) for i, name in enumerate(names)]


def _asked(job, names, given):
    """A line for every image of a batch."""
    if not names:
        return []
    served = _loaded(job.version)
    lines = [{"file": name} for name in names]
    for signature in job.signatures:
        asked = served.signatures[signature if job.shapes else f"{signature}{signatures.ENCODED}"]
        takes = list(asked.structured_input_signature[1])
        own = _for_signature(job, names, given, takes)
        lacking = [name for name in takes if name not in own]
        if lacking:
            return [{"file": name, "error": f"no {lacking[0]}"} for name in names]
        try:
            answer = asked(**{name: tf.constant(own[name]) for name in takes})
        except tf.errors.InvalidArgumentError as error:
            if len(names) == 1:
                return [{"file": names[0], "error": _reason(error)}]
            # A bad image fails its batch, so each of them is asked about by itself.
            return [line for i in range(len(names)) for line in _asked(job, *_only(names, given, i))]
        if signature.startswith(TRANSLATE):
            for line, picture in zip(lines, _png(signature, answer), strict=True):
                line[signature] = _write_picture(job, signature, line["file"], picture)
        for name, kept in ((name, kept) for name, kept in KEPT.get(signature, {}).items() if name in answer):
            for line, value in zip(lines, answer[name].numpy(), strict=True):
                line[kept] = value
    return lines


def _for_signature(job, names, given, takes):
    """What a signature is given: images of a folder are of the modality that it takes, noise follows from names."""
    own = dict(given)
    if signatures.SEED in takes:
        own[signatures.SEED] = [_seed(name) for name in names]
        images_of = [name for name in takes if name != signatures.SEED]
        if job.shapes is None and len(images_of) == 1:
            own[images_of[0]] = given[signatures.IMAGE_BYTES]
    return own


def _seed(name):
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
    return np.frombuffer(digest[:8], np.int64)[0] >> 1


def _png(signature, answer):
    """The pictures of an answer as PNG bytes."""
    name = signature.rpartition("_to_")[2]
    if f"{name}{signatures.ENCODED}" in answer:
        return answer[f"{name}{signatures.ENCODED}"].numpy()
    return [images.encode_png(np.round(255.0 * image).astype(np.uint8)) for image in answer[name].numpy()]


def _write_picture(job, signature, file, content):
    """The path of a picture below the output, once it is there."""
    picture = f"{signature}/{Path(file).as_posix().removeprefix('/')}.png"
    path = Path(job.output) / picture
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_bytes(path, content)
    return picture


def _only(names, given, i):
    return names[i : i + 1], {name: some[i : i + 1] for name, some in given.items()}


@functools.lru_cache(maxsize=1)
def _loaded(version):
    """The model, once a process."""
    return tf.saved_model.load(version)


def _reason(error):
    text = " ".join(str(error.message).split())
    found = text.find("These rows of the batch")
    return text[found:].removeprefix("These rows of the batch hold ").split(":")[0] if found >= 0 else text[:200]


def _line(answer):
    return json.dumps({name: _plain(value) for name, value in answer.items()}) + "\n"


def _plain(value):
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, np.ndarray) and value.dtype == object:
        return [_plain(item) for item in value]
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _example(answer):
    features = {name: _feature(value) for name, value in answer.items()}
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString(deterministic=True)


def _feature(value):
    if isinstance(value, str | bytes):
        content = value.encode() if isinstance(value, str) else value
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[content]))
    if isinstance(value, np.ndarray) and value.dtype == object:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=list(value)))
    return tf.train.Feature(float_list=tf.train.FloatList(value=np.ravel(value)))
