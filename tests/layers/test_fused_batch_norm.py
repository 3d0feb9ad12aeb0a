import keras
import numpy as np
import pytest
import tensorflow as tf

from tfvae.layers.fused_batch_norm import FusedBatchNormalization

SHAPE = (6, 5, 4, 3)


def maps_of(seed):
    return tf.constant(np.random.default_rng(seed).normal(1.0, 2.0, SHAPE).astype(np.float32))


def trained(kind, compiled):
    """Outputs, gradients and weights of a layer after two minibatches."""
    layer = kind(momentum=0.7)
    layer.build(SHAPE)
    layer.gamma.assign([0.5, 1.0, 2.0])
    layer.beta.assign([0.1, 0.0, -1.0])

    def step(maps, upstream):
        with tf.GradientTape() as tape:
            tape.watch(maps)
            normed = layer(maps, training=True)
            total = tf.reduce_sum(normed * upstream)
        return normed, tape.gradient(total, [maps, *(weight.value for weight in layer.trainable_variables)])

    step = tf.function(step, jit_compile=compiled)
    answers = [step(maps_of(seed), maps_of(seed + 10)) for seed in range(2)]
    return answers, layer.get_weights(), layer(maps_of(5), training=False)


@pytest.mark.parametrize("compiled", [False, True])
def test_is_keras_own_in_outputs_gradients_and_running_averages(compiled):
    ours, theirs = (trained(kind, compiled) for kind in (FusedBatchNormalization, keras.layers.BatchNormalization))
    tf.nest.map_structure(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5), ours, theirs)


def test_maps_in_bfloat16_keep_statistics_in_float32():
    layer = FusedBatchNormalization(dtype=keras.DTypePolicy("mixed_bfloat16"))
    layer.build(SHAPE)
    normed = layer(tf.cast(maps_of(0), tf.bfloat16), training=True)
    assert normed.dtype == tf.bfloat16
    assert layer.moving_mean.dtype == "float32"
    np.testing.assert_allclose(tf.cast(normed, tf.float32), (maps_of(0) - 1.0) / 2.0, atol=0.6)
    np.testing.assert_allclose(layer.moving_mean, 0.01 * tf.reduce_mean(maps_of(0), axis=[0, 1, 2]), atol=1e-3)
