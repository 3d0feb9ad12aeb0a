"""Which rows are labelled and which validate: drawn once, balanced by class, frozen in `split.json`."""

import hashlib
import json

import numpy as np
from absl import logging

from tfvae import batch as batches
from tfvae.data import entries
from tfvae.data.entries.label import NO_LABEL

# Parts that every split has, from version 0.1 on; others are there where the data or the config has such a stream.
_PARTS = (batches.LABELLED, batches.CAPTIONED, batches.UNLABELLED, "validation")

# Of the draw of few rows of a stream.
_SEEDS = {batches.CAPTIONED: 20160929, batches.TAGGED: 20161127}

# Validation takes at most a fifth of the rows it could take: the others are what the model is trained on.
_LEAST_TRAINING_SHARE = 5


def draw(source, config):
    """Draws validation and labelled rows of `source.train`.

    Args:
        source: `tfvae.data.examples.Source`.
        config: has `labels_per_class` (0 for all labels), `num_captioned` (0 for all captions), `num_paired` (0 for all
            pairs), `num_tagged` (0 for all tags), `label_seed`, `num_validation` and `batch_sizes`.

    Returns:
        {"labelled": [indices], "captioned": [indices], "unlabelled": [indices], "validation": [indices]} into
        `source.train`, those of further streams that the data or the config has, and what they came from: "label_seed",
        "labels_per_class", "data" (the source's digest), "hash" (of the indices), "stored", where images stay in
        their shards, and "files", of a folder: {file: sha256 of its content}, by which a folder that grows is known;
        "more_files" the same of `data.more_images`.

    Raises:
        ValueError: where a class has fewer images than labels asked for, or nothing is left to train on.
    """
    label = np.where(source.train.has(batches.IMAGE), source.train.label, NO_LABEL)
    rng = np.random.default_rng([config.label_seed, 20160214])
    fixed = source.labelled if source.labelled is not None else np.array([], np.int64)
    validates = validation(source, config)
    if 0 < len(validates) < config.num_validation:
        logging.warning(
            "%d rows validate: `data.num_validation`=%d leaves too few to train on.",
            len(validates),
            config.num_validation,
        )
    rest = np.setdiff1d(np.arange(len(label)), validates)
    if not len(rest):
        raise ValueError(
            f"All {len(label)} training rows went to validation: lower `data.num_validation`={config.num_validation}."
        )
    labelled = fixed if source.labelled is not None else _balanced(label, rest, config, rng, source.class_names)
    captioned = _few(source.train, rest, batches.CAPTIONED, config.num_captioned, config)
    split = _parts(source.train, rest, labelled, captioned, config) | {"validation": validates}
    split = {name: part.tolist() for name, part in split.items()}
    return {
        **split,
        **({"stored": True} if source.train.stored else {}),
        **({"files": source.files} if source.files else {}),
        **({"more_files": source.more_files} if source.more_files else {}),
        "label_seed": config.label_seed,
        "labels_per_class": config.labels_per_class,
        "data": source.digest(),
        "hash": hash_of(split),
    }


def validation(source, config):
    """int64: the training rows that validate, where the source has no validation rows of its own."""
    if source.validation is not None or not config.num_validation:
        return np.array([], np.int64)
    # A seed of its own: label draws 0, 1, 2, ... are compared on one validation set.
    fixed = source.labelled if source.labelled is not None else np.array([], np.int64)
    whole = np.flatnonzero(source.train.has(*source.train.modalities))
    return _validation(source.train, np.setdiff1d(whole, fixed), config.num_validation)


def _parts(train, rest, labelled, captioned, config):
    """{stream: indices}; images that are told of otherwise are among those alone where the config says so."""
    of_data, sizes = batches.streams(train.modalities), config.batch_sizes()
    parts = {batches.LABELLED: labelled, batches.CAPTIONED: captioned}
    alone = [name for name, needed in of_data.items() if len(needed) == 1]
    for stream, needed in of_data.items():
        if stream not in (*parts, *alone) and (sizes.get(stream) or stream == batches.PAIRED):
            parts[stream] = np.intersect1d(rest, np.flatnonzero(train.has(*needed)))
    if batches.TAGGED in parts:
        parts[batches.TAGGED] = _few(train, rest, batches.TAGGED, config.num_tagged, config)
    parted = {}
    if config.num_paired:
        parts[batches.PAIRED], parted = _few_pairs(parts.get(batches.PAIRED, rest[:0]), train.modalities, config)
    # With several images labels that no stream asks for are nothing that an image is told of.
    told = np.concatenate([part for name, part in parts.items() if sizes.get(name) or len(train.modalities) == 1])
    unlabelled = rest if config.labelled_stay_unlabelled else np.setdiff1d(rest, told)
    for stream in alone:
        has_image = train.has(*of_data[stream])[unlabelled]
        parts[stream] = unlabelled[has_image] if len(train.modalities) > 1 else unlabelled
        parts[stream] = np.setdiff1d(parts[stream], parted.get(stream, parts[stream][:0]), assume_unique=True)
    return parts


def _few_pairs(whole, modalities, config):
    """(the examples that keep all of their images, {stream of one modality: those that lost that image}).

    Raises:
        ValueError: for more pairs than there are.
    """
    if config.num_paired > len(whole):
        raise ValueError(
            f"`data.num_paired`={config.num_paired} asks for more than the {len(whole)} training examples that have "
            f"all of their images ({', '.join(modalities)}). Lower it; 0 takes all."
        )
    # A seed of its own: what is drawn of labels does not depend on it.
    drawn = np.random.default_rng([config.label_seed, 20170512]).permutation(whole)
    kept, others = drawn[: config.num_paired], drawn[config.num_paired :]
    streams = [batches.UNLABELLED if name == batches.IMAGE else name for name in modalities]
    lost = {stream: others[np.arange(len(others)) % len(streams) != place] for place, stream in enumerate(streams)}
    return np.sort(kept), lost


def hash_of(split):
    """A sha256 over the lists of indices."""
    indices = {name: part for name, part in split.items() if name in _PARTS or _is_further(name)}
    return hashlib.sha256(json.dumps(indices, sort_keys=True).encode()).hexdigest()


def _is_further(name):
    """Whether an item of a split is the part of a stream that version 0.1 did not know."""
    entries.kinds()  # They bring their streams.
    return name in batches.STREAMS or batches.is_image(name)


def check(split, source):
    """Refuses a split that was altered or that belongs to other data.

    Raises:
        ValueError: saying which.
    """
    if not set(_PARTS) <= set(split):
        raise ValueError("split.json was written by an older tfvae, which knew no captions. Use a new --workdir.")
    if split["hash"] != hash_of(split):
        raise ValueError(
            "split.json was altered: its indices do not have its hash. Restore it, or use a new --workdir."
        )
    digest = source.digest()
    if split["data"] != digest:
        raise ValueError(
            f"split.json belongs to other data: its digest is {split['data'][:12]}…, this data's is {digest[:12]}…. "
            "Name the data that the run was started with (--data_path where they have moved, or --config.data.path to "
            "train), or use a new --workdir."
        )


def _few(train, rest, stream, num, config):
    """`num` of the rest that are rows of a stream, captioned or tagged ones; all for 0.

    Raises:
        ValueError: for more than there are.
    """
    rows = np.intersect1d(rest, np.flatnonzero(train.has(*batches.STREAMS[stream])))
    if num > len(rows):
        raise ValueError(
            f"`data.num_{stream}`={num} asks for more than the {len(rows)} training images that are {stream}. "
            "Lower it; 0 takes all."
        )
    if not num:
        return rows
    # A seed of its own: what is drawn of the labels does not depend on it.
    rng = np.random.default_rng([config.label_seed, _SEEDS[stream]])
    return np.sort(rng.choice(rows, num, replace=False))


def _validation(rows, candidates, num):
    """`num` of the candidates in the classes' proportions; those that a model can be judged by where there are any."""
    label = rows.label
    rng = np.random.default_rng(20160214)
    shuffled = rng.permutation(candidates)
    told = np.zeros(len(rows), bool)
    for name in rows.columns:
        told |= rows.has(name) & entries.named(name).judged
    chosen = shuffled[told[shuffled]] if told[shuffled].any() else shuffled
    most = max(len(chosen) // _LEAST_TRAINING_SHARE, 1)
    num = min(num, most)
    # Sorted by class, every (n / num)-th row: each class gets its share to within one row.
    by_class = chosen[np.argsort(label[chosen], kind="stable")]
    taken = by_class[np.linspace(0, len(by_class), num, endpoint=False).astype(int)]
    return np.sort(taken[~_only_ones(label, taken)])


def _only_ones(label, taken):
    """bool: of the rows that were taken one of every class that would keep none to train on."""
    _, first, num = np.unique(label[taken], return_index=True, return_counts=True)
    returned = np.zeros(len(taken), bool)
    for place, of_class in zip(first, num, strict=True):
        name = label[taken[place]]
        returned[place] = name != NO_LABEL and of_class == np.sum(label == name)
    return returned


def _balanced(label, rest, config, rng, class_names):
    """The same number of rows of every class but the unseen ones, in shuffled order; all labelled rows for 0."""
    labels_per_class = config.labels_per_class
    if labels_per_class == 0:
        return rest[label[rest] != NO_LABEL]
    num_classes = max(len(class_names), int(label.max(initial=NO_LABEL)) + 1)
    chosen = []
    for k in (k for k in range(num_classes) if k not in config.unseen_classes):
        rows = rest[label[rest] == k]
        if len(rows) < labels_per_class:
            name = class_names[k] if k < len(class_names) else k
            raise ValueError(
                f"Class {name!r} has {len(rows)} training images, `data.labels_per_class`={labels_per_class} asks for "
                "more. Lower it (0 takes all labels), or lower `data.num_validation`."
            )
        chosen.append(rng.choice(rows, labels_per_class, replace=False))
    return rng.permutation(np.concatenate(chosen)) if chosen else np.array([], np.int64)
