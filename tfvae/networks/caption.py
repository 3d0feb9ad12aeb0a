"""q(s | Y): the code of a caption, by a recurrent network over its words."""

import keras
import tensorflow as tf

from tfvae.batch import END
from tfvae.layers import recurrent


class CaptionEncoder(keras.layers.Layer):
    """ĥ_t = H(W_e y_{t−1}, ĥ_{t−1});  μ = MLP(ĥ_{T+1}),  log σ = MLP(ĥ_{T+1}), each of one hidden layer of tanh units.

    Args:
        latent_dim: Z.
        vocabulary_size: V.
        config: `tfvae.heads.caption.Config`; its `cell`, `hidden` and `embedding` are used.

    Pu 2017, section 3.4.3, eq. (3.46), which has log σ² where the image's encoder has log σ; here both are log σ. It
    prints no size of the MLPs, which have as many units as the cell here.
    """

    def __init__(self, latent_dim, vocabulary_size, config, **kwargs):
        super().__init__(**kwargs, dtype="float32")  # As the parameters of every distribution.
        self.w_e = self.add_weight(
            shape=[vocabulary_size, config.embedding], initializer=recurrent.narrow_uniform(), name="w_e"
        )
        self.cell = recurrent.cell(config.cell, config.embedding, config.hidden, name=f"{self.name}_cell")
        self.mean = self._mlp("mean", config.hidden, latent_dim)
        self.log_scale = self._mlp("log_scale", config.hidden, latent_dim)
        self.built = True

    def call(self, caption):
        """int32 [B, T] -> mean and log variance, each [B, Z]; what stands behind the end has no influence."""
        embedded = tf.gather(tf.convert_to_tensor(self.w_e), caption)
        nothing = self.cell.start(tf.zeros([tf.shape(caption)[0], self.cell.units]))
        hidden = self.cell.outputs(embedded, nothing)
        last = tf.argmax(tf.cast(caption == END, tf.int32), axis=1, output_type=tf.int32) - 1
        summary = tf.gather(hidden, tf.maximum(last, 0), batch_dims=1)
        return self.mean(summary), 2.0 * self.log_scale(summary)

    def _mlp(self, name, hidden, outputs):
        layers = [
            keras.layers.Dense(hidden, activation="tanh", dtype="float32", name=f"{self.name}_{name}_hidden"),
            keras.layers.Dense(outputs, dtype="float32", name=f"{self.name}_{name}"),
        ]
        layers[0].build([None, hidden])
        layers[1].build([None, hidden])
        return keras.Sequential(layers, name=f"{self.name}_{name}_mlp")
