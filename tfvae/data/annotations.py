"""Captions as public sets ship them: COCO's caption JSON, Flickr's token file with its lists, Karpathy's JSON of both.

    captions_train2014.json      {"images": [{"id", "file_name"}], "annotations": [{"image_id", "caption"}]}
    Flickr8k.token.txt           a line `name.jpg#k <tab> caption` for every caption
    Flickr_8k.trainImages.txt    a name a line; likewise devImages and testImages
    dataset_coco.json            {"images": [{"filename", "split", "sentences": [{"raw"}]}]}: the splits of Karpathy &
                                 Li 2015, which Pu et al. 2016 use; `restval` is for training
    captions.txt                 a table with the columns image and caption, Kaggle's form of Flickr8k

They name images as these lay where the files were made: the end of a path counts. What several files say is taken once.
"""

import collections
import json
import re
from pathlib import Path

from tfvae.batch import CAPTION
from tfvae.data import metadata
from tfvae.data.entries.caption import cleaned
from tfvae.data.metadata import Annotation

_COCO = re.compile(r"captions_([a-z]+)\w*\.json")
_TOKENS = re.compile(r"(?!.*lemma).*\.token(\.txt)?")  # Flickr's lemmas are the same captions once more.
_KARPATHY = re.compile(r"dataset_\w+\.json")
_TABLE = re.compile(r"captions\.txt")
_SPLIT_LIST = re.compile(r".*(train|dev|test)images\.txt")


def is_annotation(name):
    """Whether a file of this name holds captions, or a split."""
    return any(pattern.fullmatch(name.lower()) for pattern in (_COCO, _TOKENS, _SPLIT_LIST, _KARPATHY, _TABLE))


def rank(name):
    """The place of a table among others: what one says goes before what those of a higher rank say."""
    return (2 - bool(_KARPATHY.fullmatch(name.lower()))) if is_annotation(name) else 0


def read(path):
    """The rows of one file.

    Args:
        path: of a file whose name `is_annotation`.

    Returns:
        As `tfvae.data.metadata.read`: a list of `Annotation`, several of them for one image where it has several
        captions, and a Counter of repairs.

    Raises:
        ValueError: for a file that is not what its name says.
    """
    path, repairs = Path(path), collections.Counter()
    name = path.name.lower()
    if _TABLE.fullmatch(name):
        return metadata.read(path)
    content = metadata.decoded(path)
    if match := _SPLIT_LIST.fullmatch(name):
        split = metadata.split_name(match[1])
        return [Annotation(line.strip(), split=split) for line in content.splitlines() if line.strip()], repairs
    form = _coco if _COCO.fullmatch(name) else _karpathy if _KARPATHY.fullmatch(name) else _tokens
    return form(path, content, repairs), repairs


def _coco(path, content, repairs):
    try:
        described = json.loads(content)
        names = [(_id(image["id"]), _name(image["file_name"])) for image in described["images"]]
        said = [(_id(annotation["image_id"]), annotation["caption"]) for annotation in described["annotations"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(
            f"{path} is no caption file of COCO ({error!r}): it has `images` with `id` and `file_name`, and "
            "`annotations` with `image_id` and `caption`."
        ) from None
    of_id = dict(names)
    for image, name in names:
        if of_id[image] != name:
            raise ValueError(f"{path}: two `images` have the id {image}, {name!r} and {of_id[image]!r}.")
    unlisted = [image for image, _ in said if image not in of_id]
    if unlisted and len(unlisted) == len(said):
        raise ValueError(f"{path} has captions of none of its `images`, such as of image {unlisted[0]}.")
    repairs.update({"caption of an image that its file does not list": len(unlisted)} if unlisted else {})
    split = metadata.split_name(_COCO.fullmatch(path.name.lower())[1])
    rows = [Annotation(name, split=split) for _, name in names]
    for image, caption in said:
        if not isinstance(caption, str):
            raise ValueError(f"{path}: a caption of image {image} is {caption!r}, it must be text.")
        rows += _row(of_id[image], caption, repairs) if image in of_id else []
    return rows


def _id(value):
    """One spelling of an id: 7, 7.0 and "7" are the same image."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError(f"the id {value!r} is neither a number nor text")
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def _name(value):
    if not isinstance(value, str) or not value.strip():
        raise TypeError(f"the name {value!r} of an image is no text")
    return value


def _karpathy(path, content, repairs):
    rows = []
    try:
        for image in json.loads(content)["images"]:
            # `restval` is the rest of COCO's validation images.
            split = "train" if image["split"] == "restval" else metadata.split_name(image["split"])
            if split is None:
                raise ValueError(f"the split {image['split']!r} is none of train, restval, val and test")
            name = _name(image["filename"])
            rows.append(Annotation(name, split=split))
            for sentence in image["sentences"]:
                rows += _row(name, sentence["raw"], repairs)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"{path} is no caption file of Karpathy & Li ({error!r}): it has `images` with `filename`, `split` and "
            "`sentences`, each with its text in `raw`."
        ) from None
    return rows


def _tokens(path, content, repairs):
    rows = []
    for number, line in enumerate(content.split("\n"), 1):
        if not line.strip():
            continue
        name, tab, caption = line.partition("\t")
        if not tab:
            raise ValueError(f"{path}, line {number}: give `name.jpg#k`, a tab and the caption, got {line[:80]!r}.")
        rows += _row(name.strip().rpartition("#")[0] or name.strip(), caption, repairs)
    return rows


def _row(name, caption, repairs):
    text = cleaned(caption, repairs)
    return [Annotation(name, {CAPTION: (text,)})] if text else [Annotation(name)]
