"""Two replicas on two logical CPUs take the steps of one device."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

PROGRAM = Path(__file__).with_name("two_replicas.py")


@pytest.fixture(scope="module")
def replicas(tmp_path_factory):
    questions = ["clipped", "scaled", "overflow", "resumed", "maps", "particles", "switches", "players", "chained"]
    command = [sys.executable, str(PROGRAM), str(tmp_path_factory.mktemp("replicas")), *questions]
    environment = {**os.environ, "PYTHONPATH": str(PROGRAM.parents[2])}
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, check=False)
    assert ran.returncode == 0, ran.stderr[-3000:]
    return json.loads(ran.stdout.splitlines()[-1])


@pytest.mark.parametrize("chosen", ["clipped", "scaled"])
def test_two_replicas_clip_and_scale_as_one_device(replicas, chosen):
    """Keras clips each replica's share of the gradients by itself."""
    one, two = replicas[chosen]
    assert two == pytest.approx(one, rel=1e-5)
    assert one != pytest.approx([1.0, 1.0, 1.0], abs=0.05)


def test_an_overflow_on_any_replica_skips_the_step_on_all(replicas):
    assert replicas["overflow"] == [1.0, 1.0, 1.0]


def test_a_mirrored_run_resumes_bit_for_bit(replicas):
    assert all(replicas["resumed"]["same"]) and len(replicas["resumed"]["same"]) > 10
    assert replicas["resumed"]["steps"] == [22, 22]


def test_running_statistics_of_maps_and_captions_are_the_mean_over_replicas(replicas):
    """What replicas assign by themselves is one variable: probabilities still add up, and it has moved."""
    kept = replicas["maps"]
    usual = [np.array(value) for path, value in kept.items() if "usual" in path]
    assert len(usual) == 2 and len(kept) == 4
    for probs in usual:
        np.testing.assert_allclose(probs.sum(axis=-1), 1.0, rtol=1e-5)
        assert np.ptp(probs) > 0
    assert all(np.isfinite(value).all() and np.all(np.array(value) != 0) for value in kept.values())


def test_shares_of_steins_direction_add_up(replicas):
    """It is linear in a batch's gradient, and its repulsion is there once (eq. 4.11)."""
    np.testing.assert_allclose(replicas["particles"]["1"], replicas["particles"]["2"], rtol=1e-4, atol=1e-6)


def test_players_on_two_replicas_step_as_on_one_device(replicas):
    """Each clips its own gradients, and one that begins later begins on both."""
    for one, two in replicas["players"]:
        assert two == pytest.approx(one, rel=1e-5)
        assert one[:3] != pytest.approx([1.0, 1.0, 1.0], abs=0.05) and one[3:] != pytest.approx(
            [1.0, 1.0, 1.0], abs=0.01
        )


def test_a_chain_on_two_devices_is_refused(replicas):
    assert replicas["chained"].startswith("A chain runs on one device")


def test_switches_are_counted_over_all_replicas(replicas):
    """Of the same rows with the same statistics, the running frequencies are those of one device."""
    for one, two in zip(replicas["switches"]["1"], replicas["switches"]["2"], strict=True):
        # A unit at its threshold may be on for half a batch and off for all of it: batches of another size are summed
        # in another order. One image more or less is 0.00125.
        np.testing.assert_allclose(one, two, atol=0.003)
        assert np.mean(np.abs(np.subtract(one, two))) < 1e-4
