"""Word counts from the files that collections come in."""

import gzip

import numpy as np
import pytest
import scipy.sparse

from tfvae.data import load
from tfvae.data.sources import bag_of_words
from tfvae.data.transforms import Config as TransformConfig


@pytest.fixture
def counts(rng):
    return rng.poisson(0.6, [40, 7]).astype(np.float32)


def sparse(prefix, dense):
    rows = scipy.sparse.csr_matrix(dense)
    small = rows.indices.astype(np.uint16), rows.indptr.astype(np.uint32)
    return {f"{prefix}_data": rows.data, f"{prefix}_indices": small[0], f"{prefix}_indptr": small[1]}


def npz(folder, train, test, **more):
    entries = {"vocab": np.array([f"word{i}" for i in range(train.shape[1])]), **sparse("train", train)}
    entries |= sparse("test", test) if test is not None else {}
    np.savez(folder / "bow.npz", **{**entries, **more})


def uci(folder, dense, header=None, zipped=False):
    rows, columns = np.nonzero(dense)
    lines = header or [dense.shape[0], dense.shape[1], len(rows)]
    lines = [*map(str, lines), *(f"{r + 1} {c + 1} {int(dense[r, c])}" for r, c in zip(rows, columns))]
    text = "\n".join(lines) + "\n"
    if zipped:
        (folder / "docword.nyt.txt.gz").write_bytes(gzip.compress(text.encode()))
    else:
        (folder / "docword.nyt.txt").write_text(text)
    (folder / "vocab.nyt.txt").write_text("\n".join(f"word{i}" for i in range(dense.shape[1])))


def config(folder, **fields):
    return load.Config(source="bag_of_words", path=str(folder), **fields)


def test_compressed_rows_are_read_with_their_labels(tmp_path, counts):
    labels = {"train_labels": np.arange(30) % 2, "test_labels": np.arange(10) % 2, "classes": np.array(["a", "b"])}
    npz(tmp_path, counts[:30], counts[30:], **labels)
    source = bag_of_words.load(config(tmp_path))
    np.testing.assert_array_equal(source.train.image, counts[:30])
    np.testing.assert_array_equal(source.test.image, counts[30:])
    np.testing.assert_array_equal(source.train.label, labels["train_labels"])
    assert source.class_names == ("a", "b")


@pytest.mark.parametrize("zipped", [False, True])
def test_the_uci_format_is_read_and_gives_up_a_tenth_for_a_test(tmp_path, counts, zipped):
    uci(tmp_path, counts, zipped=zipped)
    source = bag_of_words.load(config(tmp_path))
    assert len(source.test) == 4
    together = np.concatenate([source.train.image, source.test.image])
    np.testing.assert_array_equal(np.sort(together, axis=0), np.sort(counts, axis=0))
    again = bag_of_words.load(config(tmp_path))
    np.testing.assert_array_equal(again.test.image, source.test.image)


def test_the_words_of_most_documents_are_kept(tmp_path, counts):
    npz(tmp_path, counts[:30], counts[30:])
    source = bag_of_words.load(config(tmp_path, max_words=3))
    most = np.sort(np.argsort(-(counts[:30] > 0).sum(axis=0), kind="stable")[:3])
    np.testing.assert_array_equal(source.test.image, counts[30:, most])


def test_counts_reach_a_model_as_they_are(tmp_path, counts):
    npz(tmp_path, counts[:30], counts[30:])
    made = config(
        tmp_path, num_validation=5, labelled_batch=0, unlabelled_batch=4, transform=TransformConfig(scale="raw")
    )
    data = load.load(made)
    batch = next(iter(data.training_batches(0)))["unlabelled"]["image"].numpy()
    assert batch.shape == (4, 7)
    assert all((row == counts[:30]).all(axis=1).any() for row in batch)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda folder, counts: None, "neither an .npz"),
        (lambda folder, counts: np.savez(folder / "a.npz", train_data=[1]), "has no"),
        (lambda folder, counts: npz(folder, counts, None, test_data=[1]), "has no"),
        (lambda folder, counts: (folder / "a.npz").write_bytes(b"PK\x03\x04 cut off"), "is not an .npz"),
        (lambda folder, counts: npz(folder, counts - 0.5, None), "whole and not negative"),
        (lambda folder, counts: npz(folder, counts, None, vocab=np.array(["one"])), "its vocabulary has 1"),
        (lambda folder, counts: npz(folder, counts, None, train_labels=np.zeros(3)), "documents and 3 labels"),
        (lambda folder, counts: uci(folder, counts, header=[40, 7, 3]), "promises 3 entries"),
        (lambda folder, counts: uci(folder, counts, header=[40, 9, int((counts > 0).sum())]), "of 9 words"),
        (lambda folder, counts: uci(folder, counts, header=["forty", 7, 3]), "is no docword file"),
        (lambda folder, counts: uci(folder, counts, header=[3, 7, int((counts > 0).sum())]), "numbers its documents"),
    ],
)
def test_damaged_collections_are_refused(tmp_path, counts, make, told):
    make(tmp_path, counts)
    with pytest.raises(ValueError, match=told):
        bag_of_words.load(config(tmp_path))


def test_a_missing_folder_and_too_many_words_are_refused(tmp_path, counts):
    with pytest.raises(ValueError, match="must be a folder"):
        bag_of_words.load(config(tmp_path / "no"))
    npz(tmp_path, counts, None)
    with pytest.raises(ValueError, match="max_words"):
        bag_of_words.load(config(tmp_path, max_memory_bytes=100))
