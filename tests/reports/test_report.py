import dataclasses
import html.parser
import json
import shutil
import subprocess

import numpy as np
import pytest
import tensorflow as tf

from tfvae.evaluation.evaluate import evaluate
from tfvae.reports import report


class Page(html.parser.HTMLParser):
    """What a page contains: tags, attributes, text; fails on a tag that is closed before what it contains."""

    def __init__(self, text):
        super().__init__()
        self.open, self.sources, self.tags, self.words = [], [], set(), []
        self.feed(text)
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.sources += [value for name, value in attrs if name in ("src", "href", "srcset", "action")]
        if tag not in ("meta", "img", "br", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    directory = tmp_path_factory.mktemp("runs") / "sdgm"
    directory.mkdir()
    records = [{"epoch": e, "seconds": 1.5, "val_error": 0.5 / e, "val_bound": -50.0 + e} for e in range(1, 9)]
    (directory / "metrics.jsonl").write_text("\n".join(map(json.dumps, records)))
    return directory


@pytest.fixture(scope="module")
def rendered(small_sdgm, digits, workdir):
    data = dataclasses.replace(digits, class_names=("<script>alert(1)</script>", *digits.class_names[1:]))
    metrics = evaluate(small_sdgm, data, iw_samples=2, rows_limit=20)
    metrics |= {"baseline_mlp_error": 0.2, "baseline_svm_error": 0.1, "baseline_unlabelled_rows": 9}
    description = {
        "experiment": {
            "model": {"type": "sdgm", "network": {"hidden": [8]}},
            "data": {"source": "digits", "name": "<script>alert(1)</script>"},
            "training": {"epochs": 20, "monitor": "bound", "patience": 0},
        },
        "versions": {"tensorflow": tf.__version__},
        "git": "0123abcd",
    }
    return report.render(small_sdgm, data, metrics, workdir, description, command="tfvae-evaluate --x='<b>'")


def test_the_page_is_well_formed_and_needs_nothing_from_outside(rendered):
    page = Page(rendered)
    assert "script" not in page.tags
    assert page.sources
    assert all(source.startswith(("data:image/png;base64,", "#")) for source in page.sources)
    assert "url(" not in rendered
    assert "@import" not in rendered


def test_what_comes_from_outside_is_escaped(rendered):
    assert "<script>" not in rendered
    assert "&lt;script&gt;" in rendered
    assert "--x=&#39;&lt;b&gt;&#39;" in rendered


def test_the_page_says_what_was_run_and_how(rendered):
    words = " ".join(Page(rendered).words)
    for expected in (
        "SDGM on digits", "Test error", "model.network.hidden", "0123abcd", tf.__version__, "Reconstructions",
        "supervised network", "What to do next", "8 epochs in 12 seconds",
        "interrupted: 8 of 20 epochs; the weights judged are those of epoch 8",
    ):  # fmt: skip
        assert expected in words, expected


def test_a_vae_and_a_run_without_history_have_a_report(small_vae, digits, tmp_path):
    metrics = evaluate(small_vae, digits, digits.test.take(np.arange(60)), iw_samples=0)
    page = Page(report.render(small_vae, digits, metrics, tmp_path))
    assert "Error from codes" in " ".join(page.words)
    assert "Confusion" not in " ".join(page.words)


@pytest.mark.parametrize("width", [1200, 400])
def test_a_browser_shows_it(rendered, tmp_path, width):
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not browser:
        pytest.skip("no chromium on the PATH to take a screenshot with")
    (tmp_path / "report.html").write_text(rendered, encoding="utf-8")
    picture = tmp_path / "report.png"
    command = [
        browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
        f"--user-data-dir={tmp_path / 'profile'}", f"--screenshot={picture}", f"--window-size={max(width, 500)},1600",
        (tmp_path / "report.html").as_uri(),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    pixels = tf.io.decode_png(picture.read_bytes(), channels=3).numpy()
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 200
    # Something is drawn in every sixth of the page, not only its head.
    assert all(part.std() > 5 for part in np.array_split(pixels.astype(float), 6))
