"""A run is opened, sampled, exported and asked where its data are not; data may move and grow; others are told."""

import dataclasses
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from absl import logging
from PIL import Image

import tfvae
from tests.data.test_bag_of_words import npz
from tests.data.test_tfds import make
from tests.presets import PRESETS, embedded, tiny
from tfvae.configs import dgdn_flickr8k_images, sdgm_digits, vae_digits, vae_newsgroups
from tfvae.data import ingest, kept, load
from tfvae.run import opening
from tfvae.run.directory import RunDirectory
from tfvae.serving import export, requests, signatures
from tfvae.storage import checkpoints
from tfvae.training import trainer


def began(experiment, workdir, data=None):
    """A run directory with the weights that training would begin with as its best ones."""
    directory = RunDirectory(workdir)
    with directory.lock():
        data = data or directory.load_data(experiment)
        directory.record(experiment, data)
        checkpoints.save_weights(directory.best_weights, opening.build_model(experiment, data))
    return directory, data


def answers(opened, names=("classify", "caption", "encode", "reconstruct", "sample", "score", "image_from_caption")):
    """{signature: (questions of an export, answers of the model)}; encoded images take the same way."""
    data = opened.data
    forms = signatures.forms_of(data.entries)
    served = signatures.served_endpoints(opened.model, data.transforms, data.class_names, forms=forms)
    found = {}
    served = {name: of for name, of in served.items() if name in names}
    for name, inputs in requests.example_requests(served, export._asked(data)):
        given = [tf.constant(inputs[spec.name]) for spec in served[name].signature]
        found[name] = inputs, {key: value.numpy() for key, value in served[name].function(*given).items()}
    return found


def assert_alike(found, expected):
    assert found.keys() == expected.keys() and found
    for name, both in expected.items():
        for ours, theirs in zip(found[name], both, strict=True):
            for key, value in theirs.items():
                np.testing.assert_array_equal(ours[key], value, err_msg=f"{name}: {key}")


def families():
    """A preset of every model."""
    return sorted({type(tiny(preset).model): preset for preset in reversed(PRESETS)}.values())


@pytest.mark.parametrize("preset", families())
def test_every_family_is_opened_without_its_data(preset, tmp_path, monkeypatch):
    experiment, data = embedded(preset)
    directory, _ = began(experiment, tmp_path / "run", data)
    expected = opening.open_run(directory.path)
    monkeypatch.setattr(load, "load", lambda *args: pytest.fail("the data are not there"))
    opened = opening.open_without_data(directory.path)
    assert opened.data.info == expected.data.info and opened.experiment == expected.experiment
    assert (opened.data.class_names, opened.data.words) == (expected.data.class_names, expected.data.words)
    for ours, theirs in zip(opened.model.variables, expected.model.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs, err_msg=ours.path)
    rows = expected.data.test.take(np.arange(3))
    for name in expected.data.transforms:
        ours, theirs = (data.observe(rows, name=name) for data in (opened.data, expected.data))
        np.testing.assert_array_equal(ours, theirs, err_msg=name)


def photos_of(folder, first=0, num=36, captions=False):
    """Digits of two classes and some unlabelled ones, with captions where asked."""
    image = load.load(load.Config()).train.image
    rows = ["file_name,caption"]
    for i in range(first, first + num):
        name = f"{('zero', 'one', 'unlabelled')[i % 3]}/{i}.png"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[i, ..., 0]).save(folder / name)
        rows.append(f"{name},a digit of the {i % 5} kind")
    if captions:
        (folder / "metadata.csv").write_text("\n".join(rows) + "\n")
    return folder


def of_folder(base):
    return {"source": "folder", "path": str(photos_of(base / "photos"))}


def of_shards(base):
    ingest.ingest(photos_of(base / "photos"), base / "shards", report=lambda text: None)
    shutil.rmtree(base / "photos")
    return {"source": "shards", "path": str(base / "shards")}


def of_stored_shards(base):
    return of_shards(base) | {"max_memory_bytes": 700}


def of_folder_with_more(base):
    return of_folder(base) | {"more_images": str(photos_of(base / "more", 100, 9)), "image_size": 8}


def of_tfds(base, first=0):
    tfds = pytest.importorskip("tensorflow_datasets")
    features = tfds.features.FeaturesDict(
        {"image": tfds.features.Image(shape=(8, 8, 1)), "label": tfds.features.ClassLabel(names=["a", "b"])}
    )
    image = load.load(load.Config()).train.image
    rows = [{"image": image[first + i], "label": i % 2} for i in range(40)]
    make(base / "tfds", "kept_images", "1.0.0", features, {"train": rows[:30], "test": rows[30:]})
    return {"source": "tfds", "name": "kept_images", "data_dir": str(base / "tfds")}


def of_captions(base):
    return {"source": "folder", "path": str(photos_of(base / "photos", captions=True))}


def of_words(base):
    (base / "words").mkdir()
    rng = np.random.default_rng(0)
    counts = rng.poisson(1.0, [40, 20]).astype(np.float32)
    npz(base / "words", counts[:30], counts[30:])
    return {"source": "bag_of_words", "path": str(base / "words")}


_OTHERS = r"other data|is not the folder that the run began with"
SOURCES = {
    "folder": (sdgm_digits, of_folder), "more images": (vae_digits, of_folder_with_more),
    "shards": (vae_digits, of_shards), "stored shards": (vae_digits, of_stored_shards),
    "tfds": (vae_digits, of_tfds), "captions": (dgdn_flickr8k_images, of_captions), "words": (vae_newsgroups, of_words),
}  # fmt: skip


def experiment_of(kind, base):
    """One epoch on such data."""
    preset, made = SOURCES[kind]
    experiment = preset.get_config("tiny")
    settings = {"labels_per_class": 0, "num_validation": 6, "image_size": 0} | made(base)
    experiment.data = dataclasses.replace(experiment.data, **settings)
    experiment.training.epochs, experiment.training.figures_epochs = 1, 0
    return experiment


@pytest.mark.parametrize("kind", SOURCES)
def test_every_kind_of_data_may_be_gone_or_moved(kind, tmp_path):
    base, workdir = tmp_path / "data", tmp_path / "run"
    base.mkdir()
    experiment = experiment_of(kind, base)
    directory, _ = began(experiment, workdir)
    expected = opening.open_run(workdir)
    before, rows = answers(expected, ("encode",)), np.asarray(expected.data.test.image)

    base.rename(tmp_path / "moved")
    run = tfvae.open(workdir)
    assert_alike(answers(opening.Run(run.experiment, run._kept, run.model, workdir), ("encode",)), before)
    with pytest.raises(ValueError, match=r"are not in .*--data_path"):
        print(run.data)
    with pytest.raises(ValueError, match=r"are not in .*--data_path"):
        opening.open_run(workdir)

    place = str(experiment.data.place).replace(str(base), str(tmp_path / "moved"))
    if not experiment.data.more_images:
        np.testing.assert_array_equal(np.asarray(opening.load_data(workdir, place).test.image), rows)
    # A training that goes on finds them where the config says, and that is where they are from now on.
    experiment.data = experiment.data.moved_to(place)
    experiment.data.more_images = experiment.data.more_images.replace(str(base), str(tmp_path / "moved"))
    directory.record(experiment, directory.load_data(experiment))
    np.testing.assert_array_equal(np.asarray(opening.load_data(workdir).test.image), rows)


def test_training_goes_on_where_the_data_have_moved(tmp_path):
    experiment = experiment_of("words", tmp_path)
    trainer.train(experiment, tmp_path / "run")
    (tmp_path / "words").rename(tmp_path / "moved")
    experiment.data, experiment.training.epochs = experiment.data.moved_to(tmp_path / "moved"), 2
    assert trainer.train(experiment, tmp_path / "run")["epoch"] == 2
    assert RunDirectory(tmp_path / "run").read()[0].data.path == str(tmp_path / "moved")


@pytest.mark.parametrize("kind", [kind for kind in SOURCES if "more" not in kind])
def test_other_data_in_another_place_are_told(kind, tmp_path):
    (tmp_path / "a").mkdir()
    experiment = experiment_of(kind, tmp_path / "a")
    directory, _ = began(experiment, tmp_path / "run")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    place = experiment.data.place.replace(str(tmp_path / "a"), str(tmp_path / "b"))
    opening.load_data(directory.path, place)
    _change(tmp_path / "b")
    with pytest.raises(ValueError, match=_OTHERS):
        opening.load_data(directory.path, place)
    experiment.data = experiment.data.moved_to(place)
    with pytest.raises(ValueError, match=_OTHERS):
        directory.load_data(experiment)


def _change(folder):
    """Puts another row into whatever lies there."""
    photos, words = sorted(folder.rglob("zero/*.png")), sorted(folder.rglob("*.npz"))
    shards = sorted(folder.rglob("*.tfrecord*"))
    if photos:
        Image.new("L", (8, 8), 200).save(photos[0])
    elif words:
        npz(words[0].parent, np.ones([30, 20], np.float32), np.ones([10, 20], np.float32))
    elif (folder / "tfds").exists():
        shutil.rmtree(folder / "tfds")
        of_tfds(folder, first=3)
    else:
        other = folder / "others"
        ingest.ingest(photos_of(other, 50), folder / "again", report=lambda text: None)
        shutil.rmtree(shards[0].parent)
        (folder / "again").rename(shards[0].parent)


def test_data_that_are_not_read_from_files_cannot_have_moved(tmp_path):
    directory, _ = began(vae_digits.get_config("tiny"), tmp_path / "run")
    with pytest.raises(ValueError, match="reads no files that could have moved"):
        opening.open_run(directory.path, tmp_path)


@pytest.mark.parametrize("kind", ["folder", "captions", "more images"])
def test_a_folder_that_grows_is_counted_and_what_vanished_is_named(kind, tmp_path, monkeypatch):
    experiment = experiment_of(kind, tmp_path)
    directory, data = began(experiment, tmp_path / "run")
    said = []
    monkeypatch.setattr(logging, "info", lambda text, *args: said.append(text % args))
    grown = tmp_path / ("more" if kind == "more images" else "photos")
    photos_of(grown, 200, 5)
    (grown / "notes.txt").write_text("no image")
    again = opening.open_run(directory.path).data
    assert [line for line in said if f"{grown} has 6 more files than when the run began" in line]
    np.testing.assert_array_equal(again.train.image, data.train.image)
    names = sorted(path.relative_to(grown).as_posix() for path in grown.rglob("*.png"))
    names = [name for name in names if int(name.split("/")[1].removesuffix(".png")) < 200]
    for name in names[:2]:
        (grown / name).unlink()
    Image.new("L", (8, 8), 200).save(grown / names[2])
    told = rf"2 gone \({names[0]}, {names[1]}\); 1 other images now \({names[2]}\)"
    with pytest.raises(ValueError, match=told):
        opening.open_run(directory.path)


def test_the_commands_need_no_data_and_say_where_they_look(tmp_path):
    experiment = experiment_of("folder", tmp_path)
    directory, _ = began(experiment, tmp_path / "run")
    (tmp_path / "photos").rename(tmp_path / "moved")
    model = f"--model={tmp_path / 'served' / 'digits'}"
    commands = {
        "sample": [f"--output={tmp_path / 'samples.png'}"],
        "export": [f"--output={tmp_path / 'served' / 'digits'}"],
        "predict": [model, f"--input={tmp_path / 'moved'}", f"--output={tmp_path / 'out'}"],
        "ask": [model, str(tmp_path / "moved" / "zero" / "0.png")],
    }
    workdir = f"--workdir={directory.path}"
    for name, arguments in commands.items():
        of_run = [workdir] if name in ("sample", "export") else []
        done = _run(name, *of_run, *arguments)
        assert done.returncode == 0, done.stderr
        assert "holds\n" not in done.stderr and "rejected" not in done.stderr, "the folder is told of by training alone"
    assert len((tmp_path / "out" / "part-00000-of-00001.jsonl").read_text().splitlines()) == 36
    (directory.path / "metrics.jsonl").write_text(json.dumps({"epoch": 1, "val_error": 1.0, "val_bound": 0.0}) + "\n")
    lost = _run("evaluate", workdir)
    assert lost.returncode == 1 and "--data_path" in lost.stderr and len(lost.stderr.strip().splitlines()) == 1
    found = _run("evaluate", workdir, f"--data_path={tmp_path / 'moved'}", "--iw_samples=0")
    assert found.returncode == 0 and json.loads(found.stdout)["error"] >= 0 and "rejected" not in found.stderr


def _run(name, *arguments):
    return subprocess.run([sys.executable, "-m", f"tfvae.bin.{name}", *arguments], capture_output=True, text=True)


def test_a_run_that_keeps_no_data_is_opened_with_them(tmp_path):
    directory, data = began(vae_digits.get_config("tiny"), tmp_path / "run")
    directory.kept_data.unlink()
    assert len(opening.open_without_data(directory.path).data.train) == len(data.train)
    with directory.lock():
        directory.record(vae_digits.get_config("tiny"), data)  # As a training that goes on does.
    assert len(opening.open_without_data(directory.path).data.train) < 5


def test_what_a_killed_start_left_is_not_kept(tmp_path):
    directory, _ = began(vae_digits.get_config("tiny"), tmp_path / "run")
    directory.config.unlink()  # It comes last: without it nothing began.
    directory.best_weights.unlink()
    shutil.rmtree(directory.checkpoints, ignore_errors=True)
    _, data = began(sdgm_digits.get_config("tiny"), tmp_path / "run")
    assert opening.open_without_data(directory.path).data.info == data.info


def test_whitened_images_are_whitened_alike(tmp_path):
    experiment = sdgm_digits.get_config("tiny")
    experiment.data.transform = dataclasses.replace(
        experiment.data.transform, noise="none", contrast="global", whiten=True, min_pixel_std=0.0
    )
    data = load.load(experiment.data)
    again = kept.from_bytes(kept.to_bytes(data), experiment.data, json.loads(json.dumps(data.split)))
    rows = data.test.take(np.arange(5))
    np.testing.assert_array_equal(again.observe(rows), data.observe(rows))
    pictures = (of.transform.picture(of.observe(rows)) for of in (again, data))
    np.testing.assert_array_equal(*pictures)
