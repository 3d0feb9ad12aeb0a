"""Our PixelCNN, drawn from in two ways."""

import keras
import numpy as np
import tensorflow as tf
import worker

from tfvae.networks.pixelcnn import PixelCNN
from tfvae.probability import noise, pixels

# Image -> (shape, likelihood, maps).
IMAGES = {"28x28x1": ((28, 28, 1), "bernoulli", 16), "32x32x3": ((32, 32, 3), "logistic_mixture", 32)}


def made(image, batch):
    """(the network, maps of z, uniform numbers)."""
    shape, likelihood, filters = IMAGES[image]
    keras.utils.set_random_seed(0)
    net = PixelCNN(shape, filters, filters, 3, pixels.PIXELS[likelihood], name="pixels")
    maps = tf.random.stateless_normal([batch, *shape[:2], filters], [0, 1])
    return net, maps, noise.uniform([batch, *shape], noise.seed(0))


def incremental(image, batch):
    """The served way: what is new for a pixel."""
    net, maps, uniforms = made(image, batch)
    draw = tf.function(net.draw)
    return worker.repeated(lambda: draw(maps, uniforms).numpy())


def naive(image, batch):
    """A compiled full pass for every value, as a loop that people write."""
    net, maps, uniforms = made(image, batch)
    draw = tf.function(lambda: _by_full_passes(net, maps, uniforms))
    return worker.repeated(lambda: draw().numpy())


def _by_full_passes(net, maps, uniforms):
    shape, flat = net.image_shape, [tf.shape(maps)[0], -1]
    uniforms = tf.reshape(uniforms, flat)
    num_values = int(np.prod(shape))

    def value(i, x):
        params = net(tf.reshape(x, [-1, *shape]), maps)
        own = tf.reshape(params, [flat[0], num_values, net.family.num_params])[:, i]
        drawn = net.family(own[:, None, None, None]).inverted(uniforms[:, i, None, None, None])
        return i + 1, x + tf.reshape(drawn, [-1, 1]) * tf.one_hot(i, num_values)

    _, x = tf.while_loop(lambda i, _: i < num_values, value, (0, tf.zeros_like(uniforms)), parallel_iterations=1)
    return tf.reshape(x, [-1, *shape])


def check(image, batch):
    """How many values the two ways draw otherwise; fails for more than a rounding might turn over."""
    net, maps, uniforms = made(image, batch)
    ours, theirs = tf.function(net.draw)(maps, uniforms), tf.function(lambda: _by_full_passes(net, maps, uniforms))()
    differing = int(np.sum(np.asarray(ours) != np.asarray(theirs)))
    if differing:
        raise ValueError(f"{differing} of {np.size(ours)} values differ between the two ways: mend one of them.")
    return {"values": int(np.size(ours)), "differing": differing}


if __name__ == "__main__":
    cases = {"incremental": incremental, "naive": naive}
    worker.serve(cases, {"check": check}, {"tensorflow": tf.__version__, "keras": keras.__version__})
