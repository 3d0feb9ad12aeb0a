"""The TFDS source, on small made records of the sets that nobody can ship: SVHN cropped and small NORB."""

import numpy as np
import pytest

from tfvae.configs import drmm_svhn
from tfvae.data import images, load, transforms
from tfvae.data.sources import tfds as source
from tfvae.training import trainer

tfds = pytest.importorskip("tensorflow_datasets")


def make(folder, made, version, features, examples):
    """Writes a prepared set `made` with the splits of `examples` by TFDS's own builder."""

    class Made(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version(version)
        name = made

        def _info(self):
            return tfds.core.DatasetInfo(builder=self, features=features)

        def _split_generators(self, dl_manager):
            return {split: enumerate_rows(rows) for split, rows in examples.items()}

        def _generate_examples(self):
            raise NotImplementedError

    def enumerate_rows(rows):
        yield from enumerate(rows)

    Made(data_dir=folder).download_and_prepare()


@pytest.fixture
def svhn(tmp_path, rng):
    def rows(num):
        return [
            {"id": str(i), "image": rng.integers(0, 256, [32, 32, 3]).astype(np.uint8), "label": i % 10}
            for i in range(num)
        ]

    features = tfds.features.FeaturesDict(
        {
            "id": tfds.features.Text(),
            "image": tfds.features.Image(shape=(32, 32, 3)),
            "label": tfds.features.ClassLabel(num_classes=10),
        }
    )
    make(tmp_path, "svhn_cropped", "3.1.0", features, {"train": rows(40), "extra": rows(20), "test": rows(10)})
    return tmp_path


def test_svhn_joins_its_extra_images_and_divides_by_channel(svhn):
    transform = transforms.Config(noise="dequantise", scale="channel_std")
    config = load.Config(
        source="tfds", name="svhn_cropped", data_dir=str(svhn), labels_per_class=2, num_validation=10,
        labelled_batch=20, unlabelled_batch=20, transform=transform,
    )  # fmt: skip
    data = load.load(config)
    assert len(data.train) == 50
    assert len(data.test) == 10
    assert data.info.image_shape == (3072,)
    batch = next(iter(data.training_batches(0)))
    assert 3.0 < float(np.max(batch["unlabelled"]["image"])) < 4.0, "256 / std of uniform gray levels is 3.46"


def test_svhn_without_extra(svhn):
    config = load.Config(
        source="tfds", name="svhn_cropped", data_dir=str(svhn), labels_per_class=2, num_validation=8, extra_split=False
    )
    assert len(load.load(config).train) == 32


def test_svhn_trains_a_deep_rendering_mixture(svhn, tmp_path):
    experiment = drmm_svhn.get_config("tiny")
    experiment.data.data_dir, experiment.data.labels_per_class, experiment.data.num_validation = str(svhn), 2, 10
    experiment.data.labelled_batch = experiment.data.unlabelled_batch = 10
    last = trainer.train(experiment, tmp_path / "run")
    assert last["epoch"] == 1 and 0.0 <= last["val_error"] <= 1.0


def test_small_norb_is_a_resized_image_pair(tmp_path, rng):
    def rows(num):
        def image():
            return rng.integers(0, 256, [96, 96, 1]).astype(np.uint8)

        others = {"instance": 1, "label_azimuth": 0, "label_elevation": 0, "label_lighting": 0}
        return [{"image": image(), "image2": image(), "label_category": i % 5, **others} for i in range(num)]

    picture = tfds.features.Image(shape=(96, 96, 1))
    sizes = {"category": 5, "azimuth": 18, "elevation": 9, "lighting": 6}
    labels = {f"label_{name}": tfds.features.ClassLabel(num_classes=num) for name, num in sizes.items()}
    features = tfds.features.FeaturesDict({"image": picture, "image2": picture, "instance": np.int64, **labels})
    make(tmp_path, "smallnorb", "2.0.0", features, {"train": rows(30), "test": rows(10)})
    config = load.Config(
        source="tfds", name="smallnorb", data_dir=str(tmp_path), labels_per_class=2, num_validation=5, image_size=32,
        transform=transforms.Config(noise="dequantise"),
    )  # fmt: skip
    data = load.load(config)
    assert data.train.image.shape == (25, 32, 32, 2)
    assert data.info.num_classes == 5
    assert data.info.image_shape == (2048,)


def test_captions_of_coco_are_read_with_its_validation_split(tmp_path, rng):
    """With the features of `coco_captions`: photographs of several sizes, any number of captions each, no labels."""

    def rows(num):
        return [
            {
                "image": rng.integers(0, 256, [20 + i, 30, 3]).astype(np.uint8),
                "captions": [{"id": k, "text": f"Photo {i}, said {k}."} for k in range(i % 3)],
            }
            for i in range(num)
        ]

    captions = tfds.features.Sequence({"id": np.int64, "text": np.str_})
    features = tfds.features.FeaturesDict({"image": tfds.features.Image(shape=(None, None, 3)), "captions": captions})
    make(tmp_path, "photo_captions", "1.1.0", features, {"train": rows(12), "val": rows(6), "test": rows(3)})
    config = load.Config(
        source="tfds", name="photo_captions", data_dir=str(tmp_path), image_size=16, labelled_batch=0,
        captioned_batch=4, unlabelled_batch=4, transform=transforms.Config(flatten=False),
    )  # fmt: skip
    config.captions.min_count = 1
    data = load.load(config)
    assert data.train.image.shape == (12, 16, 16, 3) and data.info.num_classes == 0
    assert len(data.captioned) == 8 and len(data.validation) == 6 and len(data.validation.captioned()) == 4
    assert ("Photo 2, said 0.", "Photo 2, said 1.") in data.captioned.captions
    batch = next(iter(data.training_batches(0)))
    assert batch["captioned"]["caption"].shape == (4, 21) and batch["captioned"]["image"].shape == (4, 16, 16, 3)


def made_images(folder, image_of, shape, dtype, num=6):
    """Prepares the set `made` of images [num, H, W, C] with two classes."""
    rows = [{"image": image_of(i), "label": i % 2} for i in range(num)]
    features = tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(shape=shape, dtype=dtype),
            "label": tfds.features.ClassLabel(num_classes=2),
        }
    )
    make(folder, "made", "1.0.0", features, {"train": rows, "test": rows[:2]})


def read_set(folder, image_size=0):
    return source.rows(source.builder_of("made", str(folder)), "train", image_size)


@pytest.mark.parametrize("shape", [(20, 32, 3), (None, None, 3)])
def test_images_that_are_not_square_are_cut_as_those_of_a_folder(tmp_path, rng, shape, survives):
    stored = rng.integers(0, 256, [6, 20, 32, 3], dtype=np.uint8)
    made_images(tmp_path, lambda i: stored[i], shape, np.uint8)
    found = sorted(image.tobytes() for image in read_set(tmp_path, 8).image)
    for i, image in enumerate(stored):
        (tmp_path / f"{i}.png").write_bytes(images.encode_png(image))
    with survives(f"53 images of a data set that are not square, {shape}"):
        assert found == sorted(images.read(tmp_path / f"{i}.png", 8).tobytes() for i in range(6))


@pytest.mark.parametrize("size", [0, 8])
def test_sixteen_bits_and_floats_of_a_set_are_scaled(tmp_path, rng, size, survives):
    levels = rng.integers(0, 256, [6, 12, 10, 1], dtype=np.uint8)
    want = sorted(image.tobytes() for image in images.prepared(levels, size))
    for dtype, stored in ((np.uint16, levels.astype(np.uint16) * 257), (np.float32, np.float32(levels / 255))):
        made_images(tmp_path / dtype.__name__, lambda i, stored=stored: stored[i], (12, 10, 1), dtype)
        with survives(f"53 images of a data set of {dtype.__name__}, {size}"):
            found = read_set(tmp_path / dtype.__name__, size).image
            assert found.dtype == np.uint8
            assert sorted(image.tobytes() for image in found) == want


def test_floats_beyond_intensities_are_refused_with_the_name_of_the_set(tmp_path, rng, survives):
    stored = (255.0 * rng.random([6, 12, 10, 1])).astype(np.float32)
    made_images(tmp_path, lambda i: stored[i], (12, 10, 1), np.float32)
    with (
        survives("53 floats of 0..255"),
        pytest.raises(ValueError, match=r"images of 'made' .* intensities in \[0, 1\]"),
    ):
        read_set(tmp_path)


def test_a_set_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match="mnist"):
        load.load(load.Config(source="tfds", name="mnist", data_dir=str(tmp_path)))
