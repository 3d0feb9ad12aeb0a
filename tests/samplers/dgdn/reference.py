"""The deep deconvolutional model in NumPy, block by block as it is defined: for tests alone, and slow."""

import numpy as np


def unpool(values, position, block):
    """[h, w, K], [h, w, K] -> [h·block, w·block, K]; position block² blanks a block."""
    height, width, count = values.shape
    maps = np.zeros([height * block, width * block, count])
    for i in range(height):
        for j in range(width):
            for k in range(count):
                q = int(position[i, j, k])
                if q < block**2:
                    maps[i * block + q // block, j * block + q % block, k] = values[i, j, k]
    return maps


def convolve(maps, dictionary, level):
    """Σ_k D⁽ᵏ⁾ ∗ S⁽ᵏ⁾, cropped: [H, W, K], [n, n, C, K] -> [h, w, C]."""
    size = dictionary.shape[0]
    grown = np.zeros([maps.shape[0] + size - 1, maps.shape[1] + size - 1, dictionary.shape[2]])
    for i in range(maps.shape[0]):
        for j in range(maps.shape[1]):
            grown[i : i + size, j : j + size] += dictionary @ maps[i, j]
    (top, _), (left, _) = level.padding
    return grown[top : top + level.size[0], left : left + level.size[1]]


def fit(geometry, code, dictionaries, maps):
    """The image of one code [H, W, K] under one map of every pooled layer."""
    below = np.asarray(code, np.float64)
    for layer in range(geometry.num_layers - 1, -1, -1):
        below = convolve(below, np.asarray(dictionaries[layer], np.float64), geometry.levels[layer])
        if layer:
            below = unpool(below, maps[layer - 1], geometry.levels[layer - 1].block)
    return below


def effects(geometry, dictionaries, maps):
    """A of one image: [Z, pixels]."""
    units = np.eye(geometry.code_dim).reshape(-1, *geometry.code_shape)
    return np.stack([fit(geometry, unit, dictionaries, maps).ravel() for unit in units])


def log_dirichlet_multinomial(counts, concentration):
    """log p of a map whose outcomes were drawn one after the other, θ summed out: [P] counts."""
    from scipy.special import gammaln

    total = concentration * len(counts)
    return (
        gammaln(total)
        - gammaln(total + counts.sum())
        + np.sum(gammaln(concentration + counts) - gammaln(concentration))
    )


def log_evidence(geometry, image, dictionaries, maps, noise_precision, code_precision):
    """log N(x; 0, I / γ_e + Aᵀ A / γ_s) of one image under given maps."""
    a = effects(geometry, dictionaries, maps)
    x = np.asarray(image, np.float64).ravel()
    covariance = np.eye(len(x)) / noise_precision + a.T @ a / code_precision
    _, log_det = np.linalg.slogdet(covariance)
    return -0.5 * (x @ np.linalg.solve(covariance, x) + log_det + len(x) * np.log(2 * np.pi))
