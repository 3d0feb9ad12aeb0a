"""What a table needs before its runs begin."""

import json

import numpy as np

from tfvae.evaluation import image_classifier
from tfvae.reproduction import preparations
from tfvae.reproduction.reproduce import reproduce
from tfvae.reproduction.tables import TABLES, Entry, Table


def test_topics_are_found_once_and_given_to_every_row(tmp_path, rng):
    counts = rng.poisson(0.8, [60, 9])
    counts[:, 0] += 1
    rows, columns = np.nonzero(counts)
    np.savez(
        tmp_path / "bow.npz", train_data=counts[rows, columns], train_indices=columns,
        train_indptr=np.concatenate([[0], np.cumsum((counts > 0).sum(axis=1))]), vocab=np.array(list("abcdefghi")),
    )  # fmt: skip
    table = TABLES["stein-factors"]
    small = {"data.num_validation": 6, "data.unlabelled_batch": 8}
    table = table.__class__(**{
        **vars(table), "entries": tuple(type(e)(**{**vars(e), "overrides": small}) for e in table.entries),
        "evaluation": {"iw_samples": 0, "rows_limit": 3}, "drawing": "",
    })  # fmt: skip
    prepared = preparations.gibbs_topics(table, "tiny", tmp_path / "runs", str(tmp_path))
    path = tmp_path / "runs" / "tiny" / "topics.npy"
    written = path.stat().st_mtime_ns
    assert np.load(path).shape == (4, 9)
    assert all(entry.overrides["model.network.loadings"] == str(path) for entry in prepared.entries)
    result = reproduce("factors", table, "tiny", tmp_path / "runs", tmp_path, num_draws=1, data_dir=str(tmp_path))
    assert path.stat().st_mtime_ns == written
    assert str(tmp_path) not in json.dumps(result)
    assert all(0 <= run["test"]["posterior_distance"] <= 1 for run in result["runs"])


def test_a_judge_learns_once_and_every_row_is_judged_by_it(tmp_path):
    table = Table("digits", "", (Entry("AS-VAE", "asvae_digits"),), (), {"iw_samples": 0})
    judged = preparations.judge(table, "tiny", tmp_path, "")
    path = tmp_path / "tiny" / "judge.keras"
    written = path.stat().st_mtime_ns
    assert judged.evaluation == {"iw_samples": 0, "classifier": str(path)}
    assert preparations.judge(table, "tiny", tmp_path, "") == judged and path.stat().st_mtime_ns == written
    probs, features = image_classifier.named(str(path)).judged(np.zeros([2, 8, 8, 1], np.float32))
    assert probs.shape == (2, 10) and features.shape == (2, 128)
