"""What of a folder may be meant otherwise than it is read: told in the summary, before anything is trained."""

import collections
import unicodedata
from pathlib import PurePosixPath

from tfvae.data import metadata
from tfvae.data.entries.label import NO_LABEL

# Of one kind of finding this many are spelt out.
_TOLD = 5


def findings(items, class_names, digests, of_folders):
    """Lines for people.

    Args:
        items: [`tfvae.data.folder.Item`].
        class_names: of their labels.
        digests: file -> hash of its content.
        of_folders: whether folders name classes.
    """
    told = [*_unlearnt(items, class_names), *_alike(class_names), *_duplicates(items, class_names, digests)]
    return tuple(told + (_nested(items, class_names) + _splits_as_classes(class_names) if of_folders else []))


def _unlearnt(items, class_names):
    """Classes that held-out rows ask for and no training row shows."""
    found = {split: collections.Counter() for split in ("train", "validation", "test")}
    for item in items:
        if item.label != NO_LABEL:
            found[item.split][class_names[item.label]] += 1
    lines = []
    for name in class_names:
        held_out = {split: num[name] for split, num in found.items() if split != "train" and num[name]}
        if not found["train"][name] and held_out:
            where = ", ".join(f"{split}: {num}" for split, num in held_out.items())
            lines.append(f"the class {name!r} has no training row, only others ({where}): a model cannot answer it")
        elif found["train"][name] == 1:
            lines.append(f"the class {name!r} has one training row")
    return _cut(lines, "classes without training rows or with one")


def _alike(class_names):
    """Classes that differ by case, Unicode form, blanks or the spelling of a number."""
    groups = collections.defaultdict(list)
    for name in class_names:
        groups[_folded(name)].append(name)
    lines = [
        f"the classes {' and '.join(map(ascii, group))} differ by their spelling alone; are they one?"
        for group in groups.values()
        if len(group) > 1
    ]
    return _cut(lines, "groups of classes that differ by their spelling alone")


def _folded(name):
    folded = " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).split())
    return metadata.number(folded) if metadata.number(folded) is not None else folded


def _duplicates(items, class_names, digests):
    """The same file under several splits, or with several labels."""
    of_content = collections.defaultdict(list)
    for item in items:
        of_content[tuple(digests.get(file, file) for file in item.files.values())].append(item)
    across, labelled = [], []
    for same in of_content.values():
        files = " and ".join(item.file for item in same[:2])
        splits, labels = {item.split for item in same}, {item.label for item in same if item.label != NO_LABEL}
        if len(splits) > 1:
            across.append(f"{files} are the same image, in {' and '.join(sorted(splits))}")
        if len(labels) > 1:
            names = " and ".join(repr(class_names[label]) for label in sorted(labels))
            labelled.append(f"{files} are the same image, labelled {names}")
    return _cut(across, "images that are in several splits") + _cut(labelled, "images that have several labels")


def _nested(items, class_names):
    """Folders below a class that are read as that class."""
    below = collections.defaultdict(set)
    for item in items:
        folders = list(PurePosixPath(item.file).parts[:-1])
        if folders and metadata.split_name(folders[0]):
            folders = folders[1:]
        if len(folders) > 1 and item.label != NO_LABEL and class_names[item.label] == folders[0]:
            below[folders[0]].add(folders[1])
    lines = [
        f"the folders {', '.join(map(repr, sorted(names)[:_TOLD]))}{' and more' if len(names) > _TOLD else ''} in "
        f"{outer!r} are one class of its name"
        for outer, names in sorted(below.items())
    ]
    return _cut(lines, "classes have folders in them")


def _splits_as_classes(class_names):
    """Classes whose names are words for splits."""
    words = [name for name in class_names if any(metadata.split_name(word) for word in _words(name))]
    if not words:
        return []
    return [
        f"the classes {', '.join(map(repr, words[:_TOLD]))} look like splits: a split folder is called `train`, "
        "`validation` or `test` and lies at the top, with the classes in it"
    ]


def _words(name):
    return name.replace("-", "_").replace(" ", "_").split("_")


def _cut(lines, what):
    """All lines, or the first few and how many there are."""
    return lines if len(lines) <= _TOLD else [*lines[:_TOLD], f"{len(lines)} {what} in all"]


def check(items, path, of_folders):
    """Refuses a folder that would be read as one class.

    Raises:
        ValueError: where the splits lie in an outer folder.
    """
    folders = [PurePosixPath(item.file).parts[:-1] for item in items]
    outer, inner = {of[0] if of else "" for of in folders}, {of[1] if len(of) > 1 else "" for of in folders}
    if of_folders and len(outer) == 1 and all(map(metadata.split_name, inner)):
        [name] = outer
        raise ValueError(
            f"{path} holds one folder, {name!r}, with the splits {sorted(inner)} in it. Give {path}/{name} itself."
        )
