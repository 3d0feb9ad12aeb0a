"""What strangers may hand us, and who reads it: a reader may refuse, by a ValueError that says why, and nothing else.

A target is a class with `corpus`, inputs that are right; `change(content, rng)`; and `read(content)`.
"""

import io
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from tfvae import experiment as experiments
from tfvae.configs import dgdn_digits, multimodal_digits, sdgm_digits
from tfvae.data import annotations, images, ingest, load, manifest, metadata
from tfvae.data.sources import shards
from tfvae.serving import checks, image_decoding, signatures
from tfvae.storage import checked_json, numpy_files, record_files, tfrecord_format
from tools.fuzz import mutation

CORPUS = Path(__file__).parent / "corpus"


class Target:
    """Bytes of a file."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.corpus = self.begin()

    def begin(self):
        """The corpus; what reading needs is made here, once."""
        return [path.read_bytes() for path in sorted((CORPUS / type(self).__name__.lower()).iterdir())]

    def change(self, content, rng):
        return mutation.of_bytes(content, self.corpus, rng)

    def read(self, content):
        raise NotImplementedError

    def read_as(self, names, reader, content):
        """Reads a file of each of these names; refused where none of them is read, by an error that names it."""
        refusals = []
        for name in names:
            path = self.file(name, content)
            try:
                reader(path)
            except ValueError as error:
                if name not in str(error):
                    raise AssertionError(f"{error} does not name {name}") from error
                refusals.append(error)
        if len(refusals) == len(names):
            raise refusals[-1]

    def file(self, name, content):
        path = self.folder / name
        path.write_bytes(content)
        return path


class Images(Target):
    """Training's reader and the served graph take the same files, with the same pixels.

    Of a damaged JPEG one decoder may make something that the other refuses, and libpng passes over chunks with another
    checksum that a picture can do without, such as one of transparency: training refuses such a PNG.
    """

    shape = (12, 20, 3)

    def begin(self):
        rows = [tf.TensorSpec([None], tf.string)]
        self.served = tf.function(
            lambda rows: image_decoding.decode_each(rows, self.shape), input_signature=rows, autograph=False
        )
        return super().begin()

    def read(self, content):
        image, status = self.served(tf.constant([content], tf.string))
        refusal, is_png = status.numpy()[0].decode(), content.startswith(b"\x89PNG")
        path = self.file("image", content)
        try:
            images.check(path)
            trained = images.read(path)
        except images.BadImage as error:
            if is_png and not refusal and not str(error).startswith("damaged image"):
                raise AssertionError(f"training refuses it ({error}), a server takes it") from error
            raise
        if refusal and is_png:
            raise AssertionError(f"training takes it, a server refuses it ({refusal})")
        if refusal:
            raise ValueError(refusal)
        if is_png and trained.shape == self.shape and not np.array_equal(image.numpy()[0], trained):
            raise AssertionError("training and the server see other pixels")


class Tables(Target):
    """metadata.csv and metadata.jsonl."""

    def read(self, content):
        self.read_as(("metadata.csv", "metadata.jsonl"), metadata.read, content)


class Captions(Target):
    """Caption files of public sets."""

    def read(self, content):
        names = ("captions_train2017.json", "dataset_flickr8k.json", "Flickr8k.token.txt", "captions.txt")
        self.read_as(names, annotations.read, content)


class Arrays(Target):
    """.npy and .npz."""

    def begin(self):
        found = []
        for save, array in ((np.save, np.arange(12.0).reshape(3, 4)), (np.save, np.array(["a", "bc"]))):
            out = io.BytesIO()
            save(out, array)
            found.append(out.getvalue())
        for save in (np.savez, np.savez_compressed):
            out = io.BytesIO()
            save(out, images=np.zeros([3, 4, 4], np.uint8), labels=np.arange(3))
            found.append(out.getvalue())
        return found

    def read(self, content):
        is_archive = content.startswith(b"PK")
        self.read_as(("arrays",), numpy_files.read_archive if is_archive else numpy_files.read, content)


class Shards(Target):
    """A TFRecord file and a manifest that was made for it, so that no checksum stands before the reader."""

    def begin(self):
        photos = self.folder / "photos"
        for i in range(12):
            path = photos / ("cat" if i % 2 else "dog") / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng(i).integers(0, 256, [6, 6], np.uint8)
            Image.fromarray(pixels).save(path)
        ingest.ingest(photos, self.folder / "shards", report=lambda text: None)
        self.described = checked_json.read(self.folder / "shards" / manifest.NAME)
        self.name = next(of["name"] for of in self.described["shards"] if "train-labelled" in of["name"])
        return [(self.folder / "shards" / self.name).read_bytes()]

    def change(self, content, rng):
        """Of the file, or of one record, whose checksums are then right."""
        if rng.integers(2):
            return super().change(content, rng)
        path = self.file("changed", content)
        payloads = [frame.payload for frame in tfrecord_format.frames(path)]
        place = rng.integers(len(payloads))
        payloads[place] = mutation.of_bytes(payloads[place], payloads, rng)
        record_files.write(path, payloads)
        return path.read_bytes()

    def read(self, content):
        path = self.file(f"shards/{self.name}", content)
        fields = dict(self.described)
        fields["shards"] = [
            vars(manifest.describe(path, of["records"])) if of["name"] == self.name else of for of in fields["shards"]
        ]
        checked_json.write(self.folder / "shards" / manifest.NAME, fields)
        for policy in manifest.POLICIES:
            shards.load(load.Config(path=str(path.parent), on_bad_record=policy))


class OfJson(Target):
    """Values of JSON: the content is its text."""

    def change(self, content, rng):
        return mutation.text_of(mutation.of_json(checked_json.parse(content, "fuzz"), rng))


class Manifests(OfJson):
    """A manifest with a checksum of its own, made for it."""

    def begin(self):
        of = Shards(self.folder)
        return [mutation.text_of(of.described)]

    def read(self, content):
        path = self.folder / "shards" / manifest.NAME
        fields = checked_json.parse(content, path)
        if not isinstance(fields, dict):
            path.write_bytes(content)
        else:
            checked_json.write(path, {name: of for name, of in fields.items() if name != "checksum"})
        described = manifest.read(path.parent)
        manifest.verify(path.parent, described)
        shards.load(load.Config(path=str(path.parent)))


class Configs(OfJson):
    """config.json, without its checksum."""

    def begin(self):
        presets = (sdgm_digits, dgdn_digits, multimodal_digits)
        return [mutation.text_of(experiments.to_dict(of.get_config("tiny"))) for of in presets]

    def read(self, content):
        experiments.from_dict(checked_json.parse(content, "config.json"))


class Requests(Target):
    """Rows that a client sends: any bytes as images, any floats as intensities."""

    def begin(self):
        data = load.load(sdgm_digits.get_config("tiny").data)
        model = sdgm_digits.get_config("tiny").model.build(data.info)
        served = signatures.served_endpoints(model, data.transforms)
        self.classify, self.checked = (
            tf.function(served[name].function, autograph=False, reduce_retracing=True)
            for name in ("classify", "classify_bytes_checked")
        )
        out = io.BytesIO()
        Image.fromarray(np.full([8, 8], 70, np.uint8)).save(out, "PNG")
        return [out.getvalue(), np.linspace(0, 1, 128, dtype=np.float32).tobytes()]

    def read(self, content):
        answer = self.checked(tf.constant([content, self.corpus[0]]))
        if answer["status"].numpy()[1] or not np.isfinite(answer["probabilities"].numpy()[1]).all():
            raise AssertionError("a row that is no image harms its neighbour")
        if content.startswith(b"\x89PNG"):
            return
        floats = np.frombuffer(content[: len(content) // 256 * 256], np.float32)
        image = floats.reshape([-1, 8, 8, 1])
        try:
            probs = self.classify(tf.constant(image))["probabilities"].numpy()
        except tf.errors.InvalidArgumentError as error:
            raise ValueError(str(error)) from error
        if not ((image >= checks.FROM) & (image <= checks.TO)).all():
            raise AssertionError("intensities that are none are answered")
        if len(probs) != len(image) or not np.isfinite(probs).all():
            raise AssertionError("rows without an answer")


TARGETS = {of.__name__.lower(): of for of in (
    Images, Tables, Captions, Arrays, Shards, Manifests, Configs, Requests,
)}  # fmt: skip


def made(name):
    """(target, the folder that it lives in, which its caller removes)."""
    folder = tempfile.mkdtemp(prefix=f"tfvae-fuzz-{name}-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
    return TARGETS[name](folder), folder
