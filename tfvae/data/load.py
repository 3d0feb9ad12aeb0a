"""From a config to data that is ready to train on: source, split, transform, batches."""

import dataclasses
import importlib
import pkgutil
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae import batch as batches
from tfvae import ranges
from tfvae.batch import CAPTION, CAPTIONED, IMAGE, LABEL, LABELLED, PAIRED, ROW, TAGGED, UNLABELLED, DataInfo
from tfvae.data import captions as texts
from tfvae.data import entries, images, manifest, mixture, more_images, sources, split, tagging, transforms
from tfvae.data.captions import Vocabulary
from tfvae.data.columns import Partial, Stored
from tfvae.data.entries.label import NO_LABEL
from tfvae.data.entry import Entry
from tfvae.data.examples import Examples, Source, Streamed
from tfvae.probability import noise

# Of images that stay in their shards a transform is fitted on at most, and at least, that many, spread evenly.
_FITTED_ON, _FITTED_ON_LEAST = 10_000, 1000
# A stream of images that would fit into this share of the allowed memory is read into it.
_MEMORY_SHARE = 4


TransformConfig = transforms.Config  # Where `transforms` is a field.


def source_names() -> list[str]:
    """The sources that there are, by the names of their files."""
    return sorted(module.name for module in pkgutil.iter_modules(sources.__path__))


@dataclasses.dataclass
class Config:
    """Which data, which of it is labelled, and how it is batched.

    Args:
        source: `digits`, `tfds`, `folder`, `shards`, `halves`, `coloured`, `bag_of_words`, `arrays`, `moons`, `toy`,
            `gaussians`, `tagged_digits` or `nothing`: a file of `tfvae/data/sources`.
        name: of the set, for `tfds`, `halves` and `coloured`; which labelled points, for `moons`; `ring`,
            for `gaussians`.
        data_dir: where TFDS keeps its sets; empty for its default.
        path: of the folder, the shards, the word counts or the arrays.
        max_words: of word counts, the words of most documents that are kept; 0 for all.
        extra_split: whether SVHN's `extra` images join the training rows.
        points_noise: standard deviation of the half-moons' noise, of the mixture's (`toy`) and of the ring's Gaussians.
        labels_per_class: labelled images of every class; 0 for all labels there are.
        num_captioned: training images that keep their captions; 0 for all that have some.
        num_tagged: training images that keep their tags; 0 for all that have some.
        num_paired: training examples that keep all of their images; of each other one a single image is kept, every
            modality's turn in turn. 0 for all.
        label_seed: of the draw of labelled, captioned, tagged and paired images.
        unseen_classes: labels, by number, of which no example is trained on or validates; test rows have them.
        modalities: for `folder`, the names of the folders of the images of an example, the first one's first, such as
            ("visible", "infrared"): its images are `image` and `image_infrared`. Empty for `image` and `image_<name>`.
        num_validation: training rows set apart for validation; training never sees them.
        labelled_batch: labelled images in a batch; 0 to train without labels.
        captioned_batch: captioned images in a batch, each with one of its captions, drawn anew.
        unlabelled_batch: unlabelled images in a batch; 0 to train on the labelled and captioned ones alone.
        batches: rows in a batch of further streams, such as {"paired": 50, "image_b": 50} or {"tagged": 20}.
        entries: entries that every stream carries beside its own, such as "factors", or "row" for the numbers of
            training examples.
        labelled_stay_unlabelled: labelled and captioned images are among the unlabelled ones too (as in the authors'
            code), and both images of a pair among those alone.
        more_images: a folder of more unlabelled training images, of the same set or another; empty for none.
        image_size: images are resized to this square; 0 leaves them.
        color_mode: `auto`, `gray` or `rgb`, for folders.
        max_memory_bytes: of images in memory; those of larger shards are read as they are needed.
        max_pixels: images whose header promises more are refused before they are decoded.
        on_bad_record: `stop` at a damaged record of a shard, or `quarantine` it: skipped, counted, reported.
        transform: from gray levels to observations.
        transforms: the same of further modalities, by name; those that are not named have `transform`.
        captions: from text to words.
        tags: where tags come from, and which of them are known.
    """

    source: str = ranges.field("digits", ranges.Choices(source_names))
    name: str = ranges.field("", ranges.Text("a name, or empty"))
    data_dir: str = ranges.field("", ranges.PATH)
    path: str = ranges.field("", ranges.PATH)
    max_words: int = ranges.field(0, ranges.COUNTS)
    extra_split: bool = True
    points_noise: float = ranges.field(0.2, ranges.WEIGHTS)
    labels_per_class: int = ranges.field(10, ranges.COUNTS)
    num_captioned: int = ranges.field(0, ranges.COUNTS)
    num_tagged: int = ranges.field(0, ranges.COUNTS)
    num_paired: int = ranges.field(0, ranges.COUNTS)
    label_seed: int = ranges.field(0, ranges.SEEDS)
    unseen_classes: tuple[int, ...] = ranges.field((), ranges.COUNTS)
    modalities: tuple[str, ...] = ranges.field((), ranges.Text("a folder's name"))
    num_validation: int = ranges.field(100, ranges.COUNTS)
    labelled_batch: int = ranges.field(100, ranges.BATCHES)
    captioned_batch: int = ranges.field(0, ranges.BATCHES)
    unlabelled_batch: int = ranges.field(100, ranges.BATCHES)
    batches: dict[str, int] = ranges.field(factory=dict, allowed=ranges.BATCHES)
    entries: tuple[str, ...] = ranges.field((), ranges.Text("the name of an entry"))
    labelled_stay_unlabelled: bool = True
    more_images: str = ranges.field("", ranges.EXISTING_PATH)
    image_size: int = ranges.field(0, ranges.IMAGE_SIDES)
    color_mode: str = ranges.field("auto", ranges.Choices(images.COLOR_MODES))
    max_memory_bytes: int = ranges.field(2 << 30, ranges.Interval(0, 2**63 - 1))
    max_pixels: int = ranges.field(images.MAX_PIXELS, ranges.PIXELS)
    on_bad_record: str = ranges.field("stop", ranges.Choices(manifest.POLICIES))
    transform: transforms.Config = dataclasses.field(default_factory=transforms.Config)
    transforms: dict[str, TransformConfig] = dataclasses.field(default_factory=dict)
    captions: texts.Config = dataclasses.field(default_factory=texts.Config)
    tags: tagging.Config = dataclasses.field(default_factory=tagging.Config)

    def validate(self):
        """Checks the streams and the entries that are asked for by name.

        Raises:
            ValueError: if the configuration is invalid.
        """
        for name in self.entries:
            entries.named(name)
        if not any(self.batch_sizes().values()):
            raise ValueError(
                "`data.labelled_batch`, `.captioned_batch`, `.unlabelled_batch` and `data.batches` are all 0: nothing "
                "to train on."
            )

    def batch_sizes(self):
        """Stream -> rows in a batch, 0 for a stream that is not trained on."""
        return {
            LABELLED: self.labelled_batch,
            CAPTIONED: self.captioned_batch,
            UNLABELLED: self.unlabelled_batch,
            **self.batches,
        }

    @property
    def is_of_tfds(self):
        """Whether its images come from a set of TensorFlow Datasets."""
        return self.source == "tfds" or (self.source in ("halves", "coloured") and bool(self.name))

    @property
    def place(self):
        """Where the files lie that it reads; empty for data that need none, and for TFDS' default."""
        return self.data_dir if self.is_of_tfds else self.path

    def moved_to(self, place):
        """The same data, whose files have moved there.

        Raises:
            ValueError: for data that are not read from files.
        """
        if self.is_of_tfds:
            return dataclasses.replace(self, data_dir=str(place))
        if not self.path:
            raise ValueError(f"`data.source={self.source}` reads no files that could have moved; leave that path out.")
        return dataclasses.replace(self, path=str(place))

    def transform_of(self, modality):
        """The config of a modality's transform."""
        return self.transform if modality == IMAGE else self.transforms.get(modality, self.transform)


@dataclasses.dataclass(frozen=True)
class Data:
    """Rows in their roles, and batches of them.

    Attributes:
        info: what a model is told.
        transform: of the first image, fitted on the training rows.
        class_names: one for every label.
        split: what `split.json` holds.
        train: every training row, labelled or not, without validation.
        labelled, captioned, unlabelled: those of each stream.
        validation, test: held out; examples of several images have all of them.
        streams: name -> `mixture.StreamSpec`.
        num_streamed: rows that are read from files, unlabelled ones.
        vocabulary: of the captions; None where the data has none that are trained on.
        words: a name for every entry of word counts; empty for other rows.
        further: the rows of further streams, such as `paired`.
        further_transforms: of further images, by name.
    """

    info: DataInfo
    transform: transforms.Transform
    class_names: tuple[str, ...]
    split: dict
    train: Examples
    labelled: Examples
    captioned: Examples
    unlabelled: Examples
    validation: Examples
    test: Examples
    streams: dict
    num_streamed: int = 0
    vocabulary: Vocabulary | None = None
    words: tuple[str, ...] = ()
    further: dict[str, Examples] = dataclasses.field(default_factory=dict)
    further_transforms: dict[str, transforms.Transform] = dataclasses.field(default_factory=dict)

    @property
    def transforms(self):
        """Modality -> its transform, the first one first."""
        return {IMAGE: self.transform, **self.further_transforms}

    @property
    def entries(self) -> dict[str, Entry]:
        """What batches carry, fitted: name -> entry."""
        return {name: entry for spec in self.streams.values() for name, entry in spec.entries.items()}

    @property
    def steps_per_epoch(self):
        """An epoch is one pass over the unlabelled images; without them over the pairs, or else what there is."""
        order = (UNLABELLED, PAIRED, *reversed(batches.streams(tuple(self.transforms))))
        spec = next(self.streams[name] for name in order if name in self.streams)
        return max(spec.num_rows // spec.batch_size, 1)

    def training_batches(self, seed, start_step=0, num_replicas=1):
        """An endless dataset whose batch t is a function of (seed, t); see `tfvae.data.mixture`."""
        return mixture.training_batches(self.streams, self.transforms, seed, start_step, num_replicas)

    def observe(self, rows, seed=None, name=IMAGE):
        """Observations of rows as NumPy, [N, *shape of that image]; exact without a seed."""
        image = np.asarray(rows[name])
        return self.transforms[name].observe(image, None if seed is None else noise.seed(seed)).numpy()

    def evaluation_batches(self, rows, seed=0, batch_size=200):
        """A finite dataset of one stream with all rows once; noise is a function of (seed, number of the batch)."""
        labelled = bool(len(rows)) and self.info.num_classes > 0 and bool((rows.label != NO_LABEL).all())
        paired = len(self.transforms) > 1
        stream = PAIRED if paired else LABELLED if labelled else UNLABELLED
        columns = {name: np.asarray(rows[name]) for name in self.transforms}
        dataset = tf.data.Dataset.from_tensor_slices((columns, rows.label)).batch(batch_size).enumerate()

        def observed(number, row):
            own = noise.seed(seed, number)
            seen = {
                name: transform.observe(row[0][name], own if name == IMAGE else noise.fold_in(own, i))
                for i, (name, transform) in enumerate(self.transforms.items())
            }
            return {stream: seen | ({LABEL: row[1]} if labelled and not paired else {})}

        return dataset.map(observed).prefetch(2)


def load(config, frozen_split=None):
    """Loads, splits and fits.

    Args:
        config: `Config`.
        frozen_split: the content of an existing `split.json`; then nothing is drawn anew.

    Raises:
        ValueError: for a config that `tfvae.ranges.check` refuses, a split of other data, and whatever the source, the
            split or the transform refuses.
    """
    ranges.check(config, "data")
    source = tagging.tagged(_without_classes(_source(config, frozen_split), config.unseen_classes), config)
    _check_pixels(source)
    modalities = source.train.modalities or (IMAGE,)
    _check_streams(config, modalities)
    if frozen_split is None:
        frozen_split = split.draw(source, config)
    else:
        split.check(frozen_split, source)
    kept = np.setdiff1d(np.arange(len(source.train)), frozen_split["validation"])
    if ROW in config.entries:
        source = source._replace(train=_numbered(source.train, kept))
    parts = {
        name: _part(source, frozen_split.get(name, []), (*needed, *config.entries), config)
        for name, needed in batches.streams(modalities).items()
    }
    validation = source.validation
    if validation is None:
        validation = source.train.take(np.asarray(frozen_split["validation"], np.int64)).in_memory()
    train = source.train.take(kept)
    _check_labels(source)
    _check_whole(modalities, validation, source.test)
    fitted = {name: _fitted(config, name, train, frozen_split) for name in modalities}
    frozen_split = _with_transforms(frozen_split, fitted)
    carried = carried_entries(config, modalities, parts, frozen_split)
    for entry in _entries(carried).values():
        frozen_split = {**frozen_split, **entry.state()}
    streams = _streams(config, parts, source, carried)
    info = _info(source, train, parts, fitted, _entries(carried))
    names = source.class_names or tuple(str(k) for k in range(info.num_classes))
    further = {name: rows for name, rows in parts.items() if name not in (LABELLED, CAPTIONED, UNLABELLED)}
    return Data(
        info, fitted[IMAGE], names, frozen_split, train, parts[LABELLED], parts[CAPTIONED], parts[UNLABELLED],
        validation, source.test, streams, source.streamed.num, vocabulary_of(carried), source.words, further,
        {name: transform for name, transform in fitted.items() if name != IMAGE},
    )  # fmt: skip


def _source(config, frozen_split) -> Source:
    load_source = importlib.import_module(f"{sources.__name__}.{config.source}").load
    # A run that began with labelled images in memory goes on with them there: its split belongs to them.
    began_in_memory = config.source == "shards" and frozen_split is not None and not frozen_split.get("stored")
    if config.source == "folder" and frozen_split is not None:
        # The folder was told of when the run began.
        source = load_source(config, known=frozen_split.get("files"), report=_silent)
    else:
        source = load_source(config, stores=False) if began_in_memory else load_source(config)
    if not config.more_images:
        return source
    if frozen_split is None:
        return more_images.added(source, config)
    return more_images.added(source, config, known=frozen_split.get("more_files"), report=_silent)


def _without_classes(source, unseen):
    """The source without training and validation rows of these classes.

    Raises:
        ValueError: for a class that no test row is of.
    """
    if not unseen:
        return source
    unknown = sorted(set(unseen) - set(source.test.label.tolist()))
    if unknown:
        raise ValueError(f"`data.unseen_classes` has {unknown}, of which there is no test row to judge by.")
    kept = [
        rows if rows is None else rows.take(~np.isin(rows.label, unseen)) for rows in (source.train, source.validation)
    ]
    return source._replace(train=kept[0], validation=kept[1])


def _silent(found, warned):
    """Tells nobody what a folder holds."""


def _check_streams(config, modalities):
    """Refuses batches of streams that this data cannot have."""
    entries.kinds()  # They bring their streams.
    known = batches.streams(modalities)
    unknown = [name for name, size in config.batch_sizes().items() if size and name not in known]
    if unknown:
        raise ValueError(
            f"`data.batches` names the stream {unknown[0]!r}; with the images {list(modalities)} there are "
            f"{sorted(known)}."
        )


def _check_whole(modalities, *held_out):
    for rows in held_out:
        lacking = ~rows.has(*modalities) if len(modalities) > 1 else np.zeros(0, bool)
        if lacking.any():
            raise ValueError(
                f"{int(lacking.sum())} examples for validation or the test lack one of the images {list(modalities)}; "
                "only whole ones can be judged. Move the others to the training examples."
            )


def _numbered(train, kept):
    """With the entry `row`: the place of every example in `Data.train`, −1 for those that validate."""
    row = np.full(len(train), -1, np.int64)
    row[kept] = np.arange(len(kept))
    return train.with_columns(row=row)


def _part(source, indices, carried, config):
    """Rows of one stream without images that it does not carry; the others in memory where they fit."""
    columns = {name: of for name, of in source.train.columns.items() if name in carried or not batches.is_image(name)}
    rows = Examples(**columns).take(np.asarray(indices, np.int64))
    return rows.in_memory(config.max_memory_bytes // _MEMORY_SHARE)


def _fitted(config, name, train, frozen_split):
    """The transform of one modality, as it was when the run began or fitted on the training rows."""
    column = train.columns.get(name, ())
    column = column.some if isinstance(column, Partial) else column
    if not len(column):
        raise ValueError(
            f"No training row is in memory to fit the transform of `{name}` on: every image is unlabelled and "
            f"streamed. Raise `data.max_memory_bytes`={config.max_memory_bytes}, or give some images labels."
        )
    if isinstance(column, Stored):
        fits = config.max_memory_bytes // _MEMORY_SHARE // int(np.prod(column.shape[1:]))
        num = min(len(column), max(fits, _FITTED_ON_LEAST), _FITTED_ON)
        column = np.asarray(column[np.linspace(0, len(column), num, endpoint=False).astype(int)])
    settings = config.transform_of(name)
    frozen = transform_states(frozen_split)
    if name in frozen:
        return transforms.Transform(settings, frozen[name]).whitened_on(column)
    return transforms.Transform.fit(settings, column)


def transform_states(frozen_split):
    """{modality: state of its transform} of a `split.json`, the first one first; empty for a new run."""
    first = {IMAGE: frozen_split["transform"]} if "transform" in frozen_split else {}
    return first | frozen_split.get("transforms", {})


def _with_transforms(frozen_split, fitted):
    if "transform" not in frozen_split:
        frozen_split = {**frozen_split, "transform": fitted[IMAGE].state()}
    further = {name: transform.state() for name, transform in fitted.items() if name != IMAGE}
    return {**frozen_split, "transforms": frozen_split.get("transforms", further)} if further else frozen_split


def carried_entries(config, modalities, parts, frozen_split):
    """{stream: {entry name: entry}} that batches carry, entries fitted on the rows that have them."""
    sizes, known, fitted = config.batch_sizes(), batches.streams(modalities), {}

    def of_stream(stream, name):
        entry = entries.named(name)
        if name not in fitted:
            rows = parts[stream]
            if entry.stream == stream and not rows.has(name).any():
                raise ValueError(_without(stream))
            column = entry.take(rows[name], np.flatnonzero(rows.has(name))) if name in rows else ()
            fitted[name] = entry.fitted(config, column, frozen_split, stream)
        return fitted[name]

    return {
        stream: {name: of_stream(stream, name) for name in dict.fromkeys((*needed, *config.entries))}
        for stream, needed in known.items()
        if sizes.get(stream)
    }


def _entries(carried) -> dict[str, Entry]:
    return {name: entry for of_stream in carried.values() for name, entry in of_stream.items()}


def vocabulary_of(carried):
    """The vocabulary of the captions that batches carry; None without any."""
    entry: Any = _entries(carried).get(CAPTION)  # A `caption.Caption`.
    return entry.vocabulary if entry else None


def _info(source, train, parts, fitted, known):
    """What a model is told."""
    vocabulary = known[CAPTION].vocabulary if CAPTION in known else None
    num_classes = len(source.class_names) or int(source.train.label.max(initial=NO_LABEL)) + 1
    names = {name: tuple(entry.names) for name, entry in known.items() if getattr(entry, "names", None)}
    return DataInfo(
        fitted[IMAGE].image_shape, num_classes, len(train) + source.streamed.num, len(parts[LABELLED]),
        vocabulary.words if vocabulary else (), vocabulary.length if vocabulary else 0,
        {name: transform.image_shape for name, transform in fitted.items() if name != IMAGE}, names | source.names,
        len(parts.get(TAGGED, ())),
    )  # fmt: skip


_ADVICE = {
    LABELLED: "There are no labelled images. To train without labels set `data.labelled_batch=0`, as a `vae` preset.",
    CAPTIONED: "No training image has a caption. Give some in `metadata.csv` (columns file_name and caption), a COCO "
    "`captions_*.json` or a Flickr `*.token.txt`, or set `data.captioned_batch=0`.",
    TAGGED: "No training image has a tag. Give some in `metadata.csv` (columns file_name and tags, several of them set "
    "apart by commas), or set `data.tags.source=captions` where there are captions. Without tags set "
    "`model.tag_weight=0` and leave `tagged` out of `data.batches`.",
    UNLABELLED: "There are no unlabelled images; set `data.unlabelled_batch=0` to train on labels alone.",
}


def _without(stream):
    """What is said of a stream that is asked for and has no rows."""
    return _ADVICE.get(stream, f"No training example is of the stream {stream!r}: set its `data.batches` to 0.")


def _streams(config, parts, source, carried):
    """The streams whose batch size is not 0."""
    streams, sizes = {}, config.batch_sizes()
    for stream, of_stream in carried.items():
        rows, streamed = parts[stream], source.streamed if stream == UNLABELLED else Streamed()
        if not len(rows) and not streamed.num:
            raise ValueError(_without(stream))
        _check_carried(stream, rows, of_stream, streamed)
        template = rows if len(rows) else parts[LABELLED]
        streams[stream] = mixture.StreamSpec(template, sizes[stream], of_stream, streamed)
    return streams


def _check_carried(stream, rows, of_stream, streamed):
    """Refuses entries that some rows of a stream do not have."""
    if streamed.num and len(of_stream) > 1:
        raise ValueError(
            f"The {stream} images are read file by file, without {[name for name in of_stream if name != IMAGE]}: "
            "raise `data.max_memory_bytes`, or take those out of `data.entries`."
        )
    for name in of_stream:
        lacking = 0 if streamed.num else int((~rows.has(name)).sum())
        if lacking:
            raise ValueError(
                f"{lacking} of the {len(rows)} rows of the stream {stream!r} have no {name}: take it out of "
                "`data.entries`, or train without that stream."
            )


def _check_pixels(source):
    """Images are gray levels of 8 bits: whatever else a source reads, it prepares."""
    for rows in (source.train, source.validation, source.test):
        for name in rows.modalities if rows is not None else ():
            column = rows[name].some if isinstance(rows[name], Partial) else rows[name]
            if isinstance(column, np.ndarray) and column.ndim > 2 and column.dtype != np.uint8:
                raise ValueError(
                    f"The source delivers `{name}` of the dtype {column.dtype}, images are uint8 (0..255): "
                    "`tfvae.data.images.prepared` makes gray levels of 16 bits and of floats in [0, 1]."
                )


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
