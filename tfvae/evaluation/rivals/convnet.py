"""A convolutional network of the model's size on the labelled rows alone."""

import keras
import numpy as np

from tfvae.evaluation.rivals.contest import Rival
from tfvae.networks import dgdn, rendering

_EPOCHS, _PATIENCE, _BATCH = 200, 20, 64


def train(data, labelled, validation, config, seed=0):
    """The model's own way from images to classes and nothing else of it; early stopping by validation.

    Args:
        data: `tfvae.data.load.Data`, for the observations.
        labelled: `Examples` to train on.
        validation: `Examples` with labels, perhaps none; then it trains for 50 epochs.
        config: of `tfvae.networks.dgdn` or `tfvae.networks.rendering`.
        seed: of the initialisation and the order.

    Returns:
        A function of observations [N, H, W, C] -> classes [N].
    """
    keras.utils.set_random_seed(seed)
    network = _NETWORKS[type(config)](data.info, config)
    network.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
    options = {"epochs": 50}
    if len(validation):
        stop = keras.callbacks.EarlyStopping("val_loss", patience=_PATIENCE, restore_best_weights=True)
        held_out = (data.observe(validation), validation.label)
        options = {"epochs": _EPOCHS, "validation_data": held_out, "callbacks": [stop]}
    network.fit(data.observe(labelled), labelled.label, batch_size=_BATCH, verbose=0, **options)
    return lambda image: np.argmax(network.predict(image, batch_size=500, verbose=0), axis=-1)


def _of_dgdn(info, config):
    """Filters and blocks as in the encoder, with rectified units, maxima and a softmax."""
    h = inputs = keras.Input(info.image_shape)
    for i, (elements, size, block) in enumerate(zip(config.elements, config.sizes, (*config.pooling, 1)), start=1):
        h = keras.layers.Conv2D(elements, size, activation="relu", name=f"filters{i}")(h)
        if block > 1:
            h = keras.layers.MaxPooling2D(block, padding="same", name=f"maxima{i}")(h)
    classes = keras.layers.Dense(info.num_classes, activation="softmax", dtype="float32", name="classes")
    return keras.Model(inputs, classes(keras.layers.Flatten()(h)), name="convnet")


class _BottomUp(keras.Model):
    """The forward pass of a deep rendering mixture model, which is a network with a softmax as it stands."""

    def __init__(self, info, config):
        super().__init__(name="bottom_up")
        self.network = rendering.RenderingNetwork(info.image_shape, info.num_classes, config, name="rendering")

    def call(self, image, training=False):
        return keras.ops.softmax(self.network.infer(image, training).logits)


_NETWORKS = {dgdn.Config: _of_dgdn, rendering.Config: _BottomUp}


def applies(contest):
    """Whether the model has convolutions to take the sizes from."""
    return type(contest.network) in _NETWORKS


def fit_and_score(contest):
    """The test error."""
    predict = train(contest.data, contest.labelled, contest.validation, contest.network, contest.seed)
    return float(np.mean(predict(contest.data.observe(contest.test)) != contest.test.label))


RIVAL = Rival("supervised convolutional network", fit_and_score, applies=applies)
