"""Laws of points whose every density is known: one Gaussian, and a ring of eight  (after Pu 2017, section 5.2)."""

import numpy as np
import scipy.stats

MEAN = np.array([1.0, -0.5])
COVARIANCE = np.array([[1.0, 0.6], [0.6, 0.8]])
NUM_MODES, RADIUS = 8, 2.0


def draw(num, rng):
    """Points [num, 2] of the one Gaussian."""
    return rng.multivariate_normal(MEAN, COVARIANCE, num).astype(np.float32)


def draw_ring(num, scale, rng):
    """Points [num, 2] of eight equal Gaussians on a circle, and which one each is of, [num]."""
    mode = np.arange(num) % NUM_MODES
    return (centres()[mode] + scale * rng.standard_normal((num, 2))).astype(np.float32), mode.astype(np.int64)


def centres():
    """Of the ring's Gaussians: [8, 2]."""
    angle = 2.0 * np.pi * np.arange(NUM_MODES) / NUM_MODES
    return RADIUS * np.stack([np.cos(angle), np.sin(angle)], axis=-1)


class LinearPair:
    """p(x, z) = N(z; 0, I) N(x; A z + b, S) and q(x, z) = N(x; μ, Σ) N(z; C x + d, R), all of whose laws are Gaussian.

    Args:
        decoder, encoder: (matrix, offset, variances) of x given z and of z given x.
        mean, covariance: μ and Σ, of the data.
    """

    def __init__(self, decoder, encoder, mean=MEAN, covariance=COVARIANCE):
        (a, b, s), (c, d, r) = decoder, encoder
        num_x = len(b)
        self.num_x = num_x
        self.p = np.concatenate([b, np.zeros(a.shape[1])]), _joint(a @ a.T + np.diag(s), a, np.eye(a.shape[1]))
        self.q = (
            np.concatenate([mean, c @ mean + d]),
            _joint(covariance, covariance @ c.T, c @ covariance @ c.T + np.diag(r)),
        )

    def log_ratios(self, x, z):
        """f1* = log q(x, z) − log p(x) p(z) and f2* = log p(x, z) − log q(x) q(z): [N] each."""
        both = np.concatenate([x, z], axis=-1)
        first, second = slice(None, self.num_x), slice(self.num_x, None)
        f1 = _log_density(both, *self.q) - _marginal(x, *self.p, first) - _marginal(z, *self.p, second)
        f2 = _log_density(both, *self.p) - _marginal(x, *self.q, first) - _marginal(z, *self.q, second)
        return f1, f2

    def divergences(self):
        """KL(q(x, z) ‖ p(x, z)) and KL(p(x, z) ‖ q(x, z)), nats."""
        return _kl(*self.q, *self.p), _kl(*self.p, *self.q)


def _joint(of_x, cross, of_z):
    return np.block([[of_x, cross], [cross.T, of_z]])


def _log_density(points, mean, covariance):
    return scipy.stats.multivariate_normal(mean, covariance).logpdf(points)


def _marginal(points, mean, covariance, which):
    return _log_density(points, mean[which], covariance[which, which])


def _kl(mean, covariance, other_mean, other_covariance):
    precision, difference = np.linalg.inv(other_covariance), other_mean - mean
    log_dets = np.linalg.slogdet(other_covariance)[1] - np.linalg.slogdet(covariance)[1]
    return 0.5 * float(np.trace(precision @ covariance) + difference @ precision @ difference - len(mean) + log_dets)
