"""Checkpoints of older versions, and the lines of metrics.jsonl."""

import types

import numpy as np
import pytest

from tfvae.models.players import Player
from tfvae.storage.metrics_log import MetricsLog
from tfvae.training import state


def variable(path):
    return types.SimpleNamespace(path=path, shape=(), dtype="float32")


def test_a_checkpoint_of_one_adam_is_divided_among_players():
    """M1 had 30 steps when M2 began, 12 rounds ago; a critic takes five a round."""
    moments = {f"adam/{of}_kernel_{which}": np.array(i) for i, (of, which) in enumerate(
        [("m1", "momentum"), ("m1", "velocity"), ("m2", "momentum"), ("m2", "velocity")]
    )}  # fmt: skip
    adam = {"adam/iteration": np.int32(42), "adam/learning_rate": np.array(0.1), **moments}
    players = {
        "m1": Player(None, [variable("m1/kernel")], ends=30),
        "m2": Player(None, [variable("m2/kernel")], begins=30),
        "critic": Player(None, [], steps=5),
    }
    metrics = {"loss/total": variable("loss/total"), "loss_m1/total": variable("loss_m1/total")}
    values = {"model": {}, "optimiser": adam, "metrics": {"loss/total": np.array(7.0)}}
    found = state._with_a_clock(values, players, metrics)
    assert int(found["clock"]["step"]) == 42
    of = found["optimiser"]
    assert [int(of[f"{name}/adam/iteration"]) for name in players] == [30, 12, 210]
    assert of["m2/adam/m2_kernel_velocity"] == 3 and "m2/adam/m1_kernel_velocity" not in of
    assert all(of[f"{name}/adam/learning_rate"] == 0.1 for name in players)
    assert {path: float(value) for path, value in found["metrics"].items()} == {"loss/total": 7.0, "loss_m1/total": 0.0}


def test_a_checkpoint_of_one_player_keeps_its_names():
    adam = {"adam/iteration": np.int32(42), "adam/net_kernel_momentum": np.array(1.0)}
    found = state._with_a_clock({"optimiser": adam}, {"model": Player(None, [variable("net/kernel")])}, {})
    assert found["optimiser"] == adam and int(found["clock"]["step"]) == 42


def test_a_half_line_of_an_older_version_is_dropped(tmp_path):
    log = MetricsLog(tmp_path / "metrics.jsonl")
    log.path.write_text('{"epoch": 1, "loss": 2.0}\n{"epoch": 2, "lo')
    assert log.lines() == [{"epoch": 1, "loss": 2.0}]
    log.append({"epoch": 2, "loss": 1.0})
    assert [line["epoch"] for line in log.lines()] == [1, 2]


def test_truncation_keeps_the_epochs_of_the_checkpoint(tmp_path):
    log = MetricsLog(tmp_path / "metrics.jsonl")
    for epoch in (1, 2, 3):
        log.append({"epoch": epoch})
    assert log.truncate(2) == [{"epoch": 1}, {"epoch": 2}] == log.lines()
    with pytest.raises(ValueError, match=r"lacks lines of the 3 epochs"):
        log.truncate(3)
