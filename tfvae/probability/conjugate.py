"""Draws from the full conditionals of conjugate models, in graph mode and under XLA alike.

A function takes the parameters of the conditional and a seed. Those that a chain draws for every image take `rows` too,
the number of rows of noise: as many as there are images; or 1, and every image is given the same noise, so that what is
drawn for it does not depend on the others of its batch.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfvae.probability import noise

# Half of the spacing of `noise.uniform`: shifts its draws from [0, 1) to (0, 1).
_HALF_STEP = 2.0**-25


def open_uniform(shape, seed, dtype=tf.float32):
    """Draws from (0, 1), of which a logarithm is finite."""
    return tf.cast(noise.uniform(shape, seed), dtype) + _HALF_STEP


def gumbel(shape, seed):
    """Draws from the standard Gumbel distribution; the argmax of logits plus such draws is a categorical draw."""
    # Close to 1 float32 has 24 bits, so the second logarithm is finite too.
    return -tf.math.log(-tf.math.log(tf.minimum(open_uniform(shape, seed), 1.0 - 2.0**-24)))


def noise_shape(shape, rows):
    """`shape` with `rows` of noise in the place of its first axis; None for its own."""
    return shape if rows is None else tf.concat([[rows], shape[1:]], axis=0)


def log_gamma(alpha, seed, rows=None):
    """log g of draws g ~ Gamma(alpha, 1), of any small alpha: of the shape and type of alpha.

    With g ~ Gamma(alpha + 1) and u uniform, g u^(1 / alpha) ~ Gamma(alpha); in logarithms it does not underflow. For
    alpha + 1 the rejection of Marsaglia & Tsang 2000, which takes all draws that are still missing at once.

    Args:
        alpha: positive, [N, ...] or a scalar, with a static shape but for N.
        seed: int32 [2].
        rows: of noise.
    """
    dtype = alpha.dtype
    shape = noise_shape(tf.shape(alpha) if None in alpha.shape else alpha.shape.as_list(), rows)
    d = alpha + 1.0 - 1.0 / 3.0
    c = tf.math.rsqrt(9.0 * d)

    def propose(number, drawn, done):
        normal_seed, uniform_seed = noise.split(noise.fold_in(seed, number), 2)
        x = tf.cast(noise.normal(shape, normal_seed), dtype)
        v = (1.0 + c * x) ** 3
        positive = v > 0
        log_v = tf.math.log(tf.where(positive, v, tf.ones_like(v)))
        log_u = tf.math.log(open_uniform(shape, uniform_seed, dtype))
        taken = positive & (log_u < 0.5 * x**2 + d * (1.0 - v + log_v)) & ~done
        return number + 1, tf.where(taken, log_v, drawn), done | taken

    zeros = tf.zeros_like(alpha)
    start = (tf.constant(1), zeros, tf.zeros_like(alpha, tf.bool))
    _, log_v, _ = tf.while_loop(lambda number, drawn, done: ~tf.reduce_all(done), propose, start)
    return tf.math.log(d) + log_v + tf.math.log(open_uniform(shape, noise.fold_in(seed, 0), dtype)) / alpha


def log_dirichlet(alpha, seed, rows=None):
    """log of draws from Dir(alpha): [..., P] of positive parameters."""
    return tf.math.log_softmax(log_gamma(alpha, seed, rows), axis=-1)


def gamma(shape, rate, seed):
    """Draws from Gamma(shape, rate)."""
    return tf.exp(log_gamma(shape, seed)) / rate


def truncated_gamma(shape, rate, most, seed):
    """A draw from Gamma(shape, rate) below `most`, a scalar.

    Where most of the mass is below, draws of the Gamma are rejected; else those of the exponential that touches the
    logarithm of the density, which is concave, at `most`.

    Args:
        shape, rate: float64 scalars, the shape above 1.
        most: float64 scalar.
        seed: int32 [2].
    """
    slope = (shape - 1.0) / most - rate
    deviation = tf.sqrt(shape) / rate

    def by_gamma():
        def again(number, _):
            return number + 1, gamma(shape, rate, noise.fold_in(seed, number))

        start = (tf.constant(0), tf.constant(np.inf, tf.float64))
        return tf.while_loop(lambda number, drawn: drawn > most, again, start)[1]

    def by_tangent():
        def again(number, *_):
            first, second = noise.split(noise.fold_in(seed, number), 2)
            drawn = most + tf.math.log(open_uniform([], first, tf.float64)) / slope
            below = tf.maximum(drawn, most * 1e-12)
            log_ratio = (shape - 1.0) * tf.math.log(below / most) - rate * (below - most) - slope * (below - most)
            taken = (drawn > 0) & (tf.math.log(open_uniform([], second, tf.float64)) < log_ratio)
            return number + 1, drawn, taken

        start = (tf.constant(0), tf.constant(0.0, tf.float64), tf.constant(False))
        return tf.while_loop(lambda number, drawn, taken: ~taken, again, start)[1]

    return tf.cond((shape - 1.0) / rate + deviation < most, by_gamma, lambda: tf.cond(slope > 0, by_tangent, by_gamma))


def augmented(size, rate, seed, rows=None):
    """Draws from GIG(1/2, rate, rate size²), the density ∝ x^(−1/2) exp(−rate (x + size² / x) / 2).

    λ of the Bayesian support vector machine (size = |m|, rate = γ) and ω of its shrinkage. 1/x is inverse Gaussian with
    mean 1 / size; the textbook's draw of that subtracts two large numbers where size is small. Here nothing cancels,
    and size may be 0.

    Args:
        size: [...], not negative.
        rate: positive, a scalar or [...].
        seed: int32 [2].
        rows: of noise.
    """
    normal_seed, uniform_seed = noise.split(seed, 2)
    shape = noise_shape(size.shape.as_list() if None not in size.shape else tf.shape(size), rows)
    t = tf.cast(noise.normal(shape, normal_seed), size.dtype) ** 2 / (2.0 * rate)
    larger = size + t + tf.sqrt(t**2 + 2.0 * size * t)
    larger = tf.maximum(larger, size.dtype.as_numpy_dtype(np.finfo(size.dtype.as_numpy_dtype).tiny))
    chosen = tf.cast(noise.uniform(shape, uniform_seed), size.dtype) * (larger + size) < larger
    return tf.where(chosen, larger, size * (size / larger))


class _Envelope(NamedTuple):
    """Of `generalised_inverse_gaussian`: exponential tails left of −s' and right of t', a constant between."""

    t: tf.Tensor
    s: tf.Tensor
    eta: tf.Tensor
    zeta: tf.Tensor
    theta: tf.Tensor
    xi: tf.Tensor


def generalised_inverse_gaussian(order, a, b, seed):
    """Draws from GIG(order, a, b), the density ∝ x^(order − 1) exp(−(a x + b / x) / 2), by Devroye 2014.

    Args:
        order: [...], any real number.
        a, b: [...], positive.
        seed: int32 [2].

    Returns:
        [...], of their type; float64 is meant.
    """
    omega, size = tf.sqrt(a * b), tf.abs(order)
    alpha = omega**2 / (tf.sqrt(omega**2 + size**2) + size)
    envelope = _envelope(alpha, size)
    p, r = 1.0 / envelope.xi, 1.0 / envelope.zeta
    right, left = envelope.t - r * envelope.eta, envelope.s - p * envelope.theta
    q = right + left

    def propose(number, drawn, done):
        u, v, w = (open_uniform(a.shape, part, a.dtype) for part in noise.split(noise.fold_in(seed, number), 3))
        u = u * (p + q + r)
        x = tf.where(u < q, -left + q * v, tf.where(u < q + r, right - r * tf.math.log(v), -left + p * tf.math.log(v)))
        log_bound = tf.where(
            x > right, -envelope.eta - envelope.zeta * (x - envelope.t),
            tf.where(x < -left, -envelope.theta + envelope.xi * (x + envelope.s), tf.zeros_like(x)),
        )  # fmt: skip
        taken = (tf.math.log(w) + log_bound <= _log_density(x, alpha, size)) & ~done
        return number + 1, tf.where(taken, x, drawn), done | taken

    start = (tf.constant(0), tf.zeros_like(a), tf.zeros_like(a, tf.bool))
    _, x, _ = tf.while_loop(lambda number, drawn, done: ~tf.reduce_all(done), propose, start)
    # log of a draw of GIG(|order|, omega, omega); one of a negative order is the reciprocal of that.
    log_draw = x + tf.math.log((size + tf.sqrt(size**2 + omega**2)) / omega)
    return tf.exp(tf.where(order < 0, -log_draw, log_draw)) * tf.sqrt(b / a)


def _log_density(x, alpha, order):
    """ψ(x), log of the density of log(draw / mode) up to a constant; 0 at 0, where it has its maximum."""
    return -alpha * (tf.cosh(x) - 1.0) - order * (tf.math.expm1(x) - x)


def _slope(x, alpha, order):
    return -alpha * tf.sinh(x) - order * tf.math.expm1(x)


def _envelope(alpha, order):
    """Devroye's choice of t and s, at which the envelope touches the density."""
    one = tf.ones_like(alpha)
    fall = -_log_density(one, alpha, order)
    t = tf.where(
        fall > 2.0, tf.sqrt(2.0 / (alpha + order)), tf.where(fall < 0.5, tf.math.log(4.0 / (alpha + 2.0 * order)), one)
    )
    fall = -_log_density(-one, alpha, order)
    near = tf.minimum(1.0 / order, tf.math.log(1.0 + 1.0 / alpha + tf.sqrt(1.0 / alpha**2 + 2.0 / alpha)))
    s = tf.where(fall > 2.0, tf.sqrt(4.0 / (alpha * np.cosh(1.0) + order)), tf.where(fall < 0.5, near, one))
    return _Envelope(
        t, s, -_log_density(t, alpha, order), -_slope(t, alpha, order), -_log_density(-s, alpha, order),
        _slope(-s, alpha, order),
    )  # fmt: skip


def unit_slice(log_density, x, seed):
    """A step from x, [...], that leaves densities on (0, 1) as they are: slice sampling, from the whole interval.

    An interval around x is drawn from, and cut at what is drawn as long as that lies below the slice.

    Args:
        log_density: [...] -> [...], up to constants.
        x: [...], within (0, 1).
        seed: int32 [2].

    Neal 2003, figure 5.
    """
    height_seed, place_seed = noise.split(seed, 2)
    height = log_density(x) + tf.math.log(open_uniform(tf.shape(x), height_seed, x.dtype))

    def shrink(number, low, high, drawn, done):
        u = open_uniform(tf.shape(x), noise.fold_in(place_seed, number), x.dtype)
        proposed = low + u * (high - low)
        inside = log_density(proposed) >= height
        drawn = tf.where(inside & ~done, proposed, drawn)
        low = tf.where(proposed < x, proposed, low)
        high = tf.where(proposed >= x, proposed, high)
        return number + 1, low, high, drawn, done | inside

    start = (tf.constant(0), tf.zeros_like(x), tf.ones_like(x), x, tf.zeros_like(x, tf.bool))
    return tf.while_loop(lambda number, low, high, drawn, done: ~tf.reduce_all(done), shrink, start)[3]


def gaussian(precision, shift, normal):
    """Draws from N(Λ⁻¹ h, Λ⁻¹).

    Args:
        precision: Λ, [..., d, d].
        shift: h, [..., d].
        normal: [..., d], standard normal draws.

    Returns:
        [..., d]. With Λ = L Lᵀ it is L⁻ᵀ (L⁻¹ h + ε).
    """
    lower = tf.linalg.cholesky(precision)
    half = tf.linalg.triangular_solve(lower, shift[..., None]) + normal[..., None]
    return tf.linalg.triangular_solve(lower, half, adjoint=True)[..., 0]


def gaussian_and_mean(precision, shift, normal):
    """(draws as of `gaussian`, Λ⁻¹ h), of one factor: twice [..., d]."""
    lower = tf.linalg.cholesky(precision)
    half = tf.linalg.triangular_solve(lower, shift[..., None])
    both = tf.concat([half + normal[..., None], half], axis=-1)
    drawn, mean = tf.unstack(tf.linalg.triangular_solve(lower, both, adjoint=True), axis=-1)
    return drawn, mean
