"""Predictions for people: a table for spreadsheets, and a page of thumbnails by class and confidence."""

import collections
import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageOps

from tfvae.reports import pages, thumbnails
from tfvae.storage import atomic, checked_json

_PROBABLE = 0.5
TABLE, PAGE = "predictions.csv", "predictions.html"
_THUMBNAILS = 1000  # In all: a page of some megabytes, which a browser opens at once.


class Thumbnail(NamedTuple):
    """file: its name; confidence: None where the model does not classify; caption: maybe empty; image: JPEG."""

    file: str
    confidence: float | None
    caption: str
    image: bytes


class Group(NamedTuple):
    """The images of a predicted class, the surest first; `left_out` of them are not shown."""

    name: str
    thumbnails: list[Thumbnail]
    count: int
    left_out: int


def write(output, class_names=()):
    """Writes `predictions.csv` and, of a folder of images, `predictions.html` beside the parts of a finished job.

    Args:
        output: of `tfvae.serving.predictions.predict`, as JSONL.
        class_names: in the order of `probabilities`.

    Returns:
        [Path] of what was written.
    """
    output = Path(output)
    written = [output / TABLE]
    atomic.write_bytes(written[0], table(_answers(output), class_names).encode("utf-8", "backslashreplace"))
    source = Path(checked_json.read(output / "predictions.json")["source"])
    groups, unread = grouped(_answers(output), source)
    if groups:
        template = pages.environment(Path(__file__).parent).get_template("predictions.html.j2")
        page = template.render(title=f"Predictions for {source.name}", groups=groups, unread=unread)
        written.append(output / PAGE)
        atomic.write_bytes(written[1], page.encode("utf-8", "backslashreplace"))
    return written


def _answers(output) -> Iterator[dict]:
    for path in sorted(output.glob("part-*.jsonl")):
        with open(path, encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def table(answers, class_names):
    """CSV: a row for each file with its label, confidence, a column a class, its caption, what was wrong, and, where
    they are known, the confidence after temperature scaling and the p-value of an image that is not new, the tags
    that are there rather than not, the most probable first, and the number of the cluster.
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow([
        "file", "label", "confidence", *class_names, "caption", "error", "calibrated_confidence", "p_value", "tags",
        "cluster",
    ])  # fmt: skip
    for answer in answers:
        probs = answer.get("probabilities") or [""] * len(class_names)
        sure = max(probs, default="")
        words = answer.get("caption", ""), answer.get("error", "")
        surer = max(answer.get("calibrated_probabilities", ()), default=""), answer.get("p_value", "")
        further = "; ".join(probable_tags(answer)), answer.get("cluster", "")
        rows.writerow([answer["file"], answer.get("label", ""), sure, *probs, *words, *surer, *further])
    return text.getvalue()


def probable_tags(answer):
    """Tags that are there rather than not, the most probable first."""
    by_probability = sorted(zip(answer.get("tag_probabilities", ()), answer.get("tags", ())), reverse=True)
    return [tag for prob, tag in by_probability if prob >= _PROBABLE]


def grouped(answers, source):
    """([`Group`], unreadable files) of answers about the image files below `source`.

    Where there are too many images for a page, a class shows its surest and its least sure ones.
    """
    by_class, unread = collections.defaultdict(list), []
    for answer in answers:
        if "error" in answer:
            unread.append(answer["file"])
        else:
            sure = max(answer.get("probabilities") or answer.get("cluster_probabilities") or [0.0])
            said = answer.get("caption") or ", ".join(probable_tags(answer))
            by_class[_group(answer)].append((sure, answer["file"], said))
    limit = max(_THUMBNAILS // max(len(by_class), 1), 2)
    groups = []
    for name, found in sorted(by_class.items()):
        found.sort(key=lambda each: (-each[0], each[1]))
        some = found if len(found) <= limit else [*found[: limit - limit // 2], *found[-(limit // 2) :]]
        made = [(each, _thumbnail(source / each[1])) for each in some]
        shown = [Thumbnail(file, sure if name else None, said, image) for (sure, file, said), image in made if image]
        if shown:
            groups.append(Group(name, shown, len(found), len(found) - len(shown)))
    return groups, unread


def _group(answer):
    """The label of an image, or else its cluster."""
    return answer.get("label") or (f"cluster {answer['cluster']}" if "cluster" in answer else "")


def _thumbnail(path):
    """A small JPEG; None of what is not there, as in shards, or no longer."""
    try:
        with Image.open(path) as image:
            image.draft("RGB", (2 * thumbnails.SIDE, 2 * thumbnails.SIDE))
            small = ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    return thumbnails.of(small)
