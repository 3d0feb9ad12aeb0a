"""The benchmarks' arithmetic on made timings, their scripts' usage, and the two ADGMs against each other."""

import importlib
import json
import math
import os
import pathlib
import subprocess
import sys
import types

import numpy as np
import pytest

FOLDER = pathlib.Path(__file__).parents[2] / "tools" / "benchmarks"
SCRIPTS = (
    "train_step",
    "input",
    "serve",
    "unpooling",
    "encode",
    "caption",
    "svgd",
    "cells",
    "pixelcnn_sampling",
    "multimodal_step",
    "gibbs_sweep",
)


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    """The scripts import their neighbours, as they do when they are run."""
    monkeypatch.syspath_prepend(str(FOLDER))
    names = {path.stem for path in FOLDER.glob("*.py")}
    yield
    for name in names & set(sys.modules):
        del sys.modules[name]


def module(name):
    return importlib.import_module(name)


class FakeWorker:
    """Seconds a call that drift as a machine's do: each slice is slower than the one before."""

    def __init__(self, seconds, foreign=()):
        self.seconds = seconds
        self.slowness = 1.0
        self.foreign = iter(foreign)
        self.prepared = []

    def prepare(self, key, case, arguments, slice_seconds):
        self.prepared.append((key, case, arguments, slice_seconds))

    def time(self, key):
        self.slowness *= 1.001
        return self.seconds[key] * self.slowness

    def usage(self):
        return types.SimpleNamespace(foreign_cores=lambda: next(self.foreign, 0.0))

    def versions(self):
        return {"fake": "1.0"}


def measured(worker, rounds):
    harness = module("harness")
    cases = [harness.Case(name, worker, "function", {"a": 1}, units=10) for name in worker.seconds]
    return harness.measure(cases, rounds, slice_seconds=0.1, report=lambda text: None)


def test_every_case_is_timed_once_a_round():
    worker = FakeWorker({"ours": 0.01, "theirs": 0.02})
    timings = measured(worker, rounds=5)
    assert {name: len(seconds) for name, seconds in timings.seconds.items()} == {"ours": 5, "theirs": 5}
    assert (timings.noisy, timings.repeats) == (0, 0)
    assert worker.prepared[0] == ("ours", "function", {"a": 1}, 0.1)


def test_a_noisy_slice_is_taken_again_and_counted_if_it_stays_noisy(monkeypatch):
    monkeypatch.setattr(module("harness"), "_PATIENCE", 0.0)
    mended = measured(FakeWorker({"ours": 0.01}, foreign=[0.5, 0.0]), rounds=1)
    assert (mended.noisy, mended.repeats) == (0, 1)
    noisy = measured(FakeWorker({"ours": 0.01}, foreign=[0.5] * 3), rounds=1)
    assert (noisy.noisy, noisy.repeats) == (1, 2)


def test_a_ratio_is_the_median_of_ratios_within_rounds():
    comparison = module("comparison")
    seconds = {"ours": [1.0, 10.0, 1.0], "theirs": [2.0, 20.0, 8.0]}  # The machine was ten times slower in round 2.
    result = comparison.compare(
        comparison.Comparison("name", "ours", "theirs", 1.5, 3), seconds, dict.fromkeys(seconds, 1)
    )
    assert (result.ratio, result.spread, result.reached) == (2.0, (2.0, 8.0), True)
    assert result.line() == "name 2 1.5/3"


def test_a_ratio_counts_units_not_calls():
    comparison = module("comparison")
    asked = comparison.Comparison("name", "ours", "theirs")
    result = comparison.compare(asked, {"ours": [1.0], "theirs": [1.0]}, {"ours": 200, "theirs": 100})
    assert (result.ratio, result.reached, result.line()) == (2.0, None, "name 2 -")


def test_a_share_is_a_part_of_time_and_its_goal_a_limit():
    comparison = module("comparison")
    asked = comparison.Comparison("share", "input", "step", 0.02, share=True)
    result = comparison.compare(asked, {"input": [0.3], "step": [10.0]}, {"input": 1, "step": 1})
    assert result.ratio == pytest.approx(0.03)
    assert not result.reached
    assert result.line() == "share 0.03 <=0.02"


def test_a_run_prints_a_line_for_each_comparison_and_writes_what_it_measured(tmp_path, capsys):
    benchmark, harness, comparison = module("benchmark"), module("harness"), module("comparison")
    worker = FakeWorker({"ours": 0.01, "theirs": 0.02, "left_out": 1.0})
    cases = [harness.Case(name, worker, "function", units=10) for name in worker.seconds]
    asked = [comparison.Comparison("won", "ours", "theirs", 1.5), comparison.Comparison("unasked", "left_out", "ours")]
    arguments = types.SimpleNamespace(
        rounds=3,
        slice_seconds=0.1,
        seed=0,
        only="ours|theirs",
        peer_python="/a/b",
        output=str(tmp_path / "new" / "a.json"),
    )
    benchmark.run("fake", arguments, cases, asked, "image", {"sha256": "0"})
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if len(line.split()) == 3][-1:] == ["won"]
    written = json.loads(pathlib.Path(arguments.output).read_text())
    assert written["ratios"][0]["ratio"] == pytest.approx(2.0, rel=0.01)
    assert len(written["ratios"]) == 1
    assert written["versions"] == {"fake": "1.0"}
    assert written["cases"]["ours"]["per_second"] == pytest.approx(1000, rel=0.01)
    assert "/a/b" not in written["command"]
    for recorded in ("machine", "load_before", "noisy_slices", "TF_ENABLE_ONEDNN_OPTS", "compute_seconds", "data"):
        assert recorded in written


def test_a_worker_answers_and_says_what_it_died_of(tmp_path, monkeypatch):
    harness = module("harness")
    script = tmp_path / "sleeper.py"
    script.write_text(
        f"import sys; sys.path.insert(0, {str(FOLDER)!r})\n"
        "import os, time, worker\n"
        "sleep = lambda seconds: worker.repeated(lambda: time.sleep(seconds))\n"
        "worker.serve({'sleep': sleep}, {'add': lambda a, b: a + b, 'die': lambda: os._exit(3)}, {'fake': '1'})\n"
    )
    monkeypatch.setattr(harness, "HERE", tmp_path)
    worker = harness.Worker("sleeper", sys.executable, script.name, tmp_path)
    try:
        assert worker.versions() == {"fake": "1"}
        assert worker.ask("add", a=1, b=2) == 3
        assert worker.prepare("case", "sleep", {"seconds": 0.005}, slice_seconds=0.05) == pytest.approx(10, abs=3)
        usage = worker.usage()
        assert 0.005 <= worker.time("case") < 0.05
        assert usage.foreign_cores() >= 0.0
        with pytest.raises(harness.WorkerError, match="unsupported operand"):
            worker.ask("add", a=1, b="2")
        with pytest.raises(harness.WorkerError, match="it ended"):
            worker.ask("die")
    finally:
        worker.close()


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_prints_its_usage(script):
    shown = subprocess.run(
        [sys.executable, FOLDER / f"{script}.py", "--help"], capture_output=True, text=True, check=True
    )
    assert "--peer_python" in shown.stdout
    assert "--output" in shown.stdout


def test_peers_that_are_not_installed_are_named_with_their_command():
    peers = module("peers")
    with pytest.raises(
        ValueError, match=r"cannot import no_such_module .*pip install torch==2\.13\.0 onnx onnxruntime"
    ):
        peers.check(sys.executable, ["no_such_module"])


def test_made_images_vary_in_as_many_pixels_as_those_of_mnist(tmp_path):
    from tfvae.data import load, transforms

    made_data = module("made_data")
    image = made_data.images(600)
    assert np.count_nonzero(image.reshape(600, -1).std(0) / 255 >= 0.1) == made_data.NUM_PIXELS
    transform = transforms.Config(noise="binarise", min_pixel_std=0.1)
    for storage in ("raw", "png"):
        with made_data.stored_as(storage):
            made_data.write_shards(tmp_path / storage, image, num_labelled=300, storage=storage)
            config = load.Config(source="shards", path=str(tmp_path / storage), transform=transform, max_memory_bytes=0)
            data = load.load(config)
            batch = next(iter(data.training_batches(seed=0)))
        assert batch["unlabelled"]["image"].shape == (100, made_data.NUM_PIXELS)
        assert data.num_streamed == 300


def test_pytorch_computes_the_loss_and_gradient_of_our_step(tmp_path):
    pytest.importorskip("torch", reason="PyTorch is a peer of the benchmarks only: pip install torch==2.13.0")
    made_data, ours, theirs = module("made_data"), module("train_step_tf"), module("train_step_torch")
    made_data.write_shards(tmp_path / "shards", made_data.images(600), num_labelled=300)
    step = ours.record_step(str(tmp_path / "shards"), str(tmp_path / "step.npz"))
    for classes in module("train_step").CLASSES:
        check = theirs.check(str(tmp_path / "step.npz"), classes)
        assert math.isclose(check["loss"], step["loss"], rel_tol=1e-3)
        assert math.isclose(check["gradient_norm"], step["gradient_norm"], rel_tol=1e-2)


def test_the_paused_fit_does_the_steps_it_is_asked_for(tmp_path):
    made_data, ours = module("made_data"), module("train_step_tf")
    made_data.write_shards(tmp_path / "shards", made_data.images(600), num_labelled=300)
    _, data, model = ours.adgm(str(tmp_path / "shards"))
    fit = ours.SlicedFit(model, data)
    for steps in (1, 6):  # Across the end of an epoch of 5 steps.
        before = int(model.step.numpy())
        fit.run(steps)
        assert int(model.step.numpy()) == before + steps
    assert data.steps_per_epoch == 5


@pytest.mark.skipif(os.name != "posix", reason="the preloaded library is for Linux")
def test_the_preloaded_library_answers_as_an_intel_processor(tmp_path):
    environment = module("peers").avx512_environment(tmp_path)
    if environment is None:
        pytest.skip("no C compiler `cc`, so the library cannot be built")
    asked = "import ctypes; print(ctypes.CDLL(None).mkl_serv_intel_cpu_true())"
    told = subprocess.run(
        [sys.executable, "-c", asked], env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "1"
