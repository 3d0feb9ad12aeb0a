"""What a run keeps of its data, so that it is opened, sampled from, exported and asked where the data are not.

A few rows stand for all: two of every stream, from which a model takes its shapes, and those that an export asks
about. Facts, transforms and the states of entries are as they were in training.
"""

import io
import json
from typing import Any

import numpy as np

from tfvae.batch import IMAGE, DataInfo
from tfvae.data import load, transforms
from tfvae.data.columns import Partial
from tfvae.data.contrast import Whitening
from tfvae.data.examples import Examples
from tfvae.data.load import Config, Data
from tfvae.data.mixture import StreamSpec

_OF_STREAM, _ASKED_ABOUT = 2, 4
_ROLES = ("train", "validation", "test")
_WHITENING = ("mean", "matrix", "inverse")


def to_bytes(data: Data) -> bytes:
    """What is kept, as the content of an `.npz` file."""
    parts = {f"stream {name}": spec.rows.take(np.arange(len(spec.rows))[:_OF_STREAM])
             for name, spec in data.streams.items()}  # fmt: skip
    parts |= {role: _some(getattr(data, role)) for role in _ROLES}
    arrays: dict[str, np.ndarray] = {}
    texts: dict[str, list] = {}
    for part, rows in parts.items():
        for name, column in rows.in_memory().columns.items():
            _pack(f"{part}/{name}", column, arrays, texts)
    for name, transform in data.transforms.items():
        if transform.whitening is not None:
            arrays |= {f"whitening {name}/{of}": getattr(transform.whitening, of) for of in _WHITENING}
    facts = {"info": data.info._asdict(), "class_names": data.class_names, "words": data.words, "texts": texts}
    arrays["facts"] = np.array(json.dumps(facts, default=dict))
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


def from_bytes(content: bytes, config: Config, frozen_split: dict[str, Any]) -> Data:
    """`Data` of the same facts, whose rows are the few that were kept.

    Args:
        content: of `to_bytes`.
        config: of the run.
        frozen_split: its `split.json`.
    """
    with np.load(io.BytesIO(content)) as file:
        arrays = {name: file[name] for name in file.files}
    facts = json.loads(str(arrays.pop("facts")))
    columns = _unpacked(arrays, facts["texts"])
    rows = {part: Examples(**of) for part, of in columns.items() if part in _ROLES or part.startswith("stream ")}
    of_streams = {part.removeprefix("stream "): of for part, of in rows.items() if part not in _ROLES}
    fitted = _transforms(config, columns, frozen_split)
    carried = load.carried_entries(config, tuple(fitted), of_streams, frozen_split)
    sizes = config.batch_sizes()
    streams = {name: StreamSpec(of_streams[name], sizes[name], entries) for name, entries in carried.items()}
    none = Examples(label=np.zeros(0, np.int64))
    return Data(
        _info(facts["info"]), fitted[IMAGE], tuple(facts["class_names"]), frozen_split, rows["train"],
        none, none, none, rows["validation"], rows["test"], streams,
        vocabulary=load.vocabulary_of(carried), words=tuple(facts["words"]),
        further_transforms={name: transform for name, transform in fitted.items() if name != IMAGE},
    )  # fmt: skip


def _some(rows):
    """Of every entry the first rows that have it."""
    chosen = [np.flatnonzero(rows.has(name))[:_ASKED_ABOUT] for name in rows.columns]
    return rows.take(np.unique(np.concatenate(chosen)).astype(np.int64))


def _pack(key, column, arrays, texts):
    """A column as arrays, or as JSON where it holds texts."""
    if isinstance(column, Partial):
        arrays[f"{key}/some"], arrays[f"{key}/place"] = np.asarray(column.some), column.place
    elif isinstance(column, tuple):
        texts[key] = [list(of_row) for of_row in column]
    else:
        arrays[key] = np.asarray(column)


def _unpacked(arrays, texts):
    """{part: {name: column}}."""
    parts: dict[str, dict[str, Any]] = {}
    for key, value in arrays.items():
        part, name, *of_partial = key.split("/")
        if of_partial == ["place"]:
            value = Partial(arrays[f"{part}/{name}/some"], value)
        if of_partial != ["some"]:
            parts.setdefault(part, {})[name] = value
    for key, rows in texts.items():
        part, name = key.split("/")
        parts.setdefault(part, {})[name] = tuple(tuple(of_row) for of_row in rows)
    return parts


def _transforms(config, columns, frozen_split):
    """Modality -> its transform, whitening as it was fitted."""
    fitted = {}
    for name, state in load.transform_states(frozen_split).items():
        whitening = columns.get(f"whitening {name}")
        fitted[name] = transforms.Transform(
            config.transform_of(name), state, Whitening(**whitening) if whitening else None
        )
    return fitted


def _info(fields):
    """`DataInfo` from JSON, where tuples are lists."""
    of_names = {
        name: {key: tuple(value) for key, value in fields[name].items()} for name in ("further_images", "names")
    }
    tuples = {name: tuple(fields[name]) for name in ("image_shape", "vocabulary")}
    return DataInfo(**fields | tuples | of_names)
