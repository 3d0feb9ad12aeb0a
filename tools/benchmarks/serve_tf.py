"""An exported model, loaded as a server loads it: the signature `classify`."""

import numpy as np
import tensorflow as tf
import train_step_tf
import worker

from tfvae.serving import export


def write_model(shards, images, folder, weights):
    """Exports an untrained ADGM; writes its classifier, and what it says of some images, to `weights`.

    The gate of an export is not part of what is timed, so it is left to `tfvae-export`.
    """
    _, data, model = train_step_tf.adgm(shards)
    export.write(model, data, folder)
    arrays = {
        f"{network}/{i}": array
        for network in ("q_a_given_x", "q_y_given_ax")
        for i, array in enumerate(train_step_tf.dense_arrays(getattr(model, network)))
    }
    probs = signature(folder)(image=_images(images, 256))["probabilities"]
    np.savez(weights, kept=data.transform.kept, probs=probs, **{name: np.asarray(a) for name, a in arrays.items()})


def classify(folder, images, batch_size):
    """One request: probabilities, class and label of a batch of images."""
    served, image = signature(folder), _images(images, batch_size)
    return worker.repeated(lambda: served(image=image)["probabilities"].numpy())


def signature(folder):
    loaded = tf.saved_model.load(folder)
    served = loaded.signatures["classify"]
    served.keeps_alive = loaded  # The variables are the loaded object's.
    return served


def _images(images, batch_size):
    """Intensities in [0, 1], [B, 28, 28, 1]."""
    return tf.constant(np.load(images)[:batch_size].astype(np.float32) / 255)


if __name__ == "__main__":
    worker.serve(
        {"classify": classify},
        {"write_shards": train_step_tf.write_shards, "write_model": write_model},
        train_step_tf.versions(),
    )
