"""The sweep over maps and codes of a DGDN of two layers in NumPy: blocks one after the other, images at once."""

import gibbs_sweep_tf
import numpy as np
import tensorflow as tf
import worker


class Sampler:
    """The state of a chain in NumPy.

    Args:
        geometry: `tfvae.samplers.dgdn.geometry.Geometry` of two layers whose blocks tile.
        shared, local, data: as of `gibbs_sweep_tf.made`.
    """

    def __init__(self, geometry, shared, local, data):
        self.lower, self.upper = (d.numpy() for d in shared.dictionaries)
        self.noise, self.code_precision = float(shared.noise_precision), float(shared.code_precision)
        self.image, self.code = data.image.numpy(), local.code.numpy()
        self.maps, self.block = local.maps[0].numpy().astype(int), geometry.levels[0].block
        self.rng, self.outcomes = np.random.default_rng(0), geometry.outcomes[0]

    def pooled(self, code):
        """C s of codes [N, H, W, K]."""
        size, (num, height, width, _) = self.upper.shape[0], code.shape
        below = np.zeros([num, height + size - 1, width + size - 1, self.upper.shape[2]], np.float32)
        for i in range(size):
            for j in range(size):
                below[:, i : i + height, j : j + width] += code @ self.upper[i, j].T
        return below

    def add(self, image, i, j, k, q, values):
        """Adds a block's element at its cells, those images together that have the same one."""
        size = self.lower.shape[0]
        for cell in range(self.block**2):
            (chosen,) = np.nonzero(q == cell)
            y, x = i * self.block + cell // self.block, j * self.block + cell % self.block
            image[chosen, y : y + size, x : x + size] += values[chosen, None, None, None] * self.lower[..., k]

    def fit(self, pooled):
        image = np.zeros_like(self.image)
        for i, j, k in np.ndindex(*self.maps.shape[1:]):
            self.add(image, i, j, k, self.maps[:, i, j, k], pooled[:, i, j, k])
        return image

    def sweep(self):
        pooled, num = self.pooled(self.code), len(self.image)
        residual = self.image - self.fit(pooled)
        log_theta = self.log_theta()
        for i, j, k in np.ndindex(*self.maps.shape[1:]):
            v = pooled[:, i, j, k]
            self.add(residual, i, j, k, self.maps[:, i, j, k], v)
            self.maps[:, i, j, k] = np.argmax(
                self.logits(residual, i, j, k, v) + log_theta[:, k] + self.rng.gumbel(size=[num, self.outcomes]), axis=1
            )
            self.add(residual, i, j, k, self.maps[:, i, j, k], -v)
        self.code = self.draw_code()

    def log_theta(self):
        """log θ of every image and map: [N, K, P]."""
        counts = (self.maps[..., None] == np.arange(self.outcomes)).sum(axis=(1, 2))
        drawn = [[self.rng.dirichlet(1 / self.block**2 + of_map) for of_map in of_image] for of_image in counts]
        return np.log(np.array(drawn) + 1e-30)

    def logits(self, residual, i, j, k, v):
        """γ_e (v aᵀr − v² |a|² / 2) of every outcome: [N, P]."""
        size, found = self.lower.shape[0], np.zeros([len(v), self.outcomes], np.float32)
        for q in range(self.block**2):
            y, x = i * self.block + q // self.block, j * self.block + q % self.block
            along = np.tensordot(residual[:, y : y + size, x : x + size], self.lower[..., k], 3)
            found[:, q] = self.noise * (v * along - 0.5 * v**2 * np.sum(self.lower[..., k] ** 2))
        return found

    def draw_code(self):
        effects = self.effects()
        drawn = []
        for a, x in zip(effects, self.image):
            precision = self.noise * a @ a.T + self.code_precision * np.eye(len(a), dtype=np.float32)
            lower = np.linalg.cholesky(precision)
            half = np.linalg.solve(lower, self.noise * a @ x.ravel()) + self.rng.normal(size=len(a))
            drawn.append(np.linalg.solve(lower.T, half))
        return np.array(drawn, np.float32).reshape(self.code.shape)

    def effects(self):
        """[N, Z, pixels], a unit after the other."""
        found = []
        for unit in np.eye(self.code[0].size, dtype=np.float32):
            pooled = self.pooled(np.repeat(unit.reshape(1, *self.code.shape[1:]), len(self.image), axis=0))
            found.append(self.fit(pooled).reshape(len(self.image), -1))
        return np.stack(found, axis=1)


def local_sweep(size, num):
    return worker.repeated(Sampler(*gibbs_sweep_tf.made(size, num)).sweep)


def check(num):
    """The largest difference of the two ways' effects of a code on images; fails where it is more than rounding."""
    geometry, shared, local, data = gibbs_sweep_tf.made("digits", num)
    theirs = Sampler(geometry, shared, local, data).effects()
    difference = float(np.abs(geometry.effects(shared.dictionaries, local.maps, num) - theirs).max())
    if difference > 1e-3:
        raise ValueError(f"The two ways differ by {difference}: mend one of them.")
    return {"largest_difference": difference}


if __name__ == "__main__":
    worker.serve(
        {"local_sweep": local_sweep}, {"check": check}, {"numpy": np.__version__, "tensorflow": tf.__version__}
    )
