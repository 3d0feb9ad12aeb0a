import json

import pytest

from tfvae.data import load
from tfvae.evaluation import label_draws
from tfvae.experiment import Experiment
from tfvae.models import vae
from tfvae.run.opening import Run
from tfvae.storage.metrics_log import MetricsLog, series


def test_a_line_that_was_cut_and_an_epoch_done_twice_do_no_harm(tmp_path):
    path = tmp_path / "metrics.jsonl"
    lines = [{"epoch": 1, "val_error": 0.5}, {"epoch": 2, "val_error": 0.4}, {"epoch": 2, "val_error": 0.3}]
    path.write_text("\n".join(map(json.dumps, lines)) + '\n{"epoch": 3, "val_er')
    assert series(MetricsLog(path).lines(), "error") == ([1, 2], [0.5, 0.3])
    assert MetricsLog(tmp_path / "missing.jsonl").lines() == []


def test_validation_comes_before_training():
    records = [{"epoch": 1, "bound": -90.0, "val_bound": -95.0}, {"epoch": 2, "bound": -80.0, "val_bound": None}]
    assert series(records, "bound") == ([1], [-95.0])
    assert series([{"epoch": 1, "bound": -90.0}], "bound") == ([1], [-90.0])
    assert series(records, "error") == ([], [])


def test_a_draw_changes_labels_and_noise_and_nothing_else():
    experiment = Experiment(vae.Config(latent_dim=3), load.Config(labels_per_class=7))
    drawn = label_draws.experiment_of(experiment, 2)
    assert (drawn.data.label_seed, drawn.training.seed) == (2, 2)
    assert (drawn.data.labels_per_class, drawn.model) == (7, experiment.model)
    assert (experiment.data.label_seed, experiment.training.seed) == (0, 0)


def test_spread_is_mean_and_sample_deviation_of_what_was_measured():
    results = [
        {"error": 0.1, "iw_bound": -20.0, "bound_rows": 5, "ece": None, "error_s5": 0.1, "confusion": [[1]]},
        {"error": 0.2, "iw_bound": -22.0, "bound_rows": 5, "ece": 0.1, "error_s5": 0.3, "confusion": [[1]]},
    ]
    spread = label_draws.spread(results)
    assert set(spread) == {"error", "iw_bound", "error_s5"}
    assert spread["error"]["mean"] == pytest.approx(0.15)
    assert spread["error"]["std"] == pytest.approx(0.05 * 2**0.5)
    assert label_draws.flat(spread)["iw_bound_mean"] == pytest.approx(-21.0)
    assert label_draws.spread(results[:1])["error"]["std"] is None
    assert label_draws.spread([]) == {}


@pytest.mark.parametrize(
    ("own", "draws", "told"),
    [
        (100, [0, 0], ["training 2 more label draws, about 10 min, --draws=0 to skip"]),
        (100, [100, 75], ["training 1 more label draw, about 75 s, --draws=0 to skip"]),
        (100, [100, 100], []),
        (100, [], []),
        (21, [0], ["interrupted: 21 of 100 epochs", "training 1 more label draw, about 5 min"]),
    ],
)
def test_draws_are_announced_with_the_time_they_take(tmp_path, own, draws, told):
    experiment = Experiment(vae.Config(latent_dim=3), load.Config())
    experiment.training.epochs, experiment.training.monitor = 100, "bound"
    for folder, done in ((tmp_path, own), *((tmp_path / "draws" / str(n), done) for n, done in enumerate(draws))):
        folder.mkdir(parents=True, exist_ok=True)
        lines = [{"epoch": epoch, "seconds": 3.0, "val_bound": 0.1 * epoch} for epoch in range(1, done + 1)]
        (folder / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)))
    data = load.load(load.Config(labelled_batch=0))
    model = experiment.model.build(data.info, seed=0)
    found = label_draws.announcement(Run(experiment, data, model, tmp_path), range(len(draws)))
    assert len(found) == len(told) and all(part in line for part, line in zip(told, found, strict=True))
