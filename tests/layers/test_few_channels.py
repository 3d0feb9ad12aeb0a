import numpy as np
import pytest
import tensorflow as tf

from tfvae.layers import few_channels

CASES = [(channels, size) for channels in (1, 3) for size in (1, 3, 4)]


def numbers(*shape):
    return tf.constant(np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32))


def by_transposes(maps, kernel, shape):
    """The same as the transpose of a "valid" convolution."""
    return tf.nn.conv2d_transpose(maps, tf.transpose(kernel, [0, 1, 3, 2]), shape, 1, "VALID")


@pytest.mark.parametrize(("channels", "size"), CASES)
def test_full_convolution_is_the_transpose_of_a_valid_one(channels, size):
    maps, kernel = numbers(2, 5, 6, channels), numbers(size, size, channels, 7)
    expected = by_transposes(maps, kernel, [2, 4 + size, 5 + size, 7])
    np.testing.assert_allclose(few_channels.full(maps, kernel), expected, atol=1e-5)


@pytest.mark.parametrize(("channels", "size"), CASES)
def test_transpose_is_a_valid_convolution_and_has_its_gradients(channels, size):
    kernel, upstream = numbers(size, size, channels, 7), numbers(2, 5, 6, channels)
    maps = tf.constant(np.random.default_rng(9).normal(size=[2, 4 + size, 5 + size, 7]).astype(np.float32))

    def answers(render):
        with tf.GradientTape() as tape:
            tape.watch([maps, kernel])
            rendered = render(maps, kernel)
            total = tf.reduce_sum(rendered * upstream)
        return rendered, *tape.gradient(total, [maps, kernel])

    def plainly(maps, kernel):
        return tf.nn.conv2d(maps, tf.transpose(kernel, [0, 1, 3, 2]), 1, "VALID")

    for ours, theirs in zip(answers(tf.function(few_channels.full_transposed)), answers(plainly)):
        np.testing.assert_allclose(ours, theirs, atol=3e-5)
