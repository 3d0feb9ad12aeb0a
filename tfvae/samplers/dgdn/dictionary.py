"""The dictionary of a layer, given all else: a slice after the other, of an element and a map below.

The design of a slice d is J, whose column a is what the element's activations, shifted by tap a, add to the images
through the map below; with r₋ = r + J d,

    d | all else ~ N(Q⁻¹ γ_e b, Q⁻¹),   Q = I + γ_e Σ_n JᵀJ,   b = Σ_n Jᵀr₋.
"""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from tfvae.layers.dictionary import full_convolution
from tfvae.probability import conjugate, noise
from tfvae.samplers.dgdn.geometry import Geometry
from tfvae.samplers.dgdn.state import Global


class Statistics(NamedTuple):
    """Surrogate conditional sufficient statistics of a layer's slices.

    gram:  float64 [K below, K, n², n²], Σ JᵀJ.
    along: float64 [K below, K, n²], Σ Jᵀr₋.
    """

    gram: tf.Tensor
    along: tf.Tensor

    @classmethod
    def zeros(cls, geometry: Geometry, layer: int) -> "Statistics":
        channels, count, taps = geometry.channels(layer), geometry.elements[layer], geometry.sizes[layer] ** 2
        zeros = tf.zeros([channels, count, taps], tf.float64)
        return cls(tf.zeros([channels, count, taps, taps], tf.float64), zeros)

    def scaled(self, of_elements: tf.Tensor | None = None, of_below: tf.Tensor | None = None) -> "Statistics":
        """The same where elements were multiplied by `of_elements`, [K], and those below by `of_below`, [K below].

        The activations of an element are divided by its scale, what the map below adds to images is multiplied.
        """
        gram, along = self
        if of_elements is not None:
            c = tf.cast(of_elements, tf.float64)[:, None]
            gram, along = gram / c[..., None] ** 2, along / c
        if of_below is not None:
            c = tf.cast(of_below, tf.float64)[:, None, None]
            gram, along = gram * c[..., None] ** 2, along * c
        return Statistics(gram, along)


def redraw(
    geometry: Geometry,
    layer: int,
    activations: tf.Tensor,
    residual: tf.Tensor,
    shared: Global,
    positions: Sequence[tf.Tensor],
    seed: tf.Tensor,
    before: Statistics | None = None,
    forgetting: float = 1.0,
) -> tuple[tf.Tensor, tf.Tensor, Statistics]:
    """All slices of a layer | all else.

    Args:
        geometry: `Geometry`.
        layer: its number.
        activations: [N, H, W, K], S of the layer.
        residual: [N, H, W, C].
        shared: `Global`.
        positions: maps of the layers below.
        seed: int32 [2].
        before: `Statistics` of earlier minibatches, times `forgetting` part of Q and b; None without any.
        forgetting: their weight.

    Returns:
        (dictionary, residual, `Statistics` that the draw was made from).
    """
    count, channels = geometry.elements[layer], geometry.channels(layer)
    before = before or Statistics.zeros(geometry, layer)
    taps = geometry.sizes[layer] ** 2
    precision = tf.cast(shared.noise_precision, tf.float64)
    shifts = tf.reshape(tf.eye(taps), [geometry.sizes[layer], geometry.sizes[layer], taps, 1])

    def of_channel(
        c: tf.Tensor, dictionary: tf.Tensor, residual: tf.Tensor, gram: tf.Tensor, along: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        view = _View.of(geometry, layer, c, residual, shared, positions)

        def of_element(
            k: tf.Tensor,
            element_slices: tf.Tensor,
            error: tf.Tensor,
            change: tf.Tensor,
            gram_c: tf.Tensor,
            along_c: tf.Tensor,
        ) -> tuple[tf.Tensor, ...]:
            shifted = geometry.levels[layer].crop(
                full_convolution(tf.gather(activations, [k], axis=-1), shifts)
            )  # [N, h, w, n²]
            shifted = tf.reshape(shifted, [-1, view.num_units, taps])
            seen = view.seen(shifted)
            design = tf.cast(_contract(shifted, seen), tf.float64)
            now = tf.cast(element_slices[:, k], tf.float64)
            projected = tf.cast(tf.einsum("npa,np->a", shifted, error), tf.float64) + tf.linalg.matvec(design, now)
            total = forgetting * gram_c[k] + design
            toward = forgetting * along_c[k] + projected
            normal = tf.cast(noise.normal([taps], noise.fold_in(noise.fold_in(seed, c), k)), tf.float64)
            q = tf.eye(taps, dtype=tf.float64) + precision * total
            drawn = tf.cast(conjugate.gaussian(q, precision * toward, normal), tf.float32)
            step = drawn - element_slices[:, k]
            chosen = tf.range(count) == k
            return (
                k + 1, tf.where(chosen, drawn[:, None], element_slices), error - tf.linalg.matvec(seen, step),
                change + tf.linalg.matvec(shifted, step), tf.tensor_scatter_nd_update(gram_c, [[k]], total[None]),
                tf.tensor_scatter_nd_update(along_c, [[k]], toward[None]),
            )  # fmt: skip

        slices = tf.reshape(dictionary[:, :, c], [taps, count])
        start = (tf.constant(0), slices, view.error, tf.zeros_like(view.error), gram[c], along[c])
        _, slices, _, change, gram_c, along_c = tf.while_loop(lambda k, *_: k < count, of_element, start)
        slices = tf.reshape(slices, [*dictionary.shape[:2], 1, count])
        dictionary = tf.where(tf.reshape(tf.range(channels), [1, 1, -1, 1]) == c, slices, dictionary)
        gram = tf.tensor_scatter_nd_update(gram, [[c]], gram_c[None])
        along = tf.tensor_scatter_nd_update(along, [[c]], along_c[None])
        return c + 1, dictionary, view.residual_after(change), gram, along

    start = (tf.constant(0), shared.dictionaries[layer], residual, before.gram, before.along)
    _, dictionary, residual, gram, along = tf.while_loop(lambda c, *_: c < channels, of_channel, start)
    return dictionary, residual, Statistics(gram, along)


def redraw_compiled(
    geometry: Geometry,
    layer: int,
    activations: tf.Tensor,
    residual: tf.Tensor,
    shared: Global,
    positions: Sequence[tf.Tensor],
    seed: tf.Tensor,
    before: Statistics | None = None,
    forgetting: float = 1.0,
) -> tuple[tf.Tensor, tf.Tensor, Statistics]:
    """`redraw` by XLA: many small steps in loops, three times as fast as in graph mode.

    The other conditionals stay in graph mode: on a CPU XLA takes Cholesky factors of many matrices column by column,
    which is 45 times slower. Outside of a graph there is nothing to compile for.
    """
    if tf.executing_eagerly():
        return redraw(geometry, layer, activations, residual, shared, positions, seed, before, forgetting)

    @tf.function(jit_compile=True, autograph=False)
    def compiled(*tensors: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, Statistics]:
        activations, residual, shared, positions, seed, before = tf.nest.pack_sequence_as(structure, tensors)
        return redraw(geometry, layer, activations, residual, shared, positions, seed, before, forgetting)

    before = before or Statistics.zeros(geometry, layer)
    structure = (activations, residual, shared, tuple(positions), seed, before)
    return compiled(*tf.nest.flatten(structure))


def _contract(left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
    """Σ over images and units: [N, P, a], [N, P, b] -> [a, b]."""
    return tf.matmul(tf.reshape(left, [-1, left.shape[-1]]), tf.reshape(right, [-1, right.shape[-1]]), transpose_a=True)


class _View(NamedTuple):
    """The images as one map below sees them, in its units: all that a slice needs of them.

    residual:  [N, H, W, C].
    channel:   number of the map.
    columns:   [N, P, H·W·C], what each unit of the map adds to the image; None where the map is a channel of the image.
    gram:      [N, P, P], their products; None likewise.
    error:     [N, P], their products with the residual.
    """

    residual: tf.Tensor
    channel: tf.Tensor
    columns: tf.Tensor | None
    gram: tf.Tensor | None
    error: tf.Tensor

    @classmethod
    def of(
        cls,
        geometry: Geometry,
        layer: int,
        channel: tf.Tensor,
        residual: tf.Tensor,
        shared: Global,
        positions: Sequence[tf.Tensor],
    ) -> "_View":
        if layer == 0:
            error = tf.reshape(residual[..., channel], [-1, geometry.image_shape[0] * geometry.image_shape[1]])
            return cls(residual, channel, None, None, error)
        columns = geometry.columns(layer - 1, shared.dictionaries, positions, channel)
        gram = tf.matmul(columns, columns, transpose_b=True)
        error = tf.linalg.matvec(columns, tf.reshape(residual, [-1, geometry.num_pixels]))
        return cls(residual, channel, columns, gram, error)

    @property
    def num_units(self) -> int:
        return self.error.shape[-1]

    def seen(self, shifted: tf.Tensor) -> tf.Tensor:
        """WᵀW T of T [N, P, a]: [N, P, a]."""
        return shifted if self.gram is None else tf.matmul(self.gram, shifted)

    def residual_after(self, change: tf.Tensor) -> tf.Tensor:
        """The residual when the units' values changed by `change`, [N, P]."""
        if self.columns is None:
            chosen = tf.range(self.residual.shape[-1]) == self.channel
            moved = tf.reshape(change, [*tf.unstack(tf.shape(self.residual)[:3]), 1])
            return self.residual - tf.where(chosen, moved, 0.0)
        moved = tf.linalg.matvec(self.columns, change, transpose_a=True)
        return self.residual - tf.reshape(moved, tf.shape(self.residual))
