"""The "full" convolution of maps of one to four channels, and its transpose, as fast as the processor allows.

oneDNN's kernels want 16 channels and more on both sides: the filter gradient of images of one channel takes four
times as long as it should where the convolution is written as the transpose of a "valid" one, otherwise the fast way.
"""

import tensorflow as tf

MOST = 4  # With eight channels the ordinary forms are faster.


def full(maps, kernel):
    """[B, H, W, c], filters [k, k, c, C] -> [B, H + k − 1, W + k − 1, C]: Σ_ij maps[h − i, w − j] kernel[i, j]."""
    return tf.nn.conv2d(_grown(maps, kernel), kernel[::-1, ::-1], 1, "VALID")


@tf.custom_gradient
def full_transposed(maps, kernel):
    """The transpose of `full`: [B, H + k − 1, W + k − 1, C], [k, k, c, C] -> [B, H, W, c].

    Its gradients are those of the padded form: a fifth of the time in the filters' gradient.
    """

    def gradient(upstream):
        grown = _grown(upstream, kernel)
        of_kernel = tf.raw_ops.Conv2DBackpropFilter(
            input=grown, filter_sizes=tf.shape(kernel), out_backprop=maps, strides=[1, 1, 1, 1], padding="VALID"
        )
        return full(upstream, kernel), of_kernel[::-1, ::-1]

    if kernel.shape[2] > 1:
        return tf.nn.conv2d(maps, tf.transpose(kernel, [0, 1, 3, 2]), 1, "VALID"), gradient
    return _shifted_products(maps, kernel), gradient


def _shifted_products(maps, kernel):
    """One matrix product for all places of the filters, and a sum of its columns, each moved to its place."""
    size, _, _, channels = kernel.shape
    products = tf.matmul(maps, tf.reshape(kernel, [size * size, channels]), transpose_b=True)  # [B, H, W, k²]
    height, width = (tf.shape(maps)[axis] - size + 1 for axis in (1, 2))
    places = [(i, j) for i in range(size) for j in range(size)]
    return tf.add_n([products[:, i : i + height, j : j + width, at, None] for at, (i, j) in enumerate(places)])


def _grown(maps, kernel):
    rows, columns = kernel.shape[0] - 1, kernel.shape[1] - 1
    return tf.pad(maps, [(0, 0), (rows, rows), (columns, columns), (0, 0)])
