"""The table and the page of predictions: classes in order, the surest first, nothing from outside, all escaped."""

import csv
import json
import re

import pytest
from PIL import Image

from tfvae.reports import predictions_page


@pytest.fixture
def output(tmp_path):
    """Two parts about four images and a file that is none."""
    answers = [
        {"file": "b<1>.png", "label": "cat", "probabilities": [0.6, 0.4]},
        {"file": "a.png", "label": "cat", "probabilities": [0.9, 0.1]},
        {"file": "c, d.png", "label": "dog", "probabilities": [0.2, 0.8]},
        {"file": "bad.png", "error": "no readable image"},
        {"file": "e.png", "label": "cat", "probabilities": [0.7, 0.3]},
    ]
    source, folder = tmp_path / "photos", tmp_path / "out"
    source.mkdir()
    folder.mkdir()
    for answer in answers:
        Image.new("L", (8, 6), 90).save(source / answer["file"])
    (folder / "predictions.json").write_text(json.dumps({"source": str(source)}))
    for i, part in enumerate((answers[:2], answers[2:])):
        (folder / f"part-{i:05}-of-00002.jsonl").write_text("".join(json.dumps(line) + "\n" for line in part))
    return folder


def test_the_table_has_a_row_a_file_and_a_column_a_class(output):
    table, _ = predictions_page.write(output, ["cat", "dog"])
    with open(table, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    beside = ["calibrated_confidence", "p_value", "tags", "cluster"]
    assert list(rows[0]) == ["file", "label", "confidence", "cat", "dog", "caption", "error", *beside]
    assert [(row["file"], row["label"], row["confidence"]) for row in rows] == [
        ("b<1>.png", "cat", "0.6"), ("a.png", "cat", "0.9"), ("c, d.png", "dog", "0.8"), ("bad.png", "", ""),
        ("e.png", "cat", "0.7"),
    ]  # fmt: skip
    assert rows[0]["dog"] == "0.4" and rows[3]["error"] == "no readable image" and rows[3]["cat"] == ""


def test_the_page_shows_classes_with_the_surest_first(output):
    page = predictions_page.write(output, ["cat", "dog"])[1].read_text()
    assert re.findall(r'alt="([^"]*)"', page) == ["a.png", "e.png", "b&lt;1&gt;.png", "c, d.png"]
    assert re.findall(r"<h2>(.*?)</h2>", page) == ["cat", "dog", "Not readable"]
    assert "<script" not in page and "b<1>" not in page and page.count("data:image/jpeg;base64,") == 4
    assert re.findall(r"<strong>(\d+) %</strong>", page) == ["90", "70", "60", "80"]


def test_a_class_of_too_many_images_shows_both_ends(output, monkeypatch):
    monkeypatch.setattr(predictions_page, "_THUMBNAILS", 4)
    page = predictions_page.write(output, ["cat", "dog"])[1].read_text()
    assert re.findall(r"<strong>(\d+) %</strong>", page) == ["90", "60", "80"]
    assert "3 images; 1 between the surest and the least sure are not shown" in page


def test_what_has_no_image_files_has_a_table_alone(output):
    (output / "predictions.json").write_text(json.dumps({"source": str(output / "shards")}))
    assert [path.name for path in predictions_page.write(output, ["cat", "dog"])] == ["predictions.csv"]
