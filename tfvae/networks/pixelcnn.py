"""p(x | z) = Π_i p(x_i | x_<i, z): a PixelCNN whose every block looks at maps of z  (Shah, sections 4.6 and 5.6).

Values are in the order of rows, of pixels in a row, and of channels in a pixel. All values of a known image are
explained in one pass. A draw takes a step a value; a step computes what is new for its pixel alone: of the row above
every layer keeps its sums, of the own row what lies to the left.
"""

import keras
import tensorflow as tf

from tfvae.layers.masked import MaskedConv2D
from tfvae.layers.weight_norm import WeightNorm
from tfvae.probability import noise

_SIDE = 3  # Of the kernels that see other pixels.


class PixelCNN(keras.layers.Layer):
    """The masked part: from an image and maps of z to the parameters of every value.

    Args:
        image_shape: (H, W, C).
        maps: channels of the maps of z.
        filters: of every layer.
        num_blocks: masked residual blocks.
        family: `tfvae.probability.pixels.Pixels`.
    """

    def __init__(self, image_shape, maps, filters, num_blocks, family, **kwargs):
        super().__init__(**kwargs)
        height, width, channels = image_shape
        if filters < channels:
            raise ValueError(f"Each of {channels} channels needs a filter of its own, got `filters`={filters}.")
        self.image_shape, self.family = (height, width, channels), family

        def masked(name, filters_in, filters_out, side, kind):
            layer = MaskedConv2D(filters_out, side, kind, channels, name=f"{self.name}_{name}_masked")
            return WeightNorm(layer, [None, height, width, filters_in], name=f"{self.name}_{name}")

        def of_code(i):
            layer = keras.layers.Conv2D(filters, 1, name=f"{self.name}_code{i}_linear")
            return WeightNorm(layer, [None, height, width, maps], with_bias=False, name=f"{self.name}_code{i}")

        self.first = masked("first", channels, filters, _SIDE, "A")
        self.narrow = [masked(f"narrow{i}", filters, filters, 1, "B") for i in range(num_blocks)]
        self.middle = [masked(f"middle{i}", filters, filters, _SIDE, "B") for i in range(num_blocks)]
        self.wide = [masked(f"wide{i}", filters, filters, 1, "B") for i in range(num_blocks)]
        self.code = [of_code(i) for i in range(num_blocks)]
        self.last = masked("last", filters, channels * family.num_params, 1, "B")
        self.built = True

    def call(self, x, maps):
        """Parameters of the values of known images.

        Args:
            x: [N, H, W, C].
            maps: [N, H, W, M].

        Returns:
            [N, H, W, C, P].
        """
        h = self.first(x)
        for narrow, middle, wide, code in zip(self.narrow, self.middle, self.wide, self.code, strict=True):
            seen = middle(tf.nn.elu(narrow(tf.nn.elu(h)))) + code(maps)
            h = h + wide(tf.nn.elu(seen))
        return tf.reshape(self.last(tf.nn.elu(h)), [-1, *self.image_shape, self.family.num_params])

    def draw(self, maps, uniforms):
        """The images that uniform numbers stand for, value by value; the same as a full pass for every value.

        Args:
            maps: [N, H, W, M].
            uniforms: [N, H, W, C].

        Returns:
            [N, H, W, C].
        """
        height, width, channels = self.image_shape
        num, weights = tf.shape(maps)[0], _Weights(self)
        # Pixels first: what a step reads lies together.
        code = [tf.transpose(tf.cast(layer(maps), tf.float32), [1, 2, 0, 3]) for layer in self.code]
        uniforms = tf.transpose(uniforms, [1, 2, 0, 3])
        widths = [channels] + [layer.layer.filters for layer in self.narrow]

        def row(i, rows, above):
            sums = [pair.of_row_above(of_above) for pair, of_above in zip(weights.pairs, above, strict=True)]
            sums = [sums[0]] + [of_layer + of_code[i] for of_layer, of_code in zip(sums[1:], code, strict=True)]
            own_row, inputs = self._draw_row(weights, sums, uniforms[i], [tf.zeros([num, n]) for n in widths])
            return i + 1, rows.write(i, own_row), inputs

        rows = tf.TensorArray(tf.float32, height, element_shape=[width, None, channels])
        above = [tf.zeros([width, num, n]) for n in widths]
        shapes = [tf.TensorShape([width, None, n]) for n in widths]
        _, rows, _ = tf.while_loop(
            lambda i, *_: i < height, row, (0, rows, above),
            shape_invariants=(tf.TensorShape([]), None, shapes), parallel_iterations=1,
        )  # fmt: skip
        return tf.transpose(rows.stack(), [2, 0, 1, 3])

    def _draw_row(self, weights, sums, uniforms, left):
        """A row of pixels [W, N, C], and what it puts into every layer that sees other pixels: [[W, N, F], ...].

        Args:
            weights: `_Weights`.
            sums: of every such layer [W, N, F]: what the row above, the code and the bias add to it.
            uniforms: [W, N, C].
            left: zeros, what lies to the left of the first pixel.
        """
        width = self.image_shape[1]
        arrays = [tf.TensorArray(tf.float32, width, element_shape=[None, of.shape[-1]]) for of in left]

        def pixel(j, arrays, left):
            put_in = self._draw_pixel(weights, [of_layer[j] for of_layer in sums], uniforms[j], left)
            return j + 1, [array.write(j, of) for array, of in zip(arrays, put_in, strict=True)], put_in

        invariants = [tf.TensorShape([None, of.shape[-1]]) for of in left]
        _, arrays, _ = tf.while_loop(
            lambda j, *_: j < width, pixel, (0, arrays, left),
            shape_invariants=(tf.TensorShape([]), [None] * len(arrays), invariants), parallel_iterations=1,
        )  # fmt: skip
        inputs = [array.stack() for array in arrays]
        return inputs[0], inputs

    def _draw_pixel(self, weights, sums, uniforms, left):
        """A pixel, and what it puts into every layer that sees other pixels: [[N, F], ...], its values first."""
        params = self.family.num_params
        seen = [of + tf.matmul(of_left, pair.left) for of, of_left, pair in zip(sums, left, weights.pairs, strict=True)]
        values, put_in = [], []
        for channel in range(self.image_shape[-1]):
            h, put_in = seen[0], []
            if channel:
                h += tf.matmul(tf.concat(values, axis=-1), weights.pairs[0].own[:channel])
            for before, pair, narrow, wide in zip(
                seen[1:], weights.pairs[1:], weights.narrow, weights.wide, strict=True
            ):
                put_in.append(tf.nn.elu(narrow(tf.nn.elu(h))))
                h += wide(tf.nn.elu(before + tf.matmul(put_in[-1], pair.own)))
            of_value = weights.last.some(tf.nn.elu(h), channel * params, params)
            values.append(self.family(of_value[:, None]).inverted(uniforms[:, channel : channel + 1]))
        # Of the last channel's round: by then all that a layer may see of this pixel is known.
        return [tf.concat(values, axis=-1), *put_in]


class _Pair:
    """A 3×3 layer as a step sees it: two rows of its kernel."""

    def __init__(self, layer):
        kernel = tf.cast(layer.kernel(), tf.float32)
        self.above = tf.reshape(kernel[0], [-1, kernel.shape[-1]])
        self.left, self.own = kernel[1, 0], kernel[1, 1]
        self.bias = tf.convert_to_tensor(layer.b)

    def of_row_above(self, row):
        """What a row [W, N, F] adds to every pixel of the one below it, with the bias: [W, N, G]."""
        padded = tf.pad(row, [[1, 1], [0, 0], [0, 0]])
        width = row.shape[0]
        around = tf.concat([padded[k : k + width] for k in range(_SIDE)], axis=-1)
        return tf.matmul(around, self.above) + self.bias


class _Pointwise:
    """A 1×1 layer as a matrix."""

    def __init__(self, layer):
        self.kernel = tf.cast(layer.kernel(), tf.float32)[0, 0]
        self.bias = tf.convert_to_tensor(layer.b)

    def __call__(self, x):
        return tf.nn.bias_add(tf.matmul(x, self.kernel), self.bias)

    def some(self, x, first, num):
        """Of `num` units alone."""
        return tf.matmul(x, self.kernel[:, first : first + num]) + self.bias[first : first + num]


class _Weights:
    """What all steps of a draw have in common."""

    def __init__(self, net):
        self.pairs = [_Pair(layer) for layer in (net.first, *net.middle)]
        self.narrow = [_Pointwise(layer) for layer in net.narrow]
        self.wide = [_Pointwise(layer) for layer in net.wide]
        self.last = _Pointwise(net.last)


class Autoregressive:
    """p(x | z) of codes with batch shape [...]; it has no mean in closed form.

    Args:
        net: `PixelCNN`.
        maps: of the codes, [N, H, W, M].
        batch_shape: of the codes, N of them.
    """

    def __init__(self, net, maps, batch_shape):
        self.net, self.maps, self.batch_shape = net, maps, batch_shape

    def log_prob(self, x):
        """[...], nats, of images that broadcast against the codes."""
        shape = self.net.image_shape
        x = tf.reshape(x + tf.zeros(tf.concat([self.batch_shape, shape], axis=0)), [-1, *shape])
        return tf.reshape(self.net.family(self.net(x, self.maps)).log_prob(x), self.batch_shape)

    def picture(self, uniforms=None):
        """A draw, by uniform numbers that broadcast against [..., H, W, C]; without any, always by the same ones."""
        if uniforms is None:
            uniforms = noise.uniform(self.net.image_shape, noise.seed(0))
        shape = tf.concat([self.batch_shape, self.net.image_shape], axis=0)
        drawn = self.net.draw(self.maps, tf.reshape(uniforms + tf.zeros(shape), [-1, *self.net.image_shape]))
        return tf.reshape(drawn, shape)

    def sample(self, seed):
        """One image a code: [..., H, W, C]."""
        shape = tf.concat([self.batch_shape, self.net.image_shape], axis=0)
        return self.picture(noise.uniform(shape, seed))


class PixelCNNDecoder(keras.layers.Layer):
    """From codes to p(x | z): a network to maps of z, and the masked part.

    Args:
        trunk: a built model from codes [N, Z] to maps [N, H, W, M].
        net: `PixelCNN`.
    """

    def __init__(self, trunk, net, **kwargs):
        super().__init__(**kwargs)
        self.trunk, self.net = trunk, net
        self.built = True

    def call(self, z, training=False):
        maps = self.trunk(tf.reshape(z, [-1, z.shape[-1]]), training=training)
        return Autoregressive(self.net, maps, tf.shape(z)[:-1])
