"""An exported model asked about a few image files, as a client of a server would: bytes in, an answer in words out."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfvae.data import images
from tfvae.serving import export, image_files
from tfvae.storage.disk import PathLike

# What is asked, the first that a model has.
_ASKED = ("classify_bytes", "caption_bytes", "tag_bytes", "cluster_bytes")
_PROBABLE = 0.5


def ask(model: PathLike, files: Sequence[PathLike]) -> Iterator[str]:
    """Yields a line for each file: its name, and the label with its probability, the caption, the tags, or the cluster.

    Args:
        model: a version, or a base path whose newest version is taken.
        files: of images.

    Raises:
        ValueError: if there is no such model or file, the model answers none of these, or a file is no image
            that it reads.
    """
    paths = [Path(file).expanduser() for file in files]
    for path in paths:
        if not path.is_file():
            raise ValueError(f"There is no file {path}.")
    version = export.newest(Path(model).expanduser())
    served = tf.saved_model.load(str(version)).signatures
    signature = next((name for name in _ASKED if name in served), None)
    if signature is None:
        raise ValueError(f"{version} neither classifies nor captions nor tags; its signatures are {sorted(served)}.")
    try:
        answer = served[signature](image_bytes=tf.constant([_encoded(path) for path in paths]))
    except tf.errors.InvalidArgumentError as error:
        raise ValueError(_reason(error, paths)) from error
    if signature == "caption_bytes":
        return (f"{path.name:24s} {caption.decode()}" for path, caption in zip(paths, answer["caption"].numpy()))
    if signature == "tag_bytes":
        return (f"{path.name:24s} {', '.join(found)}" for path, found in zip(paths, _probable(answer)))
    if signature == "cluster_bytes":
        found = zip(paths, answer["cluster"].numpy(), answer["cluster_probabilities"].numpy().max(axis=-1))
        return (f"{path.name:24s} cluster {cluster}  {p:6.1%}" for path, cluster, p in found)
    labels, sure = answer["label"].numpy(), answer["probabilities"].numpy().max(axis=-1)
    return (f"{path.name:24s} {label.decode():>12s}  {p:6.1%}" for path, label, p in zip(paths, labels, sure))


def _probable(answer: Mapping[str, tf.Tensor]) -> Iterator[list[str]]:
    """Of every row the tags that are there rather than not, the most probable first."""
    for names, probs in zip(answer["tags"].numpy(), answer["tag_probabilities"].numpy()):
        yield [f"{names[i].decode()} {probs[i]:.0%}" for i in np.argsort(-probs) if probs[i] >= _PROBABLE]


def _encoded(path: Path) -> bytes:
    try:
        return image_files.encoded(path)
    except images.BadImage as error:
        raise ValueError(f"{path} is no image that can be read: {error}.") from error


def _reason(error: tf.errors.OpError, paths: Sequence[Path]) -> str:
    """The served model names bad rows of a batch by their numbers; here a row is a file."""
    found = re.search(r"(These rows.*?):?\]?\s*\[([\d ]+)\]", str(error), re.DOTALL)
    if not found:
        return str(error).splitlines()[0]
    return f"{found[1].removesuffix(':')}: {', '.join(str(paths[int(row)]) for row in found[2].split())}"
