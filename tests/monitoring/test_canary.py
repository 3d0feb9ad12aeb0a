"""Two versions on the same requests, and new images against those of training."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from tfvae.data import ingest
from tfvae.monitoring import canary, drift, drift_report, served
from tfvae.serving import export


@pytest.fixture
def photos(exported_sdgm, tmp_path):
    _, data, _ = exported_sdgm
    for split, first in (("train", 0), ("validation", 60), ("test", 120)):
        for i in range(first, first + 60):
            path = tmp_path / "photos" / split / str(data.test.label[i]) / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(data.test.image[i, ..., 0]).save(path)
    return tmp_path / "photos"


def test_a_version_does_not_differ_from_its_copy(exported_sdgm, photos, tmp_path):
    version = exported_sdgm[2]
    copy = export.push(version, tmp_path / "sdgm")
    found = canary.compare(version, copy, photos, num=20)
    assert found["images"] == 20 and found["disagreement"] == 0 and found["bound_change"] == 0
    assert set(found["largest_change"].values()) == {0.0} and not found["lost"]
    assert canary.refusals(found, 0.0, 0.0) == []


def test_another_model_is_told_by_what_it_changes(exported_sdgm, photos, tmp_path):
    model, data, version = exported_sdgm
    weights = model.get_weights()
    try:
        model.set_weights([w + 0.3 * np.random.default_rng(0).normal(size=w.shape).astype(w.dtype) for w in weights])
        other = tmp_path / "other" / "1"
        export.write(model, data, other)
        (other / "assets.extra").mkdir()
        described = json.dumps(export.describe(version))
        (other / "assets.extra" / export.DESCRIPTION).write_text(described)
        found = canary.compare(version, other, photos, num=40)
    finally:
        model.set_weights(weights)
    assert found["disagreement"] > 0 and found["largest_change"]["classify"] > 0
    told = canary.refusals({**found, "bound_change": -2.0, "lost": ["caption"]}, 0.0, 1.0)
    assert told[0] == "it has no caption" and "names another class" in told[1] and "2 nats lower" in told[2]
    assert canary.refusals({"lost": [], "largest_change": {"encode": float("nan")}}, 1, 1) == [
        "an answer is not finite, or has another shape"
    ]


def test_the_same_images_have_not_drifted_and_darker_ones_have(exported_sdgm, photos, tmp_path):
    version = exported_sdgm[2]
    ingest.ingest(photos, tmp_path / "shards", report=lambda text: None)
    same = drift.measure(version, tmp_path / "shards", photos / "train", num=100)
    assert drift.drifted(same) == [] and set(same["tests"]) == {"brightness", "contrast", "bound", "codes", "classes"}
    dark = tmp_path / "dark"
    dark.mkdir()
    for path in (photos / "train").rglob("*.png"):
        Image.fromarray(np.asarray(Image.open(path)) // 3).save(dark / path.name)
    Image.fromarray(np.full((8, 8), 255, np.uint8)).save(dark / "white.png")
    found = drift.measure(version, tmp_path / "shards", dark, num=200)
    assert {"brightness", "contrast", "codes"} <= set(drift.drifted(found))
    assert found["tests"]["brightness"]["new_mean"] < found["tests"]["brightness"]["reference_mean"] / 2
    assert found["strangest"][0]["file"] == "white.png" and len(found["strangest"]) == 12
    page = drift_report.render(found, anomalies=["label: <b>unexpected</b>"])
    assert "The images have changed" in page and "&lt;b&gt;unexpected" in page
    # Codes and classes as the model sees them, three histograms, twelve images; every test says what it would find.
    assert page.count("data:image/png") == 5 and page.count("data:image/jpeg") == 12
    assert set(found["power"]) == set(found["tests"])
    assert page.count("<td>a shift of ") + page.count("of the images going over to") == 5
    json.dumps(drift.answer(found), allow_nan=False)
    assert not drift.weak(same) or "Too few images to tell" in drift_report.render(same)


def test_a_comparison_that_could_find_nothing_says_so(exported_sdgm, photos, tmp_path):
    """24 reference images, whatever is new: no change is called the absence of one."""
    for path in sorted((photos / "test").rglob("*.png"))[12:] + sorted((photos / "validation").rglob("*.png"))[12:]:
        path.unlink()
    ingest.ingest(photos, tmp_path / "shards", report=lambda text: None)
    found = drift.measure(exported_sdgm[2], tmp_path / "shards", photos / "train", num=100)
    assert found["images"] == {"reference": 24, "new": 60}
    assert drift.drifted(found) == [] and drift.weak(found)
    said = drift.verdict(found)
    assert said.startswith("Too few images to tell: 60 new images against 24") and "With 200 of each" in said
    page = drift_report.render(found)
    assert "<h1>Too few images to tell</h1>" in page and "No drift" not in page


def test_the_discrepancy_is_that_of_the_paper(rng):
    x, y = rng.normal(size=[7, 2]), rng.normal(size=[5, 2])
    both = np.concatenate([x, y])
    squared = ((both[:, None] - both[None]) ** 2).sum(-1)
    k = np.exp(-squared / (2 * np.median(squared[np.triu_indices(12, 1)])))
    expected = (
        np.mean([k[i, j] for i in range(7) for j in range(7) if i != j])
        + np.mean([k[i, j] for i in range(7, 12) for j in range(7, 12) if i != j])
        - 2 * k[:7, 7:].mean()
    )
    assert drift.discrepancy(x, y, rng, permutations=5)["mmd2"] == pytest.approx(expected)


def test_p_values_of_equal_distributions_are_uniform(rng):
    """At level 0.1 about a tenth of equal samples are called different: 60 tests, bounds of the binomial's tails."""
    p_values = [
        drift.discrepancy(rng.normal(size=[20, 2]), rng.normal(size=[20, 2]), rng, permutations=60)["p_value"]
        for _ in range(60)
    ]
    assert 1 <= sum(p < 0.1 for p in p_values) <= 14
    assert drift.discrepancy(rng.normal(size=[20, 2]), 1.5 + rng.normal(size=[20, 2]), rng, 60)["p_value"] < 0.02


def test_the_divergence_of_classes_is_jensen_shannons(rng):
    x, y = np.array([0, 0, 1, 2]), np.array([1, 1, 1, 2])
    p, q = np.array([0.5, 0.25, 0.25]), np.array([0, 0.75, 0.25])
    mixed = (stats.entropy(p, (p + q) / 2, base=2) + stats.entropy(q, (p + q) / 2, base=2)) / 2
    assert drift.divergence(x, y, 3, rng, permutations=5)["divergence"] == pytest.approx(mixed)


def test_sources_that_do_not_fit_are_told(photos, tmp_path):
    ingest.ingest(photos, tmp_path / "shards", report=lambda text: None)
    with pytest.raises(ValueError, match=r"the model takes \(9, 9, 1\)"):
        served.sample(tmp_path / "shards", {"image": (9, 9, 1)}, 5)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no image"):
        served.sample(tmp_path / "empty", {"image": (8, 8, 1)}, 5)
    with pytest.raises(ValueError, match="cut to squares"):
        served.sample(photos, {"image": (8, 9, 1)}, 5)


def test_the_binaries_answer_in_json_and_by_their_exit_code(exported_sdgm, photos, tmp_path):
    version = exported_sdgm[2]
    command = [sys.executable, "-m", "tfvae.bin.canary", f"--stable={version}", f"--canary={version}"]
    done = subprocess.run([*command, f"--input={photos}", "--images=5"], capture_output=True, text=True)
    assert done.returncode == 0 and json.loads(done.stdout)["against"] == []
    assert f"Nothing speaks against {version} on 5 images, 0.0% of which" in done.stderr
    assert done.stderr.splitlines()[-1].startswith(f"next: tfvae-predict --model={version}")
    done = subprocess.run([*command, "--input=nowhere"], capture_output=True, text=True)
    assert done.returncode == 1 and "error: There is no folder nowhere" in done.stderr


@pytest.mark.parametrize("flag", ["output", "report"])
def test_drift_writes_where_it_is_told_and_says_what_it_found(exported_sdgm, photos, tmp_path, flag):
    ingest.ingest(photos, tmp_path / "shards", report=lambda text: None)
    command = [sys.executable, "-m", "tfvae.bin.drift", f"--model={exported_sdgm[2]}", f"--input={photos / 'train'}"]
    command += [f"--reference={tmp_path / 'shards'}", f"--{flag}={tmp_path / 'page.html'}"]
    done = subprocess.run(command, capture_output=True, text=True)
    answer = json.loads(done.stdout)
    assert done.returncode == (3 if answer["changed"] else 0) and answer["verdict"] in done.stderr
    assert (tmp_path / "page.html").stat().st_size > 10_000
    assert done.stderr.splitlines()[-1].startswith("next: tfvae-predict --model=")
