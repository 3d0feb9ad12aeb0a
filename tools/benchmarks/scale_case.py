"""One case of scale.py: does a job once and prints the seconds it took."""

import dataclasses
import json
import sys
import time
from pathlib import Path

import tensorflow as tf
from PIL import Image

import pipelines  # noqa: F401  (before TensorFlow)
from tfvae.configs import sdgm_folder
from tfvae.data import folder, ingest, load
from tfvae.serving import export, predictions

_BATCH = 64


def main(job, runner, source, model, size, out):
    source, model, size, out = Path(source), Path(model), int(size), Path(out)
    if job == "model":
        write_model(source, model, size, out)
        print(json.dumps({"seconds": 0.0}))
        return
    spread = spread_of(runner)
    began = time.perf_counter()
    {"ingest": ingested, "predict": predicted}[job](spread, source, model, size, out)
    print(json.dumps({"seconds": time.perf_counter() - began}))


def spread_of(runner):
    """`map`, that of Beam, or None for the plain loop."""
    if not runner.startswith("beam"):
        return None if runner == "plain_loop" else map
    from pipelines import beam

    return beam.spread(num_workers=int(runner.split("_")[1]))


def ingested(spread, source, model, size, out):
    del model
    if spread is None:
        return plain_ingest(source, size, out)
    config = folder.Config(image_size=size)
    quiet = {"report": lambda text: None, "records_per_shard": 1000}
    return ingest.ingest(source, out / "shards", config, spread=spread, **quiet)


def predicted(spread, source, model, size, out):
    del size
    if spread is None:
        return plain_predict(source, model, out)
    return predictions.predict(
        model, source, out / "predictions", ("encode",), rows_per_part=200, spread=spread, report=lambda text: None
    )


def plain_ingest(source, size, out):
    with tf.io.TFRecordWriter(str(out / "records")) as writer:
        for path in sorted(source.iterdir()):
            image = Image.open(path)
            scale = size / min(image.size)
            image = image.resize([round(scale * edge) for edge in image.size])
            left, top = ((edge - size) // 2 for edge in image.size)
            content = image.crop((left, top, left + size, top + size)).tobytes()
            feature = {"image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[content]))}
            writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())


def plain_predict(source, model, out):
    served = tf.saved_model.load(str(export.newest(model)))
    encode, files = served.signatures["encode_bytes"], sorted(source.iterdir())
    with open(out / "codes.jsonl", "w") as lines:
        for first in range(0, len(files), _BATCH):
            names = files[first : first + _BATCH]
            answer = encode(image_bytes=tf.constant([path.read_bytes() for path in names]))
            for path, code, deviation in zip(names, answer["mean"].numpy(), answer["stddev"].numpy()):
                line = {"file": path.name, "code": code.tolist(), "code_stddev": deviation.tolist()}
                lines.write(json.dumps(line) + "\n")


def write_model(source, model, size, out):
    """An untrained SDGM for the images of a folder, exported without the gate, which is not timed here."""
    sample = out / "sample"
    sample.mkdir()
    for path in sorted(source.iterdir())[:40]:
        (sample / path.name).symlink_to(path.resolve())
    for place in ("a", "b"):
        (sample / place).mkdir()
    for i, path in enumerate(sorted(sample.iterdir())):
        if path.is_symlink():
            kept = sample / "ab"[i % 2] / path.name
            kept.write_bytes(path.read_bytes())
            path.unlink()
    experiment = sdgm_folder.get_config("tiny")
    data = dataclasses.replace(experiment.data, path=str(sample), image_size=size, num_validation=4)
    loaded = load.load(data)
    built = experiment.model.build(loaded.info, seed=0).prepare(next(iter(loaded.training_batches(0))))
    version = model / "1"
    export.write(built, loaded, version)
    (version / "assets.extra").mkdir(exist_ok=True)
    export._describe(version, built, loaded, model.name, export.gate.Report(*["not verified: timed only"] * 5), None)


if __name__ == "__main__":
    main(*sys.argv[1:])
