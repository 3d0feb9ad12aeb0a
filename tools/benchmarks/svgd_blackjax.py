"""The SVGD direction by blackjax, mapped over points and compiled, and in NumPy."""

import functools

import blackjax
import jax
import jax.numpy as jnp
import numpy as np
import svgd_data
import worker
from blackjax.vi import svgd as blackjax_svgd


def numpy_phi(z, scores):
    """As ours, a data point at a time."""
    moved = np.empty_like(z)
    num = z.shape[1]
    rank = num + (num * (num - 1) - 2) // 2 // 2 * 2
    for point, (x, s) in enumerate(zip(z, scores)):
        squares = (x**2).sum(-1)
        distances = np.maximum(squares[:, None] + squares - 2.0 * x @ x.T, 0.0)
        np.fill_diagonal(distances, 0.0)
        h = np.partition(distances.ravel(), rank)[rank]
        k = np.exp(-distances / h) / num
        moved[point] = k @ s + 2.0 / h * (k.sum(-1, keepdims=True) * x - k @ x)
    return moved


def medians(z):
    """h of every point."""
    return np.array([_median(x) for x in z], np.float32)


def _median(x):
    distances = ((x[:, None] - x[None]) ** 2).sum(-1)[np.triu_indices(len(x), 1)]
    return np.sort(distances)[(len(distances) - 1) // 2]


def blackjax_phi(median):
    """(z [B, S, Z], h [B]) -> directions, by the update that blackjax hands to its optimiser.

    With `median` the bandwidth is found by its `median_heuristic` instead, which divides by the logarithm of S.
    """

    class Kept:
        """An optimiser that moves by the direction itself."""

        init = staticmethod(lambda particles: ())
        update = staticmethod(lambda gradient, state, particles: (jax.tree.map(jnp.negative, gradient), state))

    def of_point(z, h):
        parameters = {"length_scale": h}
        if median:
            parameters = blackjax_svgd.median_heuristic(parameters, z)
        state = blackjax_svgd.SVGDState(z, parameters, ())
        return blackjax_svgd.build_kernel(Kept)(state, lambda x: -4.0 * x, blackjax_svgd.rbf_kernel).particles - z

    return jax.jit(jax.vmap(of_point))


def direction(points, particles, dim, median):
    z, _ = svgd_data.particles_and_scores(points, particles, dim)
    call, arguments = blackjax_phi(median), tuple(map(jnp.asarray, (z, medians(z))))
    return worker.repeated(lambda: call(*arguments).block_until_ready())


def numpy_direction(points, particles, dim):
    return worker.repeated(functools.partial(numpy_phi, *svgd_data.particles_and_scores(points, particles, dim)))


def norm(points, particles, dim):
    z, scores = svgd_data.particles_and_scores(points, particles, dim)
    ours, theirs = numpy_phi(z, scores), blackjax_phi(median=False)(z, medians(z))
    np.testing.assert_allclose(theirs, ours, rtol=1e-2, atol=1e-3)
    return float(np.linalg.norm(theirs))


def memory(**sizes):
    return worker.memory_mib(lambda: direction(**sizes, median=True))


if __name__ == "__main__":
    cases = {"direction": direction, "numpy_direction": numpy_direction}
    versions = {"blackjax": blackjax.__version__, "jax": jax.__version__, "numpy": np.__version__}
    worker.serve(cases, {"norm": norm, "memory": memory}, versions)
