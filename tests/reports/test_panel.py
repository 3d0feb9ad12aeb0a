"""Pictures of the report are found by their files."""

import importlib
import sys

import pytest

from tfvae.evaluation import listing
from tfvae.metrics import METRICS
from tfvae.reports import curves, panel, panels

SQUARE = """
from tfvae.reports.panel import Panel, Panels


def draw(model, data, metrics, seed):
    return [Panel("Square", f"{metrics['side']} by {seed}", b"png")] if "side" in metrics else []


PANELS = Panels("predictions", draw, rank=1)
"""


@pytest.fixture
def add(tmp_path, monkeypatch):
    """Adds a file to the package of panels."""
    monkeypatch.setattr(panels, "__path__", [*panels.__path__, str(tmp_path)])

    def write(text):
        (tmp_path / "square.py").write_text(text)
        importlib.invalidate_caches()

    yield write
    sys.modules.pop("tfvae.reports.panels.square", None)


def test_the_panels_of_tfvae_have_a_place_of_their_own():
    places = [(each.section, each.rank) for each in listing.by_file(panels, "PANELS").values()]
    assert len(places) == len(set(places)) == 13


def test_a_panel_is_found_by_its_file(add, small_vae, plain_data, rng):
    data = plain_data(rng.normal(size=(0, 5)))
    assert panel.drawn(small_vae, data, {"side": 3}) == {"pictures": [], "predictions": [], "inside": []}
    add(SQUARE)
    drawn = panel.drawn(small_vae, data, {"side": 3}, seed=7)
    assert [each.caption for each in drawn["predictions"]] == ["3 by 7"]
    assert panel.drawn(small_vae, data, {})["predictions"] == []


def test_a_section_that_the_report_has_not_is_refused(add, small_vae, plain_data, rng):
    add(SQUARE.replace('"predictions"', '"somewhere"'))
    with pytest.raises(ValueError, match="section of the panels 'square' must be one of"):
        panel.drawn(small_vae, plain_data(rng.normal(size=(0, 5))), {})


def test_the_loss_is_drawn_where_nothing_else_was_recorded():
    unmeasured, measured = {"epoch": 1, "loss": 3.0}, {"epoch": 1, "loss": 3.0, "val_error": 0.5, "val_bound": -80.0}
    assert [each.title for each in curves.curves({"run": [unmeasured]})] == [METRICS["loss"].title]
    titles = [each.title for each in curves.curves({"run": [measured], "other": [unmeasured]})]
    assert titles == [METRICS["error"].title, METRICS["bound"].title]
    assert curves.curves({"run": []}) == []


def test_a_curve_has_validation_beside_training_and_says_how_sure_its_errors_are(monkeypatch):
    drawn = {}
    monkeypatch.setattr(curves.curve_figures, "curves", lambda lines, metric, title: drawn.update({title: lines}))
    records = [
        {"epoch": e, "val_error": 0.5, "bound": -80.0 + e, "val_bound": -82.0, "label_log_prob": -0.1 * e}
        for e in (1, 2)
    ]
    found = curves.curves({"run": records}, {"run": 2}, {"run": 28}, "images")
    error, bound, label = drawn.values()
    assert error["run"] == curves.Line(([1, 2], [0.5, 0.5]), ([], []), judged=2, rows=28)
    assert bound["run"] == curves.Line(([1, 2], [-82.0, -82.0]), ([1, 2], [-79.0, -78.0]), judged=2)
    assert label["run"] == curves.Line(([], []), ([1, 2], [-0.1, -0.2]), judged=2)
    assert found[0].caption.endswith("interval on 28 validation images.") and "interval" not in found[1].caption
