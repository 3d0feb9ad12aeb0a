"""What the tables of a folder say of its files."""

import collections
import itertools
import os

from tfvae import batch as batches
from tfvae.data import annotations, metadata
from tfvae.data.folder.found import Reject


def read_tables(root, tables, files, rejects):
    """{file: Annotation} of all metadata files; rows that name no file of the folder are rejected.

    What a table says stands against those after it: metadata, then Karpathy's splits, then other files of captions.
    """
    known, rows, repairs = set(files), {}, collections.Counter()
    named = _by_name(files)
    for table in sorted(tables, key=lambda table: annotations.rank(os.path.basename(table))):
        loose = annotations.is_annotation(os.path.basename(table))
        found, repaired = (annotations if loose else metadata).read(root / table)
        repairs.update(repaired)
        if not found:
            rejects.append(Reject(table, "a table without rows"))
        of_table, missing, several, used = {}, [], [], 0
        for row in found:
            paths = {name: _path(root, table, file, known, named, loose) for name, file in row.further.items()}
            file = _path(root, table, row.file_name, known, named, loose)
            outside = [path for path in (file, *paths.values()) if _leads_out(path)]
            if outside and not loose:
                rejects.append(Reject(row.file_name, f"{table} names a file outside of the folder"))
                continue
            lacking = [path for path in dict.fromkeys((file, *paths.values())) if path not in known]
            several += [path for path in lacking if loose and os.path.basename(path) in named]
            missing += [path for path in lacking if not (loose and os.path.basename(path) in named)]
            there = {name: path for name, path in paths.items() if path in known}
            # What is said of an example whose first image is missing holds for its other one.
            file = file if file in known else next(iter(there.values()), None)
            if file is not None:
                used += 1
                _add_row(of_table if loose else rows, file, row._replace(further=there), rejects)
        if missing and not used and not loose:
            raise ValueError(
                f"{table}: none of its {len(found)} rows names a file of the folder, such as {missing[0]}. Names are "
                "relative to the table's own folder."
            )
        for file, row in of_table.items():
            _add_row(rows, file, _but_for(row, rows.get(file), repairs), rejects)
        rejects += _missing(table, list(dict.fromkeys(missing)), each=not loose)
        rejects += _ambiguous(table, list(dict.fromkeys(several)))
    return rows, repairs


def _path(root, table, name, known, named, loose):
    """The path below the root of a file that a table names.

    Tables of metadata name it by its path from the table. Files of captions were made where the images lay elsewhere:
    they mean the one file that shares most of the end of its path with the name, and none where several do.
    """
    name = name.replace("\\", "/")
    place = os.path.relpath(name, root) if name.startswith(f"{root}/") else os.path.join(os.path.dirname(table), name)
    file = os.path.normpath(place).replace(os.sep, "/")
    if file in known or not loose:
        return file
    shared = [(_shared_end(other, name), other) for other in named.get(os.path.basename(name), ())]
    most = max(shared, default=(0, ""))[0]
    best = [other for num, other in shared if num == most]
    return best[0] if len(best) == 1 else file


def _shared_end(file, name):
    """How many of the last parts of two paths are the same."""
    pairs = zip(reversed(file.split("/")), reversed(name.split("/")), strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def _but_for(row, before, repairs):
    """A row of a file of captions without what tables before it say already, or say otherwise."""
    if before is None:
        return row
    if None not in (row.split, before.split) and row.split != before.split:
        repairs["split that two tables give otherwise, that of the first is kept"] += 1
        row = row._replace(split=None)
    said = before.values.get(batches.CAPTION, ())
    captions = tuple(text for text in row.values.get(batches.CAPTION, ()) if text not in said)
    again = len(row.values.get(batches.CAPTION, ())) - len(captions)
    if again:
        repairs["caption that several files give, taken once"] += again
    return row._replace(values=without(row.values, batches.CAPTION) | ({batches.CAPTION: captions} if captions else {}))


def _leads_out(path):
    return os.path.isabs(path) or path == ".." or path.startswith("../")


def _by_name(files):
    """{base name: files}."""
    named = collections.defaultdict(list)
    for file in files:
        named[os.path.basename(file)].append(file)
    return dict(named)


def _ambiguous(table, files):
    """At most one reject for all names that several files have."""
    if not files:
        return []
    what = f"names {len(files)} images by a name that several files of the folder have, such as {files[0]}"
    return [Reject(table, f"{what}: give more of their paths")]


def _missing(table, files, each):
    """Rejects of files that a table names and the folder lacks: one for each, or one for all of them."""
    if each or not files:
        return [Reject(file, f"{table} names it, but the folder has no such file") for file in files]
    return [Reject(table, f"names {len(files)} images that the folder does not have, such as {files[0]}")]


def _add_row(rows, file, row, rejects):
    try:
        rows[file] = rows[file].merge(row) if file in rows else row
    except ValueError as error:
        rejects.append(Reject(file, f"a metadata row is left out: {error}"))


def without(values, name):
    return {other: value for other, value in values.items() if other != name}
