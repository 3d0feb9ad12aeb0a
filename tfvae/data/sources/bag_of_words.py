"""Documents as counts of words, from the files that such collections come in.

A folder (`config.path`) holds either of

    *.npz                      train_data, train_indices, train_indptr (compressed sparse rows [N, P]), the same of
                               `test_`, `vocab` [P]; and of labelled ones `train_labels`, `test_labels`, `classes`
    docword.*.txt[.gz] and     the UCI format: three lines with the numbers of documents, words and entries, then lines
    vocab.*.txt                "document word count", both numbered from 1; one word a line
"""

import glob
import gzip
import os
import zlib

import numpy as np

from tfvae.data.entries.label import NO_LABEL
from tfvae.data.examples import Examples, Source
from tfvae.storage import numpy_files

# Of a collection without a test set; Pu 2017, section 4.5.2.
_MOST_TEST, _TEST_SHARE = 10_000, 0.1


def load(config):
    """Counts as float32 rows [N, P].

    With `config.max_words` only the words of most training documents are kept. A collection without a test set gives up
    10,000 documents for one, or a tenth of them where that is less, always the same ones.

    Raises:
        ValueError: for a folder without such files, files that do not hold what they should, and counts that do not fit
            into `config.max_memory_bytes`.
    """
    path, read = _found(config.path)
    train, test, words, classes = read(path)
    _check(path, (train, test), words, len(classes))
    kept = _frequent(train, len(words), config.max_words)
    needed = 4 * len(kept) * (len(train.label) + len(test.label) if test else len(train.label))
    if needed > config.max_memory_bytes:
        raise ValueError(
            f"{path} takes {needed / 2**30:.1f} GiB as rows of {len(kept)} counts, `data.max_memory_bytes` allows "
            f"{config.max_memory_bytes / 2**30:.1f}. Set `data.max_words` to fewer words, or allow more."
        )
    train = Examples(train.dense(kept), train.label)
    kept_words = tuple(words[i] for i in kept)
    if test:
        return Source(train, Examples(test.dense(kept), test.label), classes, words=kept_words)
    order = np.random.default_rng(0).permutation(len(train))
    num_test = min(_MOST_TEST, int(_TEST_SHARE * len(train)))
    rest, given_up = (train.take(np.sort(part)) for part in (order[num_test:], order[:num_test]))
    return Source(rest, given_up, classes, words=kept_words)


class _Sparse:
    """Compressed sparse rows and their labels.

    Args:
        data, indices: of all entries, row after row.
        indptr: [N + 1], where the rows begin.
        label: int64 [N].
    """

    def __init__(self, data, indices, indptr, label=None):
        self.data = np.asarray(data)
        # Stored in few bits, unsigned as often as not.
        self.indices, self.indptr = (np.asarray(array, np.int64) for array in (indices, indptr))
        rows = len(self.indptr) - 1
        self.label = np.full(rows, NO_LABEL) if label is None else np.asarray(label, np.int64)

    def dense(self, words):
        """float32 [N, len(words)]."""
        column = np.full(max(int(self.indices.max(initial=-1)), int(words.max())) + 1, -1)
        column[words] = np.arange(len(words))
        counts = np.zeros([len(self.label), len(words)], np.float32)
        rows, columns = np.repeat(np.arange(len(self.label)), np.diff(self.indptr)), column[self.indices]
        is_kept = columns >= 0
        np.add.at(counts, (rows[is_kept], columns[is_kept]), self.data[is_kept])
        return counts


def _found(folder):
    """The file of counts in a folder and its reader."""
    if not folder or not os.path.isdir(folder):
        raise ValueError(f"`data.path` must be a folder with word counts, got {folder!r}.")
    for pattern, read in (("*.npz", _npz), ("docword.*.txt", _uci), ("docword.*.txt.gz", _uci)):
        found = sorted(glob.glob(os.path.join(folder, pattern)))
        if len(found) > 1:
            raise ValueError(f"{folder} holds several collections, {[os.path.basename(f) for f in found]}: keep one.")
        if found:
            return found[0], read
    raise ValueError(f"{folder} has neither an .npz of word counts nor a docword.*.txt[.gz].")


def _npz(path):
    stored = numpy_files.read_archive(path)
    roles = ["train", *(["test"] if "test_data" in stored else [])]
    missing = {f"{role}_{name}" for role in roles for name in ("data", "indices", "indptr")} | {"vocab"}
    missing -= set(stored)
    if missing:
        raise ValueError(f"{path} has no {sorted(missing)}; it has {sorted(stored)}.")

    def rows(role):
        arrays = [stored[f"{role}_{name}"] for name in ("data", "indices", "indptr")]
        return _Sparse(*arrays, stored.get(f"{role}_labels"))

    classes = tuple(str(name) for name in stored.get("classes", ()))
    test = rows("test") if "test" in roles else None
    return rows("train"), test, [str(word) for word in np.atleast_1d(stored["vocab"])], classes


def _uci(path):
    folder, name = os.path.split(path)
    vocabulary = os.path.join(folder, f"vocab.{name.split('.')[1]}.txt")
    if not os.path.exists(vocabulary):
        raise ValueError(f"{path} needs its words in {vocabulary}, which does not exist.")
    with open(vocabulary, encoding="utf-8") as lines:
        words = lines.read().split()
    with gzip.open(path, "rt") if path.endswith(".gz") else open(path, encoding="utf-8") as lines:
        try:
            documents, declared, entries = (int(lines.readline()) for _ in range(3))
            table = np.loadtxt(lines, np.int64, ndmin=2)
        except (ValueError, OSError, EOFError, zlib.error) as error:
            raise ValueError(
                f"{path} is no docword file (three numbers, then 'document word count'): {error}"
            ) from error
    if table.shape != (entries, 3) or declared != len(words):
        raise ValueError(
            f"{path} promises {entries} entries of {declared} words, it has {len(table)} and {vocabulary} {len(words)}."
        )
    if len(table) and (table[:, 0].min() < 1 or table[:, 0].max() > documents):
        raise ValueError(f"{path} numbers its documents 1 to {documents}, an entry is of {table[:, 0].max()}.")
    table = table[np.argsort(table[:, 0], kind="stable")]
    indptr = np.concatenate([[0], np.cumsum(np.bincount(table[:, 0] - 1, minlength=documents))])
    return _Sparse(table[:, 2], table[:, 1] - 1, indptr), None, words, ()


def _check(path, parts, words, num_classes):
    """Raises ValueError for entries that are no counts of these words."""
    for rows in filter(None, parts):
        if len(rows.data) != len(rows.indices) or rows.indptr[-1] != len(rows.data):
            raise ValueError(f"{path} is damaged: its sparse rows do not end where its entries do.")
        if len(rows.label) != len(rows.indptr) - 1:
            raise ValueError(f"{path} has {len(rows.indptr) - 1} documents and {len(rows.label)} labels.")
        if len(rows.indices) and (rows.indices.min() < 0 or rows.indices.max() >= len(words)):
            raise ValueError(f"{path} counts word number {rows.indices.max()}, its vocabulary has {len(words)}.")
        if (rows.data < 0).any() or (rows.data != np.round(rows.data)).any():
            raise ValueError(f"{path} holds {rows.data.min()} as a count; counts are whole and not negative.")


def _frequent(train, num_words, most):
    """The words of most training documents, at most `most`; all for 0: sorted indices."""
    if not most or most >= num_words:
        return np.arange(num_words)
    documents = np.bincount(train.indices[train.data > 0], minlength=num_words)
    return np.sort(np.argsort(-documents, kind="stable")[:most])
