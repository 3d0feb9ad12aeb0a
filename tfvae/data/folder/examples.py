"""Which files make an example, and of which split it is."""

import collections
import hashlib
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from tfvae import batch as batches
from tfvae.data import entries, metadata
from tfvae.data.folder.found import UNPAIRED_FOLDER, Item, Reject
from tfvae.data.folder.tables import without

UNLABELLED_FOLDERS = ("unlabelled", "unlabeled")


def groups_of(files, rows, config):
    """[{modality: file}] of all usable files: those that tables or folders put together, and every other one alone.

    Raises:
        ValueError: for a file that belongs to two examples, and for a modality of the config that has no folder.
    """
    _check_modalities(files, config)
    groups = {}
    for file, row in rows.items():
        if row.further:
            first = {} if file in row.further.values() else {batches.IMAGE: file}
            groups[file] = first | row.further
    groups |= _of_modality_folders([file for file in files if file not in rows or not rows[file].further], config)
    taken = {}
    for group in groups.values():
        for file in group.values():
            if file in taken and taken[file] != set(group.values()):
                raise ValueError(
                    f"{file} belongs to two examples, {sorted(taken[file])} and {sorted(group.values())}: a pair names "
                    "two files, and a file one pair."
                )
            taken[file] = set(group.values())
    # A pair that both of its files name is one.
    whole = {tuple(sorted(group.values())): group for group in groups.values()}.values()
    usable = [{name: group[name] for name in sorted(group) if group[name] in files} for group in whole]
    alone = [{batches.IMAGE: file} for file in files if file not in taken]
    return sorted((group for group in [*usable, *alone] if group), key=lambda group: next(iter(group.values())))


def _check_modalities(files, config):
    found = {place.folder for place in (_place(file, config) for file in files) if place}
    lacking = [name for name in config.modalities if name not in found]
    if lacking:
        there = sorted({PurePosixPath(file).parts[0] for file in files if "/" in file})
        raise ValueError(
            f"`modalities` names {lacking[0]!r}, but no usable image lies in such a folder; there are "
            f"{there or 'no folders'}. Images of one example have the same name in the folders of all modalities."
        )


def _of_modality_folders(files, config):
    """{path without the modality's folder and the suffix: {modality: file}}, where there are several such folders."""
    found = collections.defaultdict(dict)
    for file in files:
        place = _place(file, config)
        if place:
            if place.modality in found[place.key]:
                raise ValueError(
                    f"{found[place.key][place.modality]} and {file} differ in their suffix alone: keep one of them."
                )
            found[place.key][place.modality] = file
    modalities = {modality for group in found.values() for modality in group}
    return found if batches.IMAGE in modalities and len(modalities) > 1 else {}


class _Place(NamedTuple):
    """Where a file lies among the folders of modalities.

    modality: its entry, `image` or `image_<name>`.
    folder:   the folder's own name.
    key:      what files of one example have in common.
    depth:    folders of the path up to the modality's, itself counted.
    """

    modality: str
    folder: str
    key: str
    depth: int


def _place(file, config):
    """`_Place` of a file in a folder of a modality, or None."""
    parts = PurePosixPath(file).with_suffix("").parts
    depth = 1 if len(parts) > 1 and metadata.split_name(parts[0]) else 0
    unpaired = len(parts) > depth + 1 and parts[depth] == UNPAIRED_FOLDER
    depth += unpaired
    modality = config.entry_of(parts[depth]) if len(parts) > depth + 1 else None
    if modality is None:
        return None
    # An unpaired image has its folder's name in its key, so that it meets no other.
    key = parts if unpaired else parts[:depth] + parts[depth + 1 :]
    return _Place(modality, parts[depth], "/".join(key), depth + 1)


def shapes_of(groups, looks, config):
    """{modality: (H, W, C)}, the first one first."""
    files = collections.defaultdict(list)
    for group in groups:
        for name, file in group.items():
            files[entries.named(name).name].append(file)
    if batches.IMAGE not in files:
        raise ValueError(f"Every example lacks its first image, there are only {sorted(files)}. Name one `image`.")
    of_modality = {name: {file: looks[file] for file in files[name]} for name in sorted(files)}
    return {
        name: (*_common_size(found, config, name if len(files) > 1 else ""), _channels(found, config))
        for name, found in of_modality.items()
    }


def _common_size(looks, config, name=""):
    if config.image_size:
        return config.image_size, config.image_size
    sizes = collections.Counter(look.size for look in looks.values())
    if len(sizes) > 1:
        listed = ", ".join(f"{width} x {height} ({num} images)" for (height, width), num in sizes.most_common(5))
        more = f" and {len(sizes) - 5} more" if len(sizes) > 5 else ""
        smallest = min(min(size) for size in sizes)
        raise ValueError(
            f"The images{f' of `{name}`' if name else ''} have {len(sizes)} sizes: {listed}{more}. Give one size for "
            f"all, for example `--image_size={smallest}` to ingest, or `--config.data.image_size={smallest}` to train "
            f"on the folder{'; or are some files of two modalities in the place of each other?' if name else '.'}"
        )
    return next(iter(sizes))


def _channels(looks, config):
    if config.color_mode == "auto":
        return 1 if all(look.gray for look in looks.values()) else 3
    return 1 if config.color_mode == "gray" else 3


def items_of(groups, rows, config, rejects, name_classes):
    """(items with a split for each, names of their entries' numbers or places)."""
    modalities = {name for group in groups for name in group}
    in_folders = len(modalities) > 1 and bool(
        _of_modality_folders([f for group in groups for f in group.values()], config)
    )
    # Where metadata gives labels, an image's own row decides, and an empty label is none; folders name the others.
    of_table = any(batches.LABEL in row.values for row in rows.values())
    drafts = []
    for group in groups:
        file = next(iter(group.values()))
        split, label = _of_folders(file, config, in_folders)
        row = _annotation_of(group, rows, rejects)
        values = dict(row.values) if row else {}
        if not (of_table and row) and label is not None and name_classes:
            values.setdefault(batches.LABEL, label)
        drafts.append(_Draft(group, values, row.split if row and row.split else split))
    drafts = _without_a_class_of_all(drafts, of_table)
    has_labels = any(batches.LABEL in draft.values for draft in drafts)
    drafts = [draft for draft in drafts if _can_be_held_out(draft, modalities, has_labels, rejects)]
    splits = _draw_splits(drafts, modalities, has_labels, config)
    stored, names = _stored([draft.values for draft in drafts])
    return [Item(draft.files, splits[draft.file], of) for draft, of in zip(drafts, stored, strict=True)], names


class _Draft(NamedTuple):
    """An example on its way to an `Item`: values as they are annotated, the split as the user gives it."""

    files: dict[str, str]
    values: dict[str, Any]
    split: str | None

    @property
    def file(self):
        return next(iter(self.files.values()))

    def is_judged(self, modalities):
        """Whether a model can be judged by it: it has all of several images, or an entry that is judged."""
        if len(modalities) > 1:
            return len(self.files) == len(modalities)
        return any(entries.named(name).judged for name in self.values)


def _annotation_of(group, rows, rejects):
    """The annotation of an example, from whichever of its files the tables name; None where they name none of them."""
    found = [rows[file] for file in group.values() if file in rows]
    merged = found[0] if found else None
    for other in found[1:]:
        try:
            merged = merged._replace(further={}).merge(other._replace(further={}))
        except ValueError as error:
            rejects.append(Reject(next(iter(group.values())), f"a metadata row is left out: {error}"))
    return merged


def _without_a_class_of_all(drafts, of_table):
    """One folder for all images of a set with captions, such as `images/`, is no class."""
    names = {draft.values[batches.LABEL] for draft in drafts if batches.LABEL in draft.values}
    if len(names) != 1 or of_table or not any(batches.CAPTION in draft.values for draft in drafts):
        return drafts
    return [draft._replace(values=without(draft.values, batches.LABEL)) for draft in drafts]


def _can_be_held_out(draft, modalities, has_labels, rejects):
    """Whether an example may keep its split; those that a model cannot be judged by are for training alone."""
    if draft.split in (None, "train") or draft.is_judged(modalities):
        return True
    if len(modalities) > 1:
        rejects.append(Reject(draft.file, f"of the split {draft.split!r}, but without its other image"))
        return False
    if has_labels:
        rejects.append(
            Reject(draft.file, f"of the split {draft.split!r}, but without a label or caption to compare with")
        )
    return not has_labels


def _stored(values):
    """(values as they are stored, names) of all examples."""
    stored, names = [dict(of) for of in values], {batches.LABEL: ()}
    for name in dict.fromkeys(name for of in values for name in of):
        numbered, of_entry = entries.named(name).numbered([of.get(name) for of in values])
        if of_entry:
            names[name] = of_entry
        for of, value in zip(stored, numbered, strict=True):
            if value is not None:
                of[name] = value
    return stored, names


def _of_folders(file, config, in_modalities=False):
    """(split, label) that the folders of a file say, None for what they do not."""
    folders = PurePosixPath(file).parts[:-1]
    split, place = metadata.split_name(folders[0]) if folders else None, _place(file, config)
    folders = folders[place.depth :] if in_modalities and place else folders[1 if split else 0 :]
    label = folders[0] if folders and folders[0].lower() not in UNLABELLED_FOLDERS else None
    return split, label


def _draw_splits(drafts, modalities, has_labels, config):
    """{file: split}. A draw takes the same share of every class, by a hash of the name, and leaves alone what a model
    cannot be judged by. Images with captions and no label are a class of their own.
    """
    splits = {draft.file: draft.split or "train" for draft in drafts}
    given = {draft.split for draft in drafts}
    shares = {
        "test": 0.0 if "test" in given else config.test_fraction,
        "validation": 0.0 if "validation" in given else config.validation_fraction,
    }
    several = len(modalities) > 1
    pools = collections.defaultdict(list)
    for draft in drafts:
        if draft.split is None and (draft.is_judged(modalities) or not (has_labels or several)):
            pools[draft.values.get(batches.LABEL)].append(draft.file)
    for pool in pools.values():
        pool.sort(key=lambda file: order_key(config.seed, file))
        start = 0
        for split, share in shares.items():
            # Even a small class is asked about, as long as one of its images is left to train on.
            num = max(round(share * len(pool)), 1) if share and len(pool) - start > 1 and len(pool) > 2 else 0
            splits.update(dict.fromkeys(pool[start : start + num], split))
            start += num
    return splits


def order_key(seed, file):
    """A number that puts files into an arbitrary order, the same on every machine."""
    return hashlib.sha256(f"{seed}/{file}".encode("utf-8", "surrogateescape")).digest()
