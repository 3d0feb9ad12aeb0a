"""What data and models agree on: the names of streams and entries, and what a model is told of its data.

A *batch* is a dict of streams; a *stream* is a dict of the entries that all its rows have:

    {"labelled": {"image": [B_l, ...], "label": [B_l]}, "captioned": {"image": [B_c, ...], "caption": [B_c, T]},
     "unlabelled": {"image": [B_u, ...]}}

Examples of several images, the modalities, come in pairs and alone:

    {"paired": {"image": [B_p, ...], "image_b": [B_p, ...]}, "unlabelled": {"image": [B_u, ...]},
     "image_b": {"image_b": [B_b, ...]}}

Shapes are static and nothing is masked, so no work is done for labels that are not there.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

IMAGE = "image"
LABEL = "label"
CAPTION = "caption"
TAGS = "tags"
FACTORS = "factors"
ROW = "row"

LABELLED = "labelled"
CAPTIONED = "captioned"
TAGGED = "tagged"
PAIRED = "paired"
UNLABELLED = "unlabelled"

# Stream -> the entries that all its rows have, richest first; a new kind of entry adds its own (`tfvae.data.entries`).
# Beside them every modality but the first has a stream of its own name, of the images alone.
STREAMS = {
    LABELLED: (IMAGE, LABEL),
    CAPTIONED: (IMAGE, CAPTION),
    TAGGED: (IMAGE, TAGS),
    PAIRED: (),  # Every modality of the data.
    UNLABELLED: (IMAGE,),
}

# Words of every vocabulary: what ends a caption and fills it up to its length, and what stands for unknown words.
END, UNKNOWN = 0, 1

Stream = dict
Batch = dict[str, Stream]


class DataInfo(NamedTuple):
    """Facts that a model has to know of its data before it sees any.

    image_shape: shape of one observation as the model sees it, e.g. (28, 28, 1), or (444,) after pixels were dropped.
    num_classes: K, 0 where there are no labels at all.
    num_train: distinct training rows, labelled or not.
    num_labelled: those with a label.
    vocabulary: the words of captions, the end of a caption first; empty where there are no captions.
    caption_length: T, words of the longest caption and its end.
    further_images: name -> shape of the modalities beside `image`; empty for one image an example.
    names: entry -> what its places are called, such as {"factors": ("slant", "tilt")}; only for entries that name them.
    num_tagged: training rows with tags, where batches have some.
    """

    image_shape: tuple[int, ...]
    num_classes: int
    num_train: int
    num_labelled: int
    vocabulary: tuple[str, ...] = ()
    caption_length: int = 0
    further_images: Mapping[str, tuple[int, ...]] = MappingProxyType({})
    names: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    num_tagged: int = 0

    @property
    def modalities(self) -> dict[str, tuple[int, ...]]:
        """Name -> shape of every image that an example may have, the first one first."""
        return {IMAGE: self.image_shape, **self.further_images}


def is_image(entry: str) -> bool:
    """Whether an entry of this name is an image: `image`, and for further modalities `image_<anything>`."""
    return entry == IMAGE or entry.startswith(f"{IMAGE}_")


def streams(modalities: Sequence[str] = (IMAGE,)) -> dict[str, tuple[str, ...]]:
    """Stream -> the entries of its rows, for data of these modalities."""
    of_data = {name: entries or tuple(modalities) for name, entries in STREAMS.items()}
    if len(modalities) == 1:
        del of_data[PAIRED]
    return of_data | {name: (name,) for name in modalities if name != IMAGE}


def images(batch: Batch, name: str = IMAGE) -> list:
    """The images of one modality in all streams that have it, in the order of the streams: a list of [B_i, ...]."""
    return [stream[name] for stream in batch.values() if name in stream]
