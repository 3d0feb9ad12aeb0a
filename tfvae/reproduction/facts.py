"""Facts about a synthetic problem that are known before anything is trained."""

import numpy as np

_NUM_ANGLES = 1000
# The noise in the authors' code; the source itself does not print one.
_NOISE_OF_CODE = 0.2


def moons(experiments):
    """The least error that any classifier can have on the half-moons of the experiments, and on the authors'."""
    noise = experiments[0].data.points_noise
    return {
        "noise": noise,
        "least_error_percent": 100.0 * bayes_error(noise),
        "least_error_of_code_percent": 100.0 * bayes_error(_NOISE_OF_CODE),
    }


def bayes_error(noise):
    """∫ ½ min(p(x | top), p(x | bottom)) dx of two half-moons by quadrature, a fraction.

    Args:
        noise: standard deviation around the arcs.
    """
    angle = (np.arange(_NUM_ANGLES) + 0.5) / _NUM_ANGLES * np.pi
    top = np.stack([np.cos(angle), np.sin(angle)])
    bottom = np.stack([1.0 - np.cos(angle), 0.5 - np.sin(angle)])
    step = noise / 4.0
    x1 = np.arange(-1.0 - 5.0 * noise, 2.0 + 5.0 * noise, step)
    x2 = np.arange(-0.5 - 5.0 * noise, 1.0 + 5.0 * noise, step)
    densities = [_kernel(x1, arc[0], noise) @ _kernel(x2, arc[1], noise).T / _NUM_ANGLES for arc in (top, bottom)]
    return float(0.5 * np.minimum(*densities).sum() * step**2)


def _kernel(points, centres, noise):
    """N(point; centre, noise²) of one coordinate: [points, centres]."""
    distance = (points[:, None] - centres) / noise
    return np.exp(-0.5 * distance**2) / (noise * np.sqrt(2.0 * np.pi))
