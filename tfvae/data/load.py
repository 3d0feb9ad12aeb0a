"""From a config to data that is ready to train on: source, split, transform, batches."""

import dataclasses
import importlib
import os
import pkgutil

import numpy as np
import tensorflow as tf

from tfvae.batch import CAPTIONED, IMAGE, LABEL, LABELLED, UNLABELLED, DataInfo
from tfvae.data import captions as texts
from tfvae.data import mixture, more_images, sources, split, transforms
from tfvae.data.captions import Vocabulary
from tfvae.data.rows import NO_LABEL, Rows, Source
from tfvae.probability import noise

_STREAMS = (LABELLED, CAPTIONED, UNLABELLED)


@dataclasses.dataclass
class Config:
    """Which data, which of it is labelled, and how it is batched.

    Args:
        source: `digits`, `tfds`, `folder`, `shards`, `bag_of_words`, `moons`, `toy` or `nothing`: a file of
            `tfvae/data/sources`.
        name: of the set, for `tfds`; which labelled points, for `moons`.
        data_dir: where TFDS keeps its sets; empty for its default.
        path: of the folder, the shards or the word counts.
        max_words: of word counts, the words of most documents that are kept; 0 for all.
        extra_split: whether SVHN's `extra` images join the training rows.
        points_noise: standard deviation of the half-moons' noise, and of the mixture's (`toy`).
        labels_per_class: labelled images of every class; 0 for all labels there are.
        num_captioned: training images that keep their captions; 0 for all that have some.
        label_seed: of the draw of labelled and captioned images.
        num_validation: training rows set apart for validation; training never sees them.
        labelled_batch: labelled images in a batch; 0 to train without labels.
        captioned_batch: captioned images in a batch, each with one of its captions, drawn anew.
        unlabelled_batch: bare images in a batch; 0 to train on the labelled and captioned ones alone.
        labelled_stay_unlabelled: labelled and captioned images are among the bare ones too (as in the authors' code).
        more_images: a folder of more bare training images, of the same set or another; empty for none.
        image_size: images are resized to this square; 0 leaves them.
        color_mode: `auto`, `gray` or `rgb`, for folders.
        max_memory_bytes: unlabelled shards larger than this are streamed rather than held in memory.
        max_pixels: images whose header promises more are refused before they are decoded.
        row_numbers: whether batches carry the numbers of their rows (`row`), for a chain that keeps something of each.
        on_bad_record: `stop` at a damaged record of a shard, or `quarantine` it: skipped, counted, reported.
        transform: from gray levels to observations.
        captions: from text to words.
    """

    source: str = "digits"
    name: str = ""
    data_dir: str = ""
    path: str = ""
    max_words: int = 0
    extra_split: bool = True
    points_noise: float = 0.2
    labels_per_class: int = 10
    num_captioned: int = 0
    label_seed: int = 0
    num_validation: int = 100
    labelled_batch: int = 100
    captioned_batch: int = 0
    unlabelled_batch: int = 100
    labelled_stay_unlabelled: bool = True
    more_images: str = ""
    image_size: int = 0
    color_mode: str = "auto"
    max_memory_bytes: int = 2 << 30
    max_pixels: int = 50_000_000
    row_numbers: bool = False
    on_bad_record: str = "stop"
    transform: transforms.Config = dataclasses.field(default_factory=transforms.Config)
    captions: texts.Config = dataclasses.field(default_factory=texts.Config)


@dataclasses.dataclass(frozen=True)
class Data:
    """Rows in their roles, and batches of them.

    Attributes:
        info: what a model is told.
        transform: fitted on the training rows.
        class_names: one for every label.
        split: what `split.json` holds.
        train: every training row, labelled or not, without validation.
        labelled, captioned, unlabelled: those of each stream.
        validation, test: held out.
        streams: name -> `mixture.StreamSpec`.
        num_streamed: rows that are read from files.
        vocabulary: of the captions; None where the data has none that are trained on.
        words: a name for every entry of word counts; empty for other rows.
    """

    info: DataInfo
    transform: transforms.Transform
    class_names: tuple[str, ...]
    split: dict
    train: Rows
    labelled: Rows
    captioned: Rows
    unlabelled: Rows
    validation: Rows
    test: Rows
    streams: dict
    num_streamed: int = 0
    vocabulary: Vocabulary | None = None
    words: tuple[str, ...] = ()

    @property
    def steps_per_epoch(self):
        """An epoch is one pass over the bare images; without them, over the captioned or else the labelled ones."""
        spec = next(self.streams[name] for name in (UNLABELLED, CAPTIONED, LABELLED) if name in self.streams)
        return max((self.num_streamed if spec.files else len(spec.rows)) // spec.batch_size, 1)

    def training_batches(self, seed, start_step=0, num_replicas=1):
        """An endless dataset whose batch t is a function of (seed, t); see `tfvae.data.mixture`."""
        return mixture.training_batches(self.streams, self.transform, seed, start_step, num_replicas)

    def observe(self, rows, seed=None):
        """Observations of rows as NumPy, [N, *image_shape]; exact without a seed."""
        return self.transform.observe(rows.image, None if seed is None else noise.seed(seed)).numpy()

    def evaluation_batches(self, rows, seed=0, batch_size=200):
        """A finite dataset of one stream with all rows once; noise is a function of (seed, number of the batch)."""
        labelled = bool(len(rows)) and self.info.num_classes > 0 and bool((rows.label != NO_LABEL).all())
        dataset = tf.data.Dataset.from_tensor_slices((rows.image, rows.label)).batch(batch_size).enumerate()

        def observed(number, row):
            x = self.transform.observe(row[0], noise.seed(seed, number))
            return {LABELLED: {IMAGE: x, LABEL: row[1]}} if labelled else {UNLABELLED: {IMAGE: x}}

        return dataset.map(observed).prefetch(2)


def load(config, frozen_split=None):
    """Loads, splits and fits.

    Args:
        config: `Config`.
        frozen_split: the content of an existing `split.json`; then nothing is drawn anew.

    Raises:
        ValueError: for an unknown source, a split of other data, and whatever the source, the split or the transform
            refuses.
    """
    source = _source(config)
    if frozen_split is None:
        frozen_split = split.draw(source, config)
    else:
        split.check(frozen_split, source)
    parts = {name: source.train.take(np.asarray(frozen_split[name], np.int64)) for name in _STREAMS}
    validation = source.validation
    if validation is None:
        validation = source.train.take(np.asarray(frozen_split["validation"], np.int64))
    kept = np.setdiff1d(np.arange(len(source.train)), frozen_split["validation"])
    train = source.train.take(kept)
    _check_labels(source)
    if not len(train):
        raise ValueError(
            "No training row is in memory to fit the transform on: every image is unlabelled and streamed. Raise "
            f"`data.max_memory_bytes`={config.max_memory_bytes}, or give some images labels."
        )
    if "transform" in frozen_split:
        transform = transforms.Transform(config.transform, frozen_split["transform"]).whitened_on(train.image)
    else:
        transform = transforms.Transform.fit(config.transform, train.image)
        frozen_split = {**frozen_split, "transform": transform.state()}
    vocabulary = _vocabulary(config, parts[CAPTIONED], frozen_split)
    if vocabulary:
        frozen_split = {**frozen_split, "vocabulary": list(vocabulary.words)}
    num_classes = len(source.class_names) or int(source.train.label.max(initial=NO_LABEL)) + 1
    info = DataInfo(
        transform.image_shape, num_classes, len(train) + source.num_streamed, len(parts[LABELLED]),
        vocabulary.words if vocabulary else (), vocabulary.length if vocabulary else 0,
    )  # fmt: skip
    names = source.class_names or tuple(str(k) for k in range(num_classes))
    streams = _streams(config, parts, source, vocabulary)
    if config.row_numbers:
        streams = _numbered(streams, {name: np.searchsorted(kept, frozen_split[name]) for name in _STREAMS})
    return Data(
        info, transform, names, frozen_split, train, parts[LABELLED], parts[CAPTIONED], parts[UNLABELLED], validation,
        source.test, streams, source.num_streamed, vocabulary, source.words,
    )  # fmt: skip


def _source(config) -> Source:
    known = sorted(module.name for module in pkgutil.iter_modules(sources.__path__))
    if config.source not in known:
        raise ValueError(f"`data.source` must be one of {known}, got {config.source!r}.")
    source = importlib.import_module(f"{sources.__name__}.{config.source}").load(config)
    return more_images.added(source, config) if config.more_images else source


def _vocabulary(config, captioned, frozen_split):
    """Of the training captions, or as it was when the run began; None where no captions are trained on.

    Raises:
        ValueError: where there are no captions, or the file of words is another one than when the run began.
    """
    if not config.captioned_batch:
        return None
    if not len(captioned):
        raise ValueError(
            "No training image has a caption. Give some in `metadata.csv` (columns file_name and caption), a COCO "
            "`captions_*.json` or a Flickr `*.token.txt`, or set `data.captioned_batch=0`."
        )
    if "vocabulary" not in frozen_split:
        return texts.build([text for of_image in captioned.captions for text in of_image], config.captions)
    vocabulary = Vocabulary(tuple(frozen_split["vocabulary"]), config.captions.max_words + 1, config.captions.tokenizer)
    path = config.captions.vocabulary
    if path and os.path.exists(path) and texts.build((), config.captions) != vocabulary:
        raise ValueError(
            f"`data.captions.vocabulary` {config.captions.vocabulary} has other words than when the run began, so "
            "that it does not fit the weights. Restore the file, or use a new --workdir."
        )
    return vocabulary


def _streams(config, parts, source, vocabulary):
    """The streams whose batch size is not 0."""
    streams = {}
    if config.labelled_batch:
        if not len(parts[LABELLED]):
            raise ValueError(
                "There are no labelled images. To train without labels set `data.labelled_batch=0`, as a `vae` preset."
            )
        streams[LABELLED] = mixture.StreamSpec(parts[LABELLED], config.labelled_batch, label=True)
    if config.captioned_batch:
        told = parts[CAPTIONED]
        ids = texts.stacked(told.captions, vocabulary)
        streams[CAPTIONED] = mixture.StreamSpec(told, config.captioned_batch, captions=ids)
    if config.unlabelled_batch:
        if not len(parts[UNLABELLED]) and not source.streamed:
            raise ValueError("There are no unlabelled images; set `data.unlabelled_batch=0` to train on labels alone.")
        rows = parts[UNLABELLED] if len(parts[UNLABELLED]) else parts[LABELLED]
        streams[UNLABELLED] = mixture.StreamSpec(
            rows, config.unlabelled_batch, files=source.streamed, num_rows=source.num_streamed
        )
    if not streams:
        raise ValueError("The batches of `data` are all 0 (labelled, captioned, unlabelled): nothing to train on.")
    return streams


def _numbered(streams, numbers):
    """The streams with the numbers of their rows among the training rows in memory."""
    numbered = {}
    for name, spec in streams.items():
        if spec.files:
            raise ValueError(
                f"The {name} rows are read from files, which have no numbers: set `data.max_memory_bytes` above their "
                "size, or `data.row_numbers=False`."
            )
        # Where no row is bare, the labelled ones are the bare ones too.
        own = numbers[name] if len(numbers[name]) else numbers[LABELLED]
        numbered[name] = spec._replace(numbers=np.asarray(own, np.int64))
    return numbered


def _check_labels(source):
    """Labels are NO_LABEL, or a class."""
    num_classes = len(source.class_names)
    for role, rows in (("training", source.train), ("test", source.test)):
        label = rows.label
        wrong = (label < NO_LABEL) | ((label >= num_classes) if num_classes else False)
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise ValueError(
                f"The label of {role} row {row} is {int(label[row])}, labels are 0 to {num_classes - 1} "
                f"({int(wrong.sum())} rows are out of range)."
            )
