"""Our input: batches of `tfvae.data` as training asks for them."""

import made_data
import train_step_tf
import worker

from tfvae.data import load, transforms

TRANSFORM = transforms.Config(noise="binarise", min_pixel_std=0.1)


def mixed(shards):
    """100 labelled and 100 bare images a batch, all in memory."""
    return _batches(load.Config(source="shards", path=shards, transform=TRANSFORM))


def streamed(shards, storage):
    """100 bare images a batch, read from shards again and again."""
    with made_data.stored_as(storage):
        # No image is allowed to stay in memory but the labelled ones, to which the transform is fitted.
        config = load.Config(source="shards", path=shards, labelled_batch=0, max_memory_bytes=0, transform=TRANSFORM)
        return _batches(config)


def _batches(config):
    batches = iter(load.load(config).training_batches(seed=0))
    return worker.repeated(lambda: next(batches))


if __name__ == "__main__":
    worker.serve(
        {"mixed": mixed, "streamed": streamed, "bare": train_step_tf.bare_step},
        {"write_shards": train_step_tf.write_shards},
        train_step_tf.versions(),
    )
