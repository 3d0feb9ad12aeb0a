"""A linear-Gaussian model, whose evidence is known, and the digits with models that train in no time."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from scipy.stats import multivariate_normal

from tfvae.capabilities import Capability
from tfvae.data import load
from tfvae.data.examples import Examples
from tfvae.models import adgm, vae
from tfvae.networks import mlp
from tfvae.probability import noise

tfd = tfp.distributions


class PlainData:
    """Points that are observed as they are; counts the seeds it was given."""

    def __init__(self, points, label=None):
        label = np.zeros(len(points), np.int64) if label is None else np.asarray(label, np.int64)
        self.test = self.train = self.labelled = self.validation = Examples(np.asarray(points, np.float32), label)
        self.class_names = tuple(str(k) for k in range(label.max(initial=0) + 1))
        self.transform = types.SimpleNamespace(
            raw_shape=self.test.image.shape[1:],
            config=types.SimpleNamespace(noise="none", scale="raw", contrast="none"),
        )
        self.split, self.words, self.num_streamed = {}, (), 0
        self.seeds = []

    def observe(self, rows, seed=None):
        self.seeds.append(seed)
        return rows.image


class LinearGaussian:
    """p(z) = N(0, I), p(x|z) = N(Wz, s² I), and a q(z|x) that is too narrow, so the ELBO is loose."""

    num_classes, widest_layer, likelihood = 0, 1, None
    image_shape = (3,)

    def __init__(self):
        self.weight = tf.constant([[1.0, 0.5], [-0.5, 1.0], [0.3, 0.2]])
        self.scale = 0.8
        precision = np.eye(2) + self.weight.numpy().T @ self.weight.numpy() / self.scale**2
        self.posterior_covariance = np.linalg.inv(precision).astype(np.float32)

    def can(self, capability):
        return capability is Capability.BOUND

    def log_prob_bound(self, image, num_samples, seed):
        mean = image @ self.weight / self.scale**2 @ self.posterior_covariance
        q_z = tfd.MultivariateNormalDiag(mean, 0.7 * np.sqrt(np.diag(self.posterior_covariance)))
        z = mean + q_z.stddev() * noise.normal([num_samples, *mean.shape], seed)
        p_x = tfd.MultivariateNormalDiag(z @ tf.transpose(self.weight), self.scale * tf.ones(3))
        p_z = tfd.MultivariateNormalDiag(tf.zeros(2), tf.ones(2))
        log_w = p_x.log_prob(image) + p_z.log_prob(z) - q_z.log_prob(z)
        return tf.reduce_logsumexp(log_w, axis=0) - np.log(num_samples)

    def evidence(self, image):
        weight = self.weight.numpy()
        return multivariate_normal(np.zeros(3), weight @ weight.T + self.scale**2 * np.eye(3)).logpdf(image)


@pytest.fixture
def linear_gaussian():
    return LinearGaussian()


@pytest.fixture
def plain_data():
    return PlainData


@pytest.fixture(scope="session")
def digits():
    return load.load(load.Config(source="digits", labels_per_class=5))


@pytest.fixture(scope="session")
def small_sdgm(digits):
    keras.utils.set_random_seed(0)
    config = adgm.Config(latent_dim=3, auxiliary_dim=4, network=mlp.Config(hidden=(8,)), skip=True)
    return config.build(digits.info, seed=0)


@pytest.fixture(scope="session")
def small_vae(digits):
    keras.utils.set_random_seed(0)
    return vae.Config(latent_dim=3, network=mlp.Config(hidden=(8,))).build(digits.info, seed=0)
