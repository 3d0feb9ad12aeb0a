"""A generative model whose posterior is known: z from two Gaussians, x from z by a matrix and noise.

    p(z) = ½ N(μ₁, I) + ½ N(μ₂, I),   p(x | z) = N(θ z, σ² I)

Pu 2017, section 4.5.1. Its eqs. (4.57) and (4.58) have the signs of μ and of p₁, p₂ wrong; here they are as the
product of the two densities gives them.
"""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions

MEANS = np.array([[5.0, 5.0], [-5.0, -5.0]], np.float32)
THETA = np.array([[2.0, -1.0], [1.0, -2.0]], np.float32)


def prior():
    """p(z), over vectors [2]."""
    equal = tfd.Categorical(logits=tf.zeros(len(MEANS)))
    return tfd.MixtureSameFamily(equal, tfd.MultivariateNormalDiag(MEANS, tf.ones_like(MEANS)))


def likelihood(z, noise):
    """p(x | z) for z [..., 2] and noise σ: batch shape [...], event shape [2]."""
    loc = tf.reshape(tf.linalg.matmul(tf.reshape(z, [-1, 2]), THETA, transpose_b=True), tf.shape(z))
    return tfd.Independent(tfd.Normal(loc, noise), 1)


def posterior(x, noise):
    """p(z | x) = p̂ N(μ̂₁, Σ⁻¹) + (1 − p̂) N(μ̂₂, Σ⁻¹) for x [..., 2]: batch shape [...].

    Σ = θᵀθ/σ² + I and μ̂ᵢ = Σ⁻¹ (θᵀx/σ² + μᵢ); component i weighs exp(½ μ̂ᵢᵀ Σ μ̂ᵢ − ½ μᵢᵀ μᵢ). Float64.
    """
    theta, means = THETA.astype(np.float64), tf.constant(MEANS, tf.float64)
    precision = theta.T @ theta / noise**2 + np.eye(2)
    x = tf.cast(x, tf.float64)
    shifted = tf.linalg.matvec(theta.T / noise**2, x)[..., None, :] + means
    centres = tf.linalg.matvec(np.linalg.inv(precision), shifted)
    log_weights = 0.5 * tf.reduce_sum(centres * shifted, axis=-1) - 0.5 * tf.reduce_sum(means**2, axis=-1)
    scale = np.linalg.cholesky(np.linalg.inv(precision))
    return tfd.MixtureSameFamily(tfd.Categorical(logits=log_weights), tfd.MultivariateNormalTriL(centres, scale))


def draw(num, noise, rng):
    """num observations as NumPy float32 [num, 2]."""
    z = MEANS[rng.integers(0, 2, num)] + rng.standard_normal([num, 2])
    return (z @ THETA.T + noise * rng.standard_normal([num, 2])).astype(np.float32)
