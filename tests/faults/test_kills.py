"""Faults 54 to 56: every writer is killed before operations on files of every kind it has, and started again.

In a process of its own, whose children begin warm; `python -m tools.kills.everywhere` kills before all operations.
"""

import json
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """Writer -> [(operations, kills, those that ended as undisturbed, kinds)], and what went wrong."""
    path = tmp_path_factory.mktemp("kills") / "kills.json"
    command = [sys.executable, "-m", "tools.kills.everywhere", "--sample", f"--output={path}"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=600)
    assert path.exists(), ran.stderr[-3000:]
    return json.loads(path.read_text())


WRITERS = {
    "54 kill of an ingest": ("tfvae-ingest", "tfvae-ingest --overwrite"),
    "54 kill of a resumed ingest": ("pipelines.ingest", "pipelines.ingest --overwrite", "pipelines: shards"),
    "55 kill of predict": ("tfvae-predict, jsonl", "tfvae-predict, tfrecord"),
    "56 kill of a training": ("tfvae-train", "tfvae-train, more epochs", "tfvae-evaluate"),
    "56 kill of an export": ("tfvae-export", "push"),
}


@pytest.mark.parametrize("fault", WRITERS)
def test_what_was_killed_ends_as_undisturbed_and_leaves_nothing(killed, survives, fault):
    rows = {row[0]: row for row in killed["table"]["rows"]}
    with survives(fault):
        for writer in WRITERS[fault]:
            assert writer not in killed["failures"], "\n".join(killed["failures"][writer])
            assert int(rows[writer][2]) >= 8 and rows[writer][2] == rows[writer][3]


def test_every_kind_of_operation_is_killed_before(killed):
    kinds = {kind.split()[1] for row in killed["table"]["rows"] for kind in row[4].split(", ")}
    assert kinds == {"open", "write", "close", "fsync", "rename", "unlink", "mkdir", "rmdir"}
