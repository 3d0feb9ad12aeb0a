import dataclasses
import html.parser
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
import tensorflow as tf

from tfvae.evaluation.evaluate import evaluate
from tfvae.reports import report, roles
from tfvae.reports.panels import codes


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
    assert all(source.startswith(("data:image/png;base64,", "data:image/jpeg;base64,", "#")) for source in page.sources)
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


def test_columns_of_grids_have_the_names_of_their_classes(rendered):
    columns = [part.split("</div>")[0] for part in rendered.split('<div class="columns')[1:]]
    named = [re.findall(r"<span>(.*?)</span>", part) for part in columns]
    classes = ["&lt;script&gt;alert(1)&lt;/script&gt;", *map(str, range(1, 10))]
    assert named == [["original", *classes], classes]


def test_images_are_called_images_and_what_was_not_labelled_is_shown_by_class(rendered, digits):
    text = re.sub(r"<style>.*?</style>|<img.*?>|<pre>.*?</pre>", "", rendered, flags=re.S)
    text = text.split('<section id="details">')[0].replace("SDGM on digits", "").replace("--rows=0", "")
    assert not re.findall(r".*\b(?:row|digit)s?\b.*", text)
    assert f"{len(digits.train):,} training images of 8×8×1" in text
    assert "What it says of unlabelled images" in text and "Their labels are not known" in text
    counts = [int(count.replace(",", "")) for count in re.findall(r"<h3>[^<]*: ([\d,]+) <small>", text)]
    assert sum(counts) == len(digits.train) - len(digits.labelled)


def test_every_error_on_the_page_has_its_interval(rendered):
    """Headline, table and verdict."""
    assert re.search(r"<b>[\d.]+.%</b><em>95.% interval [\d.]+.% to [\d.]+.%</em>", rendered)
    lines = re.findall(r"<td class=\"num\">([\d.]+) %</td>\s*<td class=\"num\">([\d.]+) to ([\d.]+) %</td>", rendered)
    assert len(lines) == 3 and all(float(low) <= float(error) <= float(high) for error, low, high in lines)
    assert re.search(r"95.% interval of the difference is −?[\d.]+ to −?[\d.]+ points", rendered)


def test_codes_of_all_roles_are_shown(small_sdgm, digits):
    rows, which = roles.together(digits, most=100)
    assert dict(zip(*np.unique(which, return_counts=True))) == {
        "labelled": len(digits.labelled), "test": 100, "unlabelled": 100, "validation": 100,
    }  # fmt: skip
    np.testing.assert_array_equal(np.sort(rows.label[which == "labelled"]), np.sort(digits.labelled.label))
    parts = roles.of(digits)
    assert {role: len(part) for role, part in parts.items()} == {
        "unlabelled": len(digits.train) - len(digits.labelled), "labelled": len(digits.labelled),
        "validation": len(digits.validation), "test": len(digits.test),
    }  # fmt: skip
    captions = [each.caption for each in codes.draw(small_sdgm, digits, {}, 0)]
    assert len(captions) == 2 and all("all 1,797 images" in caption for caption in captions)


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
