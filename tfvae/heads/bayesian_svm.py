"""The Bayesian support vector machine: one against all, by data augmentation.

With the margin loss m = 1 − y f, y ∈ {−1, 1} and f = βᵀz, the pseudo-likelihood is a scale mixture of normals,

    exp(−2γ max(m, 0)) = ∫ √γ / √(2πλ) exp(−γ (m + λ)² / (2λ)) dλ,

and its expectation step is E[1/λ] = 1/|m|.  Pu et al. 2016, section 3.1 and eqs. (25) to (35); Pu 2017, eqs. (3.17) to
(3.22); Polson & Scott 2011.
"""

from typing import Any

import tensorflow as tf

from tfvae.heads.head import LabelHead


class BayesianSvm(LabelHead):
    """C one-versus-all classifiers with shrinkage: β_i ~ N(0, ω_i), ω_i ~ Exp(κ), κ ~ Gamma(a, b).

    With ω summed out β has a Laplace prior of rate √(2κ); its expectation step is E[1/ω] = √(2κ) / |β|. κ is fitted
    with the other parameters. γ stays as it is given: the pseudo-likelihood has no normaliser over y, so that its most
    probable γ would be 0.

    Args:
        latent_dim: Z.
        num_classes: C.
        gamma: γ, weight of the hinge.
        least_margin: |m| and |β| are taken as at least that in the expectation steps, which divide by them.
        kappa_prior: (a, b) of the Gamma prior of κ, b a rate.
    """

    def __init__(
        self,
        latent_dim: int,
        num_classes: int,
        gamma: float = 1.0,
        least_margin: float = 1e-6,
        kappa_prior: tuple[float, float] = (1.0, 1.0),
        **kwargs: Any,
    ) -> None:
        super().__init__(num_classes, **kwargs)
        self.gamma = gamma
        self.least_margin = least_margin
        self.kappa_prior = kappa_prior
        self.beta = self.add_weight(shape=[latent_dim, num_classes], initializer="glorot_uniform", name="beta")
        self.log_kappa = self.add_weight(shape=[], initializer="zeros", name="log_kappa")
        self.built = True

    def decision(self, z: tf.Tensor) -> tf.Tensor:
        """f = βᵀz of every class: [..., Z] -> [..., C]."""
        return tf.linalg.matmul(z, tf.convert_to_tensor(self.beta))

    def log_prob(self, z: tf.Tensor, label: tf.Tensor) -> tf.Tensor:
        """Σ_c −2γ max(1 − y_c f_c, 0): [B], nats, for z [B, Z] and integers [B]; a pseudo-likelihood, eq. (9)."""
        return -2.0 * self.gamma * tf.reduce_sum(tf.nn.relu(self._margins(z, label)), axis=-1)

    def surrogate(self, z: tf.Tensor, label: tf.Tensor) -> tf.Tensor:
        """E_λ log p(λ, y | z) with 1/λ at its expectation, held fixed: [B]; touches `log_prob` and has its slope.

        −γ/2 (m² E[1/λ] + 2m + 1/E[1/λ]), eq. (33) with its constant chosen such that the two are equal.
        """
        m = self._margins(z, label)
        distance = tf.stop_gradient(tf.maximum(tf.abs(m), self.least_margin))  # 1 / E[1/λ]
        return tf.reduce_sum(-0.5 * self.gamma * (m**2 / distance + 2.0 * m + distance), axis=-1)

    def log_prior(self) -> tf.Tensor:
        """log p(β, κ) up to a constant, as a scalar in nats; for β the quadratic at E[1/ω], held fixed (eq. 3.21)."""
        beta, log_kappa = tf.convert_to_tensor(self.beta), tf.convert_to_tensor(self.log_kappa)
        rate = tf.sqrt(2.0 * tf.exp(log_kappa))
        size = tf.stop_gradient(tf.maximum(tf.abs(beta), self.least_margin))
        # Laplace: Σ log(rate / 2) − rate |β|; |β| as (β² / |β| + |β|) / 2, the form that the step on ω leaves.
        laplace = tf.reduce_sum(tf.math.log(0.5 * rate) - 0.5 * rate * (beta**2 / size + size))
        a, b = self.kappa_prior
        return laplace + (a - 1.0) * log_kappa - b * tf.exp(log_kappa)

    def predict(self, z: tf.Tensor) -> tf.Tensor:
        """Probabilities of the classes from decision values averaged over draws of the code: z [S, B, Z] -> [B, C].

        A class's pseudo-likelihood, normalised over classes: softmax of 2γ (max(1 + f, 0) − max(1 − f, 0)), whose
        largest entry is that of f, which is the source's rule (eq. 3.22).
        """
        f = tf.reduce_mean(self.decision(z), axis=0)
        return tf.nn.softmax(2.0 * self.gamma * (tf.nn.relu(1.0 + f) - tf.nn.relu(1.0 - f)))

    def _margins(self, z: tf.Tensor, label: tf.Tensor) -> tf.Tensor:
        """m = 1 − y f of every classifier: [B, C]."""
        y = 2.0 * tf.one_hot(label, self.num_classes) - 1.0
        return 1.0 - y * self.decision(z)
