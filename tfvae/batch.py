"""What data and models agree on: the names of streams and entries, and what a model is told of its data.

A *batch* is a dict of streams; a *stream* is a dict of the entries that all its rows have:

    {"labelled": {"image": [B_l, ...], "label": [B_l]}, "captioned": {"image": [B_c, ...], "caption": [B_c, T]},
     "unlabelled": {"image": [B_u, ...]}}

Shapes are static and nothing is masked, so no work is done for labels that are not there.
"""

from typing import NamedTuple

IMAGE = "image"
LABEL = "label"
CAPTION = "caption"
# The numbers of rows among all training rows, for a learner that keeps something of every row.
ROW = "row"

LABELLED = "labelled"
CAPTIONED = "captioned"
UNLABELLED = "unlabelled"

# Words of every vocabulary: what ends a caption and fills it up to its length, and what stands for unknown words.
END, UNKNOWN = 0, 1

Stream = dict
Batch = dict[str, Stream]


class DataInfo(NamedTuple):
    """What a model has to know of its data before it sees any.

    image_shape: shape of one observation as the model sees it, e.g. (28, 28, 1), or (444,) after pixels were dropped.
    num_classes: K, 0 where there are no labels at all.
    num_train: distinct training rows, labelled or not.
    num_labelled: those with a label.
    vocabulary: the words of captions, the end of a caption first; empty where there are no captions.
    caption_length: T, words of the longest caption and its end.
    """

    image_shape: tuple[int, ...]
    num_classes: int
    num_train: int
    num_labelled: int
    vocabulary: tuple[str, ...] = ()
    caption_length: int = 0


def images(batch: Batch):
    """The images of all streams, in the order of the streams: a list of [B_i, ...]."""
    return [stream[IMAGE] for stream in batch.values()]
