"""A made table of tiny runs: what is planned, trained, resumed, measured, drawn and written."""

import dataclasses
import importlib
import json
import pathlib
import shutil

import numpy as np
import pytest
from absl import flags

from tfvae import ranges
from tfvae.reproduction import facts, results, runs
from tfvae.reproduction.reproduce import reproduce
from tfvae.reproduction.tables import BUDGETS, TABLES, Entry, Measure, Table
from tfvae.training import trainer

COMMITTED = sorted((pathlib.Path(__file__).parents[2] / "tools" / "results").glob("*.json"))
FEW_ROWS = {"data.num_validation": 1000, "model.network.hidden": (8,)}
TABLE = Table(
    title="Digits",
    citation="nobody",
    entries=(Entry("SDGM", "sdgm_digits", FEW_ROWS, source="1.00 %"),),
    measures=(Measure("test error", ("error",)), Measure("best", ("validation_error",), show="best")),
    evaluation={"iw_samples": 0, "rows_limit": 20},
    drawing="convergence",
    notes=("A note.",),
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The table, made once: (result, workdir, output)."""
    workdir, output = tmp_path_factory.mktemp("runs"), tmp_path_factory.mktemp("results")
    return reproduce("digits", TABLE, "tiny", workdir, output, num_draws=2), workdir, output


def test_the_json_tells_everything_that_is_needed_to_make_it_again(made):
    result, _, output = made
    assert json.loads((output / "digits-tiny.json").read_text()) == result
    assert result["command"] == "python -m tfvae.bin.reproduce --table=digits --budget=tiny --draws=2"
    assert {"versions", "git", "machine", "date", "seconds", "notes", "citation"} <= set(result)
    assert len(result["runs"]) == 2
    for run in result["runs"]:
        assert run["seed"] == run["label_seed"] == run["draw"]
        assert run["preset"] == "sdgm_digits" and run["overrides"]["data.num_validation"] == 1000
        assert len(run["curves"]["epoch"]) == len(run["curves"]["val_error"]) == run["epochs"] == 1
        assert 0.0 <= run["test"]["error"] <= 1.0 and run["seconds"] > 0.0 and len(run["data_sha256"]) == 64


def test_nothing_in_the_json_says_where_it_was_made(made):
    result, workdir, output = made
    text = json.dumps(result)
    assert str(workdir) not in text and str(output) not in text


def test_draws_differ_in_their_labels_and_share_their_validation_rows(made):
    result, workdir, _ = made
    splits = [json.loads(path.read_text()) for path in sorted(workdir.rglob("split.json"))]
    assert len({tuple(split["labelled"]) for split in splits}) == 2
    assert len({tuple(split["validation"]) for split in splits}) == 1
    assert len({run["split_sha256"] for run in result["runs"]}) == 2


def test_the_table_follows_from_the_runs(made):
    result, _, _ = made
    assert result["table"] == results.rendered(TABLE, result["runs"])
    row = dict(zip(result["table"]["columns"], result["table"]["rows"][0]))
    errors = [100.0 * run["test"]["error"] for run in result["runs"] if run["entry"] == "SDGM"]
    assert row["source"] == "1.00 %"
    assert row["test error"] == f"{np.mean(errors):.2f} ± {np.std(errors, ddof=1):.2f} %"


def test_what_no_run_has_is_not_shown(made):
    """A table whose definition grew after it was made."""
    result, _, _ = made
    grown = dataclasses.replace(
        TABLE,
        entries=(*TABLE.entries, Entry("new", "sdgm_digits")),
        measures=(*TABLE.measures, Measure("new", ("nobody_measured",))),
    )
    assert results.rendered(grown, result["runs"]) == result["table"]


def test_figures_lie_beside_the_json_and_are_small(made):
    result, _, output = made
    assert result["figures"] == ["digits-tiny-convergence.png"]
    png = (output / result["figures"][0]).read_bytes()
    assert png.startswith(b"\x89PNG") and len(png) < 300_000


def test_a_finished_table_is_neither_trained_nor_measured_again(made, monkeypatch):
    result, workdir, output = made
    monkeypatch.setattr(trainer, "train", lambda *_: pytest.fail("trained a second time"))
    monkeypatch.setattr(runs, "evaluate", lambda *_, **__: pytest.fail("measured a second time"))
    assert reproduce("digits", TABLE, "tiny", workdir, output, num_draws=2)["runs"] == result["runs"]


def test_other_weights_are_measured_again(made, tmp_path, monkeypatch):
    result, workdir, _ = made
    shutil.copytree(workdir, tmp_path / "runs")
    (measured := next((tmp_path / "runs").rglob("0/test.json"))).write_text('{"weights_sha256": "others"}')
    monkeypatch.setattr(runs, "evaluate", lambda *_, **__: {"error": 0.5})
    again = reproduce("digits", TABLE, "tiny", tmp_path / "runs", tmp_path, num_draws=1)
    assert again["runs"][0]["test"] == {"error": 0.5} == json.loads(measured.read_text())["metrics"]
    assert again["runs"][0]["curves"] == result["runs"][0]["curves"]


def test_an_interrupted_table_goes_on_where_it_was(made, tmp_path, monkeypatch):
    result, workdir, _ = made
    trained = []

    def train(experiment, folder):
        if len(trained) == 1 and not (tmp_path / "restarted").exists():
            raise SystemExit(143)
        trained.append(folder.name)
        shutil.copytree(workdir / folder.relative_to(tmp_path), folder)

    monkeypatch.setattr(trainer, "train", train)
    with pytest.raises(SystemExit):
        reproduce("digits", TABLE, "tiny", tmp_path, tmp_path / "out", num_draws=2)
    assert not (tmp_path / "out").exists(), "half a table was written"
    (tmp_path / "restarted").touch()
    again = reproduce("digits", TABLE, "tiny", tmp_path, tmp_path / "out", num_draws=2)
    assert trained == ["0", "1"] and again["runs"] == result["runs"]


def test_missing_data_is_told_before_anything_is_trained(tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "train", lambda *_: pytest.fail("training began"))
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ValueError, match="--data_dir"):
        reproduce("adgm-1", TABLES["adgm-1"], "tiny", tmp_path / "runs", tmp_path, data_dir=str(empty))
    assert not (tmp_path / "runs").exists()


def test_an_override_of_no_field_is_refused():
    with pytest.raises(ValueError, match=r"model\.bta"):
        runs.experiment_of(Entry("x", "sdgm_digits", {"model.bta": 1.0}), "tiny")


@pytest.mark.parametrize("name", sorted(TABLES))
@pytest.mark.parametrize("budget", BUDGETS)
def test_every_table_can_be_planned(name, budget, tmp_path):
    planned = runs.plan(TABLES[name], budget, 2, tmp_path, data_dir="there")
    assert len(planned) == 2 * len(TABLES[name].entries)
    assert len({run.workdir for run in planned}) == len(planned), "two rows share a run directory"
    for run in planned:
        ranges.check(run.experiment)
        assert (run.experiment.data.data_dir == "there") == run.experiment.data.is_of_tfds


def test_every_table_stands_on_the_page():
    page = (pathlib.Path(__file__).parents[2] / "docs" / "how_to" / "reproduce.md").read_text()
    assert [name for name in TABLES if f"`{name}`" not in page] == []


def test_figure_5_shares_the_runs_of_table_1(tmp_path):
    one, five = (
        {run.workdir for run in runs.plan(TABLES[name], "small", 3, tmp_path)} for name in ("adgm-1", "adgm-5")
    )
    assert five < one


@pytest.mark.parametrize("noise", [0.1, 0.2])
def test_bayes_error_is_that_of_the_best_classifier_on_draws(noise, rng):
    angle = rng.uniform(0.0, np.pi, 4000)
    points = np.stack([np.cos(angle), np.sin(angle)], axis=-1) + noise * rng.standard_normal([4000, 2])
    arc = np.linspace(0.0, np.pi, 500)
    top = np.stack([np.cos(arc), np.sin(arc)], axis=-1)
    bottom = np.stack([1.0 - np.cos(arc), 0.5 - np.sin(arc)], axis=-1)
    density = [np.exp(-0.5 * ((points[:, None] - m) ** 2).sum(axis=-1) / noise**2).mean(axis=1) for m in (top, bottom)]
    wrong = np.mean(density[1] > density[0])
    assert abs(facts.bayes_error(noise) - wrong) < 4.0 * np.sqrt(facts.bayes_error(noise) / 4000) + 1e-4


def test_best_shows_the_draw_that_validation_chose_not_the_best_test():
    records = [
        {"monitor": "bound", "validation_bound": 1.0, "test": {"bound": 3.0}},
        {"monitor": "bound", "validation_bound": 2.0, "test": {"bound": 2.5}},
    ]
    assert results.cell(Measure("bound", ("bound",), "nats", "best"), records) == "2.50"
    assert results.cell(Measure("bound", ("bound",), "nats", "each", sign=-1), records) == "-3.00, -2.50"
    assert results.cell(Measure("none", ("error_s100",)), records) == "–"


@pytest.fixture
def binary():
    """The program with flags of its own, put back afterwards: two programs in one process share what they define."""
    before = {name: flags.FLAGS[name] for name in flags.FLAGS}
    for name in {"workdir", "output"} & set(before):
        delattr(flags.FLAGS, name)
    yield importlib.import_module("tfvae.bin.reproduce")
    for name in [name for name in flags.FLAGS if flags.FLAGS[name] is not before.get(name)]:
        delattr(flags.FLAGS, name)
    for name in set(before) - set(flags.FLAGS):
        flags.FLAGS[name] = before[name]


def test_the_binary_prints_the_table(binary, capsys, monkeypatch, tmp_path, made):
    result, workdir, _ = made
    monkeypatch.setitem(TABLES, "adgm-1", TABLE)
    values = {"_TABLE": "adgm-1", "_BUDGET": "tiny", "_WORKDIR": str(workdir), "_DATA_DIR": "", "_DRAWS": 2}
    for name, value in {**values, "_OUTPUT": str(tmp_path)}.items():
        monkeypatch.setattr(binary, name, type("Flag", (), {"value": value}))
    binary.main()
    printed = capsys.readouterr().out
    assert printed.startswith("Digits (nobody), 2 draws")
    assert all(cell in printed for row in result["table"]["rows"] for cell in row)


@pytest.mark.parametrize("path", COMMITTED, ids=[path.stem for path in COMMITTED])
def test_tables_in_the_repository_follow_from_their_runs(path):
    result = json.loads(path.read_text())
    if "runs" not in result:
        pytest.skip("not a table of ours")
    table = TABLES[result["name"]]
    assert result["table"] == results.rendered(table, result["runs"])
    for figure in result["figures"]:
        assert 0 < (path.parent / figure).stat().st_size < 300_000
