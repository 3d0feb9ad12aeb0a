"""The score function with the variance reduction of NVIL.

∇ E_q(u)[f(u)] = E_q(u)[ (f(u) − c(x)) ∇ log q(u) + ∇f(u) ].  The learning signal f is centred by a baseline that looks
at the image and by a running mean, then divided by max(1, its running standard deviation).

Mnih & Gregor 2014, sections 2.3 and 2.4 (their algorithm 1); Pu et al. 2016, eqs. (22) to (24).
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfvae.inference import maps
from tfvae.inference.maps import MapDraw, MapLikelihood, Surrogate
from tfvae.networks.dgdn import Deconvnet

# The baseline looks at an image of at most so many pixels a side: it need not see details.
_BASELINE_SIDE = 32


class Nvil(keras.layers.Layer):
    """One signal an image for the maps of a layer: everything that depends on them.

    So −KL(q(s | x, u) ‖ p(s)), the label and the maps of the layers above are in it too, because the same map pools in
    the encoder. (Pu et al. 2016, eq. (22), keeps the image's terms alone, as if s did not depend on u.)

    Args:
        deconvnet: `tfvae.networks.dgdn.Deconvnet`.
        image_shape: (H, W, C).
        decay: of the running mean and variance.
        hidden: tanh units of the baseline.
        scale: whether the signal is divided by its running standard deviation.
    """

    def __init__(
        self,
        deconvnet: Deconvnet,
        image_shape: tuple[int, ...],
        decay: float = 0.8,
        hidden: int = 100,
        scale: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.decay, self.scale = decay, scale
        self.cells = [self._signal_shape(deconvnet, layer) for layer in range(deconvnet.num_pooled)]
        self.means = [self._statistic(f"mean{i}", shape, "zeros") for i, shape in enumerate(self.cells)]
        self.variances = [self._statistic(f"variance{i}", shape, "ones") for i, shape in enumerate(self.cells)]
        self.shrink = max(1, -(-max(image_shape[:2]) // _BASELINE_SIDE))
        seen = [-(-side // self.shrink) for side in image_shape[:2]]
        self.baseline_hidden = keras.layers.Dense(hidden, activation="tanh", name="baseline_hidden")
        self.baseline_hidden.build([None, seen[0] * seen[1] * image_shape[2]])
        self.baselines = [keras.layers.Dense(h * w, name=f"baseline{i}") for i, (h, w) in enumerate(self.cells)]
        for baseline in self.baselines:
            baseline.build([None, hidden])
        self.built = True

    def draw(self, logits: tf.Tensor, block: int, seed: tf.Tensor) -> MapDraw:
        return maps.hard_draw(logits, block, seed)

    def surrogate(self, draws: Sequence[MapDraw], likelihood: MapLikelihood, training: bool = False) -> Surrogate:
        hidden = self.baseline_hidden(self._seen(likelihood.image))
        value, loss = likelihood.total(), 0.0
        for layer, draw in enumerate(draws):
            signal = tf.stop_gradient(self.signal(draws, likelihood, layer))  # [N, h, w, K or 1]
            baseline = tf.reshape(self.baselines[layer](hidden), [-1, *self.cells[layer], 1])
            centred = self._centred(layer, signal, baseline, training)
            log_q = draw.log_ratio  # The prior in it is constant.
            value += tf.reduce_sum(tf.stop_gradient(centred) * log_q, axis=[1, 2, 3])
            loss += tf.reduce_mean(centred**2)
        return Surrogate(value, loss)

    def signal(self, draws: Sequence[MapDraw], likelihood: MapLikelihood, layer: int) -> tf.Tensor:
        """f for the maps of a layer: [N, 1, 1, 1], nats."""
        above = sum(tf.reduce_sum(draw.log_ratio, axis=[1, 2, 3]) for draw in draws[layer:])
        return (likelihood.total() - above)[:, None, None, None]

    def _centred(self, layer: int, signal: tf.Tensor, baseline: tf.Tensor, training: bool) -> tf.Tensor:
        """(f − mean − baseline) / max(1, sd): [N, h, w, K]. The baseline is in units of sd: it learns at any scale."""
        mean, variance = self.means[layer], self.variances[layer]
        deviation = tf.maximum(1.0, tf.sqrt(variance)) if self.scale else tf.constant(1.0)
        deviation = deviation[..., None] if self.scale else deviation
        centred = signal - mean[..., None]
        if training:
            self._follow(mean, tf.reduce_mean(signal, axis=[0, 3]))
            # Without the baseline: it is in units of this deviation, and would drive it up where it is above 1 itself.
            self._follow(variance, tf.reduce_mean(centred**2, axis=[0, 3]))
        return centred / deviation - baseline

    def _follow(self, average: keras.Variable, now: tf.Tensor) -> None:
        average.assign(self.decay * average + (1.0 - self.decay) * now)

    def _signal_shape(self, deconvnet: Deconvnet, layer: int) -> tuple[int, int]:
        return (1, 1)

    def _statistic(self, name: str, shape: tuple[int, int], initializer: str) -> keras.Variable:
        return self.add_weight(shape=shape, initializer=initializer, trainable=False, aggregation="mean", name=name)

    def _seen(self, image: tf.Tensor) -> tf.Tensor:
        if self.shrink > 1:
            image = tf.nn.avg_pool2d(image, self.shrink, self.shrink, "SAME")
        return tf.reshape(image, [-1, self.baseline_hidden.kernel.shape[0]])


class LocalNvil(Nvil):
    """A signal for every block of its own: the pixels that it reaches through the decoder, and its own log q.

    What a block changes by way of the code s, in pixels far away and in the label, is left out: less variance, some
    bias. Not in the source.
    """

    def __init__(self, deconvnet: Deconvnet, image_shape: tuple[int, ...], **kwargs: Any) -> None:
        self.reach = [deconvnet.reach(layer) for layer in range(deconvnet.num_pooled)]
        super().__init__(deconvnet, image_shape, **kwargs)

    def signal(self, draws: Sequence[MapDraw], likelihood: MapLikelihood, layer: int) -> tf.Tensor:
        """[N, h, w, K], nats."""
        rows, columns = self.reach[layer]
        reached = tf.einsum("iy,nyx,jx->nij", rows, likelihood.log_pixels, columns)
        return reached[..., None] - draws[layer].log_ratio

    def _signal_shape(self, deconvnet: Deconvnet, layer: int) -> tuple[int, int]:
        return deconvnet.map_shape(layer)[:2]
