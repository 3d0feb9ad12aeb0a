"""The figures of the tables, of models that were never trained."""

import io

import numpy as np
import pytest
from matplotlib import image as images

from tfvae.configs import adgm_moons, asvae_digits, auxiliary_vae_potential
from tfvae.data import load
from tfvae.reports import curve_figures
from tfvae.reproduction import drawings, runs
from tfvae.reproduction.tables import Entry
from tfvae.run.opening import Run, build_model


def done(name, overrides, draw, val_error, preset="adgm_moons", **record):
    entry = Entry(name, preset, overrides, size="tiny")
    planned = runs.Planned(entry, draw, "tiny", runs.experiment_of(entry, "full"), f"{name}/{draw}")
    curves = {"epoch": list(range(1, len(val_error) + 1)), "val_error": val_error}
    return runs.Done(planned, {"entry": name, "curves": curves, **record})


def untrained(experiment):
    data = load.load(experiment.data)
    return Run(experiment, data, build_model(experiment, data), None)


@pytest.fixture
def curves(monkeypatch):
    drawn = {}
    monkeypatch.setattr(curve_figures, "curves", lambda given, *_, **__: drawn.update(given) or b"")
    return drawn


def test_curves_are_means_over_draws_as_far_as_all_of_them_go(curves):
    drawings.convergence([done("ADGM", {}, 0, [0.4, 0.2, 0.1]), done("ADGM", {}, 1, [0.2, 0.1])])
    epochs, errors = curves["ADGM"].validation
    assert epochs == [1, 2]
    np.testing.assert_allclose(errors, [0.3, 0.15])


def test_a_row_that_another_row_goes_on_from_is_not_drawn_twice(curves):
    short, long = ({"training.epochs": epochs} for epochs in (1, 3))
    other = {"training.epochs": 1, "model.beta": 1.0}
    drawings.convergence(
        [done("1", short, 0, [0.4]), done("3", long, 0, [0.4, 0.3, 0.2]), done("another beta", other, 0, [0.4])]
    )
    assert list(curves) == ["3", "another beta"]


def test_moons_are_drawn(monkeypatch):
    monkeypatch.setattr(drawings, "open_run", lambda _: untrained(adgm_moons.get_config("tiny")))
    drawn = drawings.moons([done("ADGM", {}, 0, [0.4, 0.2])])
    assert set(drawn) == {"regions", "auxiliary", "convergence"}
    assert all(images.imread(io.BytesIO(png)).std() > 0.0 and len(png) < 300_000 for png in drawn.values())


def test_the_restart_that_validation_chose_is_the_one_drawn(monkeypatch):
    opened = []

    def open_run(workdir):
        opened.append(workdir)
        return untrained(auxiliary_vae_potential.get_config("u2"))

    monkeypatch.setattr(drawings, "open_run", open_run)
    preset = "auxiliary_vae_potential"
    bounds = [{"monitor": "bound", "validation_bound": bound} for bound in (1.0, 2.0, 1.5)]
    drawn = drawings.potentials([done("U2", {}, i, [0.0], preset, **bound) for i, bound in enumerate(bounds)])
    assert opened == ["U2/1"] and list(drawn) == ["u2"]
    assert images.imread(io.BytesIO(drawn["u2"])).std() > 0.0 and len(drawn["u2"]) < 300_000


def test_samples_and_reconstructions_stand_beside_each_other(monkeypatch):
    opened = untrained(asvae_digits.get_config("tiny"))
    monkeypatch.setattr(drawings, "open_run", lambda _: opened)
    rows = [done(name, {}, 0, [0.0], "asvae_digits") for name in ("AS-VAE-r", "AS-VAE")]
    drawn = drawings.beside_each_other(rows)
    assert set(drawn) == {"samples-as-vae-r", "samples-as-vae", "reconstructions"}
    lines = images.imread(io.BytesIO(drawn["reconstructions"]))
    assert lines.shape[0] / lines.shape[1] == pytest.approx((3 * 9 + 1) / (10 * 9 + 1))


def test_ways_to_infer_are_drawn_by_their_error_and_their_time():
    rows = [done(name, {}, 0, [0.0], "dgdn_digits", seconds=10.0 + i) for i, name in enumerate(("Gibbs", "VAE-d"))]
    for i, row in enumerate(rows):
        row.record["test"] = {"encode_ms": 0.1 * 10**i, "rmse": 20.0 + i, ("error", "svm_error")[i]: 0.1}
    drawn = drawings.inference([*rows, done("Gibbs", {}, 1, [0.0], "dgdn_digits", test={"error": 0.1})])
    assert images.imread(io.BytesIO(drawn["time"])).std() > 0.0
