"""Where a model trains ."""

import functools

import tensorflow as tf


def strategy(num_replicas):
    """The strategy for that many replicas: 1 for none, 0 for all GPUs there are.

    Raises:
        ValueError: for more replicas than devices.
    """
    gpus = tf.config.list_logical_devices("GPU")
    replicas = num_replicas or max(1, len(gpus))
    if replicas == 1:
        return tf.distribute.get_strategy()
    cpus = tf.config.list_logical_devices("CPU")
    devices = gpus if len(gpus) >= replicas else cpus
    if len(devices) < replicas:
        raise ValueError(
            f"`training.num_replicas={num_replicas}` needs as many devices, but TensorFlow sees {len(gpus)} GPUs. "
            "Use 1 for a single device, or 0 for all GPUs there are."
        )
    return _mirrored(tuple(device.name for device in devices[:replicas]))


@functools.cache
def _mirrored(names):
    # Once a process: a second strategy on the same devices counts its collective operations from the start again, and
    # TensorFlow takes them for those of the first.
    return tf.distribute.MirroredStrategy(list(names))


def training_batches(strategy, data, seed, start_step):
    """What `fit` reads: the batches of all steps from `start_step`, dealt to the replicas in their order."""
    replicas = strategy.num_replicas_in_sync
    if replicas == 1:
        return data.training_batches(seed, start_step)
    return strategy.distribute_datasets_from_function(
        lambda context: data.training_batches(seed, start_step, num_replicas=replicas)
    )
