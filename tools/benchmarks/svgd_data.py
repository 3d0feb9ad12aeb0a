"""Particles, scores and a decoder for every framework, from one seed."""

import itertools

import numpy as np

HIDDEN, PIXELS = 200, 784


def particles_and_scores(points, particles, dim):
    """Two float32 [points, particles, dim]; the scores are those of N(0, 1/4), −4 z."""
    z = np.random.default_rng(0).normal(size=[points, particles, dim]).astype(np.float32)
    return z, -4.0 * z


def decoder(dim):
    """Weights of three layers, and an image of zeros and ones for every point of 64."""
    rng = np.random.default_rng(1)
    sizes = [dim, HIDDEN, HIDDEN, PIXELS]
    weights = [(rng.normal(size=pair) / np.sqrt(pair[0])).astype(np.float32) for pair in itertools.pairwise(sizes)]
    return weights, (rng.random([64, 1, PIXELS]) > 0.5).astype(np.float32)
