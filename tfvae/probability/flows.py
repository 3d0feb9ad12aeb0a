"""Normalising flows: densities of z = T(z₀), z₀ Gaussian, whose T comes from a network as a Gaussian's mean does.

A planar layer (Rezende & Mohamed 2015) is  f(z) = z + û tanh(w·z + b).  Of K layers one after the other only the K
numbers t_k = tanh(w_k·z_{k−1} + b_k) are not linear in z₀. With the products G_kj = w_k·û_j they are the root of

    t = tanh(c − U t),      forwards   c = W z₀ + b, −U the part of G below its diagonal,
                            backwards  c = W z_K + b, U the part of G on and above it,

two triangular systems: found from the first to the last (or the last to the first) without a gradient, and given one by
a step of Newton's method on the whole system, which is a triangular solve however long the flow is.
"""

import copy
import math

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.probability import noise
from tfvae.probability.families import LIKELIHOODS, DiagGaussian, Family, tfd

# Smallest slope 1 + w·û of a layer along w: far below it a float32 could not tell two images apart.
_SLOPE_FLOOR = 0.01
# softplus of it is 1, so that a layer with u = 0 is the identity.
_SOFTPLUS_ONE = math.log(math.expm1(1.0))
# A root of the inverse, of numbers in (−1, 1), is found to this, or the density is not a number.
_TOLERANCE = 1e-9
_MOST_ITERATIONS = 100
# Draws behind the moments of a flow, which have no closed form; half of them mirror images of the others.
_MOMENT_DRAWS = 64
_MOMENT_SEED = 0x5EED


class Flow(tfd.Distribution):
    """z = T(z₀) with z₀ from a diagonal Gaussian, event shape [D].

    The density of a z that this object drew itself costs nothing more; that of any other needs the inverse of T.

    Args:
        base: of z₀, `DiagGaussian`.
        transform: has forward(z₀) -> (z, log |det ∂z/∂z₀|), inverse(z) -> (z₀, the same) and moved(z₀) -> z.
    """

    def __init__(self, base, transform):
        super().__init__(
            dtype=base.dtype,
            reparameterization_type=tfd.FULLY_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
        )
        self._parameters = {"base": base, "transform": transform}
        self.base = base
        self.transform = transform
        self._drawn = None, None

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        return {"base": tfp.util.BatchedComponentProperties()}

    def _batch_shape(self):
        return self.base.batch_shape

    def _batch_shape_tensor(self, **kwargs):
        del kwargs
        return self.base.batch_shape_tensor()

    def _event_shape(self):
        return self.base.event_shape

    def _event_shape_tensor(self, **kwargs):
        del kwargs
        return self.base.event_shape_tensor()

    def sample(self, sample_shape=(), seed=None):
        """[*sample_shape, ..., D], reparameterised; `seed` is an int32 [2] tensor."""
        z0 = self.base.sample(sample_shape, seed=seed)
        z, log_det = self.transform.forward(z0)
        self._drawn = z, self.base.log_prob(z0) - log_det
        return z

    def log_prob(self, value):
        """log N(T⁻¹(z)) − log |det ∂z/∂z₀|: [...], nats."""
        drawn, log_prob = self._drawn
        if value is drawn:
            return log_prob
        z0, log_det = self.transform.inverse(value)
        return self.base.log_prob(z0) - log_det

    def mean(self):
        """Of the same few draws of z₀ for every row, half of them mirror images, without a gradient: [..., D]."""
        return tf.reduce_mean(self._spread(), axis=0)

    def variance(self):
        """Of these draws: [..., D]."""
        return tf.math.reduce_variance(self._spread(), axis=0)

    def stddev(self):
        return tf.sqrt(self.variance())

    def _spread(self):
        """T(loc ± scale ε) with ε that no row has for itself: [M, ..., D]."""
        loc, scale = self.base.distribution.loc, self.base.distribution.scale
        half = noise.normal([_MOMENT_DRAWS // 2, loc.shape[-1]], noise.seed(_MOMENT_SEED))
        epsilon = tf.concat([half, -half], axis=0)
        epsilon = tf.reshape(epsilon, [_MOMENT_DRAWS, *([1] * (loc.shape.rank - 1)), loc.shape[-1]])
        return self.transform.moved(tf.stop_gradient(loc + scale * epsilon))


class Planar:
    """K planar layers with parameters of every row, made invertible.

    û = u + (m(w·u) − w·u) w / |w|²  with  m(a) = −1 + δ + (1 − δ) softplus(a + log(e − 1)),  so that w·û > −1 + δ: f
    has one inverse, and u = 0 is the identity (Rezende & Mohamed 2015, appendix A.1, who have neither δ nor the shift).

    Args:
        u, w: [..., K, D].
        b: [..., K].
    """

    def __init__(self, u, w, b):
        product = tf.reduce_sum(w * u, axis=-1, keepdims=True)
        slope = (1.0 - _SLOPE_FLOOR) * (tf.math.softplus(product + _SOFTPLUS_ONE) - 1.0)
        self.w, self.b = w, b
        self.u = u + (slope - product) * w / (tf.reduce_sum(w**2, axis=-1, keepdims=True) + 1e-12)
        self.slope = slope[..., 0]  # w·û of every layer: [..., K].
        self.products = tf.linalg.set_diag(tf.matmul(w, self.u, transpose_b=True), self.slope)  # [..., K, K].

    def forward(self, z0):
        """z and log |det ∂z/∂z₀| of z₀ [*S, ..., D]."""
        c = tf.linalg.matvec(self.w, z0) + self.b
        below = self.products - tf.linalg.band_part(self.products, 0, -1)
        t = _implicit(_first_to_last(c, below), c, below, lower=True)
        return z0 + tf.linalg.matvec(self.u, t, transpose_a=True), self._log_det(t)

    def moved(self, z0):
        """z of z₀ [*S, ..., D], without a gradient."""
        c = tf.linalg.matvec(self.w, z0) + self.b
        t = _first_to_last(c, self.products - tf.linalg.band_part(self.products, 0, -1))
        return tf.stop_gradient(z0 + tf.linalg.matvec(self.u, t, transpose_a=True))

    def inverse(self, z):
        """z₀ and log |det ∂z/∂z₀| of z [*S, ..., D], found in float64; not numbers where no root was found."""
        exact = copy.copy(self)
        for name in ("w", "b", "u", "slope", "products"):
            setattr(exact, name, tf.cast(getattr(self, name), tf.float64))
        z0, log_det = exact._inverse(tf.cast(z, tf.float64))
        return tf.cast(z0, z.dtype), tf.cast(log_det, z.dtype)

    def _inverse(self, z):
        c = tf.linalg.matvec(self.w, z) + self.b
        above = -tf.linalg.band_part(self.products, 0, -1)
        # Stopped before the compiled function: a loop of unknown length cannot be compiled with what a gradient needs.
        t = _last_to_first(*(tf.stop_gradient(value) for value in (c, above, self.slope)))
        error = tf.abs(t - tf.tanh(c + tf.linalg.matvec(above, t)))
        t = _implicit(tf.where(error < _TOLERANCE, t, tf.constant(np.nan, t.dtype)), c, above, lower=False)
        return z - tf.linalg.matvec(self.u, t, transpose_a=True), self._log_det(t)

    def _log_det(self, t):
        """Σ_k log(1 + (w·û) (1 − t²))."""
        return tf.reduce_sum(tf.math.log1p(self.slope * (1.0 - t**2)), axis=-1)


def _first_to_last(c, below):
    """The root t of t = tanh(c + A t) of an A below the diagonal: c [..., K] and A [..., K, K] -> [..., K]."""
    c, below = tf.stop_gradient(c), tf.stop_gradient(below)
    found = []
    for k in range(c.shape[-1]):
        found.append(tf.tanh(c[..., k]))
        c += below[..., k] * found[-1][..., None]
    return tf.stack(found, axis=-1)


@tf.function(jit_compile=True)
def _last_to_first(c, above, slope):
    """The same of an A on and above the diagonal, whose diagonal is −(w·û): layer by layer, from the last one."""
    shape, num_layers = tf.shape(c), c.shape[-1]
    # Layers first, so that one is a slice.
    c = tf.transpose(tf.reshape(c, [-1, num_layers]))
    above = tf.broadcast_to(above, tf.concat([shape, [num_layers]], axis=0))
    above = tf.transpose(tf.reshape(above, [-1, num_layers, num_layers]), [2, 1, 0])  # [column, row, N].
    slope = tf.transpose(tf.reshape(tf.broadcast_to(slope, shape), [-1, num_layers]))

    def layer(k, c, roots):
        t = tf.tanh(_argument(c[k], slope[k]))
        # The layer's own t is in its equation, which is solved; those of the layers before hear of it.
        return k - 1, c + above[k] * t, tf.tensor_scatter_nd_update(roots, [[k]], t[None])

    roots = tf.while_loop(lambda k, *_: k >= 0, layer, (num_layers - 1, c, tf.zeros_like(c)))[-1]
    return tf.reshape(tf.transpose(roots), shape)


def _argument(c, slope):
    """The root s of s + m tanh(s) = c, m > −1, within |m| of c: Newton's method in a bracket that shrinks."""

    def step(s, low, high, _, count):
        t = tf.tanh(s)
        excess = s + slope * t - c
        low, high = tf.where(excess < 0, s, low), tf.where(excess < 0, high, s)
        newton = s - excess / (1.0 + slope * (1.0 - t**2))
        inside = (newton >= low) & (newton <= high)  # At a root it stays where it is, an end of the bracket.
        return tf.where(inside, newton, 0.5 * (low + high)), low, high, tf.reduce_max(tf.abs(excess)), count + 1

    def going(s, low, high, excess, count):
        del s, low, high
        return (excess > _TOLERANCE * 1e-3) & (count < _MOST_ITERATIONS)

    reach = tf.abs(slope)
    begin = c, c - reach, c + reach, tf.constant(np.inf, c.dtype), 0
    return tf.while_loop(going, step, begin)[0]


def _implicit(root, c, triangle, lower):
    """The root t of t = tanh(c + A t) with the gradients of the implicit function theorem: a step of Newton's method.

    Args:
        root: [..., K], its value.
        c: [..., K].
        triangle: A, [..., K, K].
        lower: whether A is below the diagonal.
    """
    root = tf.stop_gradient(root)
    value = tf.tanh(c + tf.linalg.matvec(triangle, root))
    slopes = tf.stop_gradient(1.0 - value**2)[..., None]
    jacobian = tf.eye(c.shape[-1], dtype=c.dtype) - slopes * tf.stop_gradient(triangle)
    return root + tf.linalg.triangular_solve(jacobian, (value - root)[..., None], lower=lower)[..., 0]


def planar(num_layers):
    """Diagonal Gaussian followed by planar layers: loc, log variance, and u, w, b of each (Rezende & Mohamed 2015).

    Raises:
        ValueError: if there is no layer.
    """
    if num_layers < 1:
        raise ValueError(f"A planar flow needs at least one layer, got `flow_length`={num_layers}.")

    def distribution(params):
        params = tf.cast(params, tf.float32)
        dim = (params.shape[-1] - num_layers) // (2 + 2 * num_layers)
        loc, log_variance, u, w, b = tf.split(params, [dim, dim, num_layers * dim, num_layers * dim, num_layers], -1)
        leading = tf.shape(params)[:-1]
        u, w = (tf.reshape(v, tf.concat([leading, [num_layers, dim]], axis=0)) for v in (u, w))
        return Flow(DiagGaussian(loc, log_variance), Planar(u, w, b))

    return Family(lambda dim: 2 * dim + num_layers * (2 * dim + 1), distribution)


class Autoregressive:
    """Inverse autoregressive steps z_i ← (z_i − shift_i(z_<i)) exp(−log scale_i(z_<i)), dimensions reversed between.

    Drawing takes a pass through every network, a density at a given z as many as there are dimensions (Kingma et al.
    2016), by TFP's bijectors.

    Args:
        networks: a function a step from z [..., D] to shift and log scale, each [..., D] and autoregressive.
        dim: D.
    """

    def __init__(self, networks, dim):
        bijectors = []
        for network in networks:
            step = tfp.bijectors.MaskedAutoregressiveFlow(shift_and_log_scale_fn=network)
            bijectors += [tfp.bijectors.Permute(np.arange(dim)[::-1]), tfp.bijectors.Invert(step)]
        self._chain = tfp.bijectors.Chain(bijectors[1:])  # The first of a chain is applied last.

    def forward(self, z0):
        """z and log |det ∂z/∂z₀| of z₀ [*S, ..., D]."""
        return self._chain.forward(z0), self._chain.forward_log_det_jacobian(z0, event_ndims=1)

    def moved(self, z0):
        """z of z₀ [*S, ..., D], without a gradient."""
        return tf.stop_gradient(self._chain.forward(z0))

    def inverse(self, z):
        """z₀ and log |det ∂z/∂z₀| of z [*S, ..., D]."""
        return self._chain.inverse(z), -self._chain.inverse_log_det_jacobian(z, event_ndims=1)


# Of real vectors x alone: on binary pixels a density is unbounded (Pu 2017, section 5.3 has both on MNIST).
LIKELIHOODS["planar"] = planar(80)
