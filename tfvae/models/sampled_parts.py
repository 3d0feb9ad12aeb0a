"""What a chain learns beside the image model of `tfvae.models.dgdn_sampled`, and what is answered by it."""

import functools

import keras
import tensorflow as tf

from tfvae.batch import IMAGE, TAGS
from tfvae.capabilities import Capability, Endpoint
from tfvae.heads.bayesian_svm import BayesianSvm
from tfvae.probability import noise
from tfvae.samplers.dgdn import clusters, tags


class Classifiers(BayesianSvm):
    """The support vector machines on the code and a constant 1, whose weight is the last of β."""

    def __init__(self, latent_dim, num_classes, **kwargs):
        super().__init__(latent_dim + 1, num_classes, **kwargs)
        self.beta.assign(tf.zeros_like(self.beta))
        self.trainable = False

    def decision(self, z):
        beta = tf.convert_to_tensor(self.beta)
        return tf.linalg.matmul(z, beta[:-1]) + beta[-1]


def usage(num_elements):
    """π, how probably each map of a code is on: a variable [K], named by a layer of its own."""
    owner = keras.layers.Layer(name="usage", dtype="float32")
    half = keras.initializers.Constant(0.5)
    return owner.add_weight(shape=[num_elements], initializer=half, trainable=False, name="probabilities")


class Topics(keras.layers.Layer):
    """Φ of the focused topic model on which maps of a code are on, and the tags of new images.

    Args:
        code_shape: (h, w, K) of the top layer's maps.
        num_tags: V.
        prior: `tfvae.samplers.dgdn.tags.Prior`.
    """

    def __init__(self, code_shape, num_tags, prior, **kwargs):
        super().__init__(**kwargs, dtype="float32", trainable=False)
        self.code_shape, self.prior = code_shape, prior
        even = keras.initializers.Constant(1.0 / num_tags)
        self.phi = self.add_weight(shape=[num_tags, code_shape[-1]], initializer=even, name="phi")
        self.built = True

    def answers(self, model):
        return {
            Capability.TAG: functools.partial(self.tag, model),
            "tag_topics": lambda: tf.transpose(tf.convert_to_tensor(self.phi)),
            "tag_usage": functools.partial(self.usage, model),
        }

    def endpoints(self, model):
        image = tf.TensorSpec([None, *model.image_shape], tf.float32, name=IMAGE)
        return {"tag": Endpoint(lambda image: {TAGS: self.tag(model, image)}, [image])}

    def tag(self, model, image, num_samples=1, seed=None):
        """p(b_i = 1 | x) of every tag, averaged over the draws of a chain: [B, V].

        Args:
            model: has `inferred_codes`.
            image: [B, H, W, C].
            num_samples: S, draws; only with a seed.
            seed: int32 [2]; None for the chain that is the same every time.
        """
        phi, codes = tf.convert_to_tensor(self.phi), model.inferred_codes(image, num_samples, seed)
        return tf.reduce_mean(
            tf.map_fn(lambda code: tags.expected_probabilities(phi, self._on(code), self.prior), codes), axis=0
        )

    def usage(self, model, image):
        """How many tags each element says of an image on average, E[g] p(z_k = 1 | x): [B, K]."""
        codes = model.inferred_codes(image, 1, None)
        on = tf.map_fn(self._on, codes, fn_output_signature=tf.float32)
        return self.prior.shape / self.prior.rate * tf.reduce_mean(on, axis=0)

    def _on(self, codes):
        return clusters.is_on(tf.reshape(codes, [-1, *self.code_shape]))


class Clusters(keras.layers.Layer):
    """A mixture from which codes are drawn, or which of their maps are on.

    Args:
        code_shape: (h, w, K) of the top layer's maps.
        latent_dim: Z, of the whole code.
        prior: `tfvae.samplers.dgdn.clusters.Prior`.
    """

    def __init__(self, code_shape, latent_dim, prior, **kwargs):
        super().__init__(**kwargs, dtype="float32", trainable=False)
        self.code_shape, self.prior = code_shape, prior
        first = clusters.first(latent_dim, code_shape[-1], prior, tf.constant([0, 0]))
        self.log_weights = self._held("log_weights", first.sticks.log_weights)
        self.mass = self._held("mass", first.sticks.mass)
        fields = first.components._asdict().items()
        self.components = {name: self._held(name, value) for name, value in fields}
        self._kind = type(first.components)
        self.means = self.components.get("means", tf.zeros([prior.num, latent_dim]))
        self.built = True

    def _held(self, name, value):
        variable = self.add_weight(shape=value.shape, initializer="zeros", name=name)
        variable.assign(value)
        return variable

    def read(self):
        """The variables as a `tfvae.samplers.dgdn.clusters.Mixture`."""
        sticks = clusters.Sticks(tf.convert_to_tensor(self.log_weights), tf.convert_to_tensor(self.mass))
        fields = {name: tf.convert_to_tensor(variable) for name, variable in self.components.items()}
        return clusters.Mixture(sticks, self._kind(**fields))

    def write(self, mixture):
        self.log_weights.assign(mixture.sticks.log_weights)
        self.mass.assign(mixture.sticks.mass)
        for name, value in mixture.components._asdict().items():
            self.components[name].assign(value)

    def sample(self, num, seed):
        """(cluster [num], code [num, Z] or None where usages are clustered) from the mixture."""
        mixture = self.read()
        cluster_seed, code_seed = noise.split(seed, 2)
        cluster = clusters.assign(mixture.sticks, tf.zeros([num, self.prior.num]), cluster_seed)
        around = clusters.around(mixture, cluster)
        if around is None:
            return cluster, None
        width = tf.math.rsqrt(around.precisions)[:, None]
        return cluster, around.means + width * noise.normal(tf.shape(around.means), code_seed)

    def answers(self, model):
        return {
            Capability.CLUSTER: functools.partial(self.cluster, model),
            "cluster_weights": lambda: tf.exp(tf.convert_to_tensor(self.log_weights)),
        }

    def endpoints(self, model):
        image = tf.TensorSpec([None, *model.image_shape], tf.float32, name=IMAGE)
        return {"cluster": Endpoint(functools.partial(self._serve, model), [image])}

    def cluster(self, model, image, num_samples=1, seed=None):
        """p(c | x), the mean of p(c | s) over the draws of a chain: [B, J]; arguments as of `Topics.tag`."""
        mixture = self.read()

        def of_draw(code):
            return clusters.responsibilities(tf.reshape(code, [-1, *self.code_shape]), mixture)

        return tf.reduce_mean(tf.map_fn(of_draw, model.inferred_codes(image, num_samples, seed)), axis=0)

    def _serve(self, model, image):
        probs = self.cluster(model, image)
        return {"cluster": tf.argmax(probs, axis=-1), "cluster_probabilities": probs}
