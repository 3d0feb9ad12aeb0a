"""A served model over folders and shards: every image a line, bad ones named, nothing twice, nothing mixed."""

import json
import os

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import tfvae
from tfvae.data import folder, ingest
from tfvae.serving import export, predictions


@pytest.fixture
def photos(exported_sdgm, tmp_path):
    _, data, _ = exported_sdgm
    for i in range(5):
        path = tmp_path / "photos" / "abcde"[i] / f"{i}.png"
        path.parent.mkdir(parents=True)
        Image.fromarray(data.test.image[i, ..., 0]).save(path)
    (tmp_path / "photos" / "c" / "bad.png").write_bytes(b"no image at all")
    return tmp_path / "photos"


def lines(folder):
    return [json.loads(line) for path in sorted(folder.glob("*.jsonl")) for line in path.read_text().splitlines()]


def predict(*args, **kwargs):
    return predictions.predict(*args, report=lambda text: None, **kwargs)


def test_every_image_has_a_line_and_a_bad_one_its_reason(exported_sdgm, photos, tmp_path):
    model, data, version = exported_sdgm
    counts = predict(version.parent, photos, tmp_path / "out", rows_per_part=4)
    assert counts == {"images": 6, "errors": 1, "parts": 2}
    found = {line.pop("file"): line for line in lines(tmp_path / "out")}
    assert found.pop("c/bad.png") == {"error": "text, not a PNG, JPEG, BMP, GIF or WebP image"}
    image = data.transform.observe(data.test.image[:5])
    probs = np.array([line["probabilities"] for line in found.values()])
    np.testing.assert_allclose(probs, model.classify(image), atol=1e-5)
    np.testing.assert_allclose([line["code"] for line in found.values()], model.encode(image).mean(), atol=1e-5)
    assert [line["label"] for line in found.values()] == [data.class_names[k] for k in probs.argmax(axis=1)]


def test_predictions_are_of_the_files_that_training_reads_whatever_they_are_called(exported_sdgm, tmp_path):
    _, data, version = exported_sdgm
    photos = tmp_path / "photos"
    names = {
        "a.png": "PNG", "b.PNG": "PNG", "c.jpg": "JPEG", "d.jpeg": "JPEG", "e.jfif": "JPEG", "f.jpe": "JPEG",
        "g.bmp": "BMP", "h.gif": "GIF", "i.webp": "WEBP", "no_ending": "PNG", "j.tar.gz": "BMP", ".hidden.png": "PNG",
        ".hidden/k.png": "PNG", "sub/l.PNG": "PNG", "Thumbs.db": "PNG",
    }  # fmt: skip
    for name, form in names.items():
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        options = {"lossless": True} if form == "WEBP" else {"quality": 100} if form == "JPEG" else {}
        Image.fromarray(data.test.image[0, ..., 0]).save(photos / name, form, **options)
    (photos / "notes.txt").write_text("hello")
    (photos / "damaged.png").write_bytes((photos / "a.png").read_bytes()[:60])
    (photos / "empty.jpg").touch()
    (photos / "metadata.csv").write_text("file_name,label\na.png,1\n")
    (photos / "out.png").symlink_to(tmp_path)
    (photos / "broken.png").symlink_to("nowhere.png")
    (tmp_path / "outside.png").write_bytes((photos / "a.png").read_bytes())
    (photos / "link.png").symlink_to(tmp_path / "outside.png")
    os.mkfifo(photos / "pipe.png")

    read = folder.survey(photos, folder.Config(image_size=8))
    counts = predict(version, photos, photos / "predictions", ("classify",))
    assert predict(version, photos, photos / "predictions", ("classify",)) == counts, "its own parts are no images"
    found = {line.pop("file"): line for line in lines(photos / "predictions")}
    good = {name for name, line in found.items() if "error" not in line}
    assert good == {item.file for item in read.items} == {n for n in names if n[0] != "." and n != "Thumbs.db"}
    assert found.keys() - good == {reject.file for reject in read.rejects}
    reasons = {name: line["error"] for name, line in found.items() if "error" in line}
    assert reasons.pop("damaged.png") == "no readable PNG or JPEG image"
    assert reasons == {
        "notes.txt": "text, not a PNG, JPEG, BMP, GIF or WebP image",
        "empty.jpg": "empty file",
        "out.png": "a symbolic link that leads out of the folder",
        "broken.png": "not a regular file",
        "link.png": "a symbolic link that leads out of the folder",
        "pipe.png": "not a regular file",
    }
    want = np.array(found["a.png"]["probabilities"])
    for name in good:
        np.testing.assert_allclose(found[name]["probabilities"], want, atol=0.02 if names[name] == "JPEG" else 1e-5)


def test_shards_give_what_their_images_give(exported_sdgm, photos, tmp_path):
    version = exported_sdgm[2]
    ingest.ingest(photos, tmp_path / "shards", report=lambda text: None)
    predict(version, photos, tmp_path / "of_files", ("classify",))
    predict(version, tmp_path / "shards", tmp_path / "of_shards", ("classify",), suffix="tfrecord")
    of_files = {line["file"]: line["probabilities"] for line in lines(tmp_path / "of_files") if "label" in line}
    found = {}
    for path in sorted((tmp_path / "of_shards").glob("*.tfrecord")):
        for record in tf.data.TFRecordDataset(str(path)):
            feature = tf.train.Example.FromString(record.numpy()).features.feature
            found[feature["file"].bytes_list.value[0].decode()] = feature["probabilities"].float_list.value
    assert set(found) == set(of_files)
    for name, probs in found.items():
        np.testing.assert_allclose(probs, of_files[name], atol=1e-5)


def test_what_is_done_is_not_done_again(exported_sdgm, photos, tmp_path):
    version, out = exported_sdgm[2], tmp_path / "out"

    def killed(function, values):
        yield function(next(iter(values)))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict(version, photos, out, rows_per_part=2, spread=killed)
    (first,) = out.glob("*.jsonl")
    before = first.stat().st_mtime_ns, first.read_bytes()
    assert predict(version, photos, out, rows_per_part=2)["images"] == 6
    assert (first.stat().st_mtime_ns, first.read_bytes()) == before
    assert len(lines(out)) == 6 and not [name for name in os.listdir(out) if "partial" in name]


@pytest.mark.parametrize("sharded", [False, True])
def test_progress_advances_with_every_batch_and_counts_what_is_left(
    exported_sdgm, photos, tmp_path, monkeypatch, sharded
):
    """Not once a part: the thousand images of one take a minute."""
    monkeypatch.setattr(predictions, "_BATCH", 1)
    source = photos
    if sharded:
        source = tmp_path / "shards"
        ingest.ingest(photos, source, records_per_shard=2, report=lambda text: None)
    told = []
    asked = (exported_sdgm[2], source, tmp_path / "out")
    total = predict(*asked, rows_per_part=4, done=lambda *of: told.append(of))["images"]
    assert total >= 5 and told == [(i, total) for i in range(1, total + 1)]
    part = sorted((tmp_path / "out").glob("part-*"))[0]
    missing = len(part.read_text().splitlines())
    part.unlink()
    told.clear()
    predict(*asked, rows_per_part=4, done=lambda *of: told.append(of))
    assert told == [(i, missing) for i in range(1, missing + 1)]


def test_predictions_of_something_else_are_not_mixed(exported_sdgm, photos, tmp_path):
    version, out = exported_sdgm[2], tmp_path / "out"
    predict(version, photos, out, ("encode",))
    with pytest.raises(ValueError, match=r"predictions of something else: another signatures"):
        predict(version, photos, out, ("classify",))
    os.utime(photos / "a" / "0.png", ns=(1, 1))
    with pytest.raises(ValueError, match=r"predictions of something else: another images"):
        predict(version, photos, out, ("encode",))
    with pytest.raises(ValueError, match=r"is not empty and holds no predictions.json"):
        predict(version, photos, photos)


def test_what_cannot_be_asked_is_told(exported_sdgm, photos, tmp_path):
    version = exported_sdgm[2]
    with pytest.raises(ValueError, match=r"cannot be asked to \['caption'\]"):
        predict(version, photos, tmp_path / "out", ("caption",))
    with pytest.raises(ValueError, match=r"holds no version of a model"):
        predict(photos, photos, tmp_path / "out")
    (tmp_path / "empty").mkdir()
    ingest.ingest(photos, tmp_path / "large", folder.Config(image_size=9), report=lambda text: None)
    with pytest.raises(ValueError, match=r"hold images of \[9, 9, 1\], the model takes \[8, 8, 1\]"):
        predict(version, tmp_path / "large", tmp_path / "out")
    with pytest.raises(ValueError, match=r"holds no image and no shards"):
        predict(version, tmp_path / "empty", tmp_path / "out")


def test_how_sure_and_how_new_are_said_with_what_they_rest_on(exported_sdgm, photos, tmp_path):
    _, data, version = exported_sdgm
    told = []
    predictions.predict(version, photos, tmp_path / "out", report=told.append)
    found = [line for line in lines(tmp_path / "out") if "error" not in line]
    n = len(data.validation)
    loaded = tfvae.load_export(version)
    expected = loaded.classify([photos / line["file"] for line in found])
    np.testing.assert_allclose([line["calibrated_probabilities"] for line in found], expected.calibrated, atol=1e-6)
    np.testing.assert_allclose([line["p_value"] for line in found], expected.p_value, atol=1e-6)
    assert any(f"n = {n} validation images; the smallest is {1 / (n + 1):.2g}" in line for line in told)
    assert any("labelled validation images" in line and "temperature" in line for line in told)
    predictions.predict(version, photos, tmp_path / "new", ("novelty",), report=told.append)
    alone = [line for line in lines(tmp_path / "new") if "error" not in line]
    assert [set(line) for line in alone] == [{"file", "p_value"}] * 5
    np.testing.assert_allclose([line["p_value"] for line in alone], expected.p_value, atol=1e-6)


def test_why_there_is_no_p_value_is_said(exported_sdgm, photos, tmp_path, monkeypatch):
    version = exported_sdgm[2]
    described = export.describe(version) | {"calibration": {"missing": {"novelty": "there is no validation row"}}}
    monkeypatch.setattr(export, "describe", lambda path: described)
    told = []
    predictions.predict(version, photos, tmp_path / "out", ("classify",), report=told.append)
    assert "no p_value: there is no validation row" in told
