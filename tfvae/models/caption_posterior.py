"""q(s | Y): a second recognition model, by which a caption has a code, and so an image.

Pu 2017, sections 3.4.2, 3.4.3 and 3.5.6.
"""

import functools
from typing import NamedTuple

import keras
import tensorflow as tf

from tfvae.batch import CAPTION, IMAGE
from tfvae.capabilities import Capability, Endpoint
from tfvae.heads import targets
from tfvae.heads.caption import CAPTION_NOISE
from tfvae.networks.caption import CaptionEncoder
from tfvae.probability import families, noise


class CaptionBound(NamedTuple):
    """(B_c / B) mean_c V(x, Y): a scalar, and the terms of V, name -> [B_c], nats."""

    value: tf.Tensor | float
    terms: dict[str, tf.Tensor]


class CaptionPosterior(keras.layers.Layer):
    """q(s | Y) of captions, a part of a model of images and captions.

    Args:
        latent_dim: Z.
        vocabulary_size: V.
        config: `tfvae.heads.caption.Config`.
        kl_warmup_steps: steps over which the weight of KL(q(s | Y) ‖ p(s)) rises to 1; 0 for none.
    """

    def __init__(self, latent_dim, vocabulary_size, config, kl_warmup_steps, **kwargs):
        super().__init__(**kwargs, dtype="float32")
        self.config = config
        self.kl_warmup_steps = kl_warmup_steps
        self.network = CaptionEncoder(latent_dim, vocabulary_size, config, name="q_s_words")
        self.built = True

    def encode(self, words):
        """q(s | Y) of captions int32 [B, T]."""
        return families.DiagGaussian(*self.network(words))

    def initialise(self, head):
        """Begins with the word vectors of the head for captions, where these were read."""
        if self.config.word_vectors:
            self.network.w_e.assign(head.w_e)

    def bound(self, model, batch, masks, seed, training=False) -> CaptionBound:
        """V of the captioned images of a batch:

            V(x, Y) = E_{q(s|Y) q(u|x)}[ log p(x | s, u) + ξ_c log p(Y | s) ] − KL(q(s | Y) ‖ p(s)).

        Args:
            model: has `log_likelihood(image, s, masks)`, `divergence(q_s, training)` and a head for captions.
            batch: of streams.
            masks: of every pooled layer, a row an image of the batch, drawn from q(u | x). They are taken as they are:
                maps learn by U.
            seed: of s.
            training: whether the weight of the KL is warmed up.

        Pu 2017, eq. (3.40) "in a similar manner".
        """
        terms, value = {}, 0.0
        for target in targets.targets([CAPTION], batch):
            q_s = self.encode(target.values)
            s = q_s.sample(seed=noise.fold_in(seed, CAPTION_NOISE))
            given = [tf.stop_gradient(mask[target.first : target.end]) for mask in masks]
            log_p_x = model.log_likelihood(batch[target.stream][IMAGE], s, given)
            kl = model.divergence(q_s, training)
            log_p_y = self._weighted_log_prob(model, s, target)
            each = log_p_x - model.warmed_up(self.kl_warmup_steps, training) * kl + log_p_y
            value += target.share * tf.reduce_mean(each)
            terms = {"caption_log_likelihood": log_p_x, "caption_kl_s": kl}
        return CaptionBound(value, terms)

    def _weighted_log_prob(self, model, s, target):
        """ξ_c log p(Y | s): [B_c]."""
        head = model.heads[CAPTION]
        xi = targets.weight(head, model.scales[CAPTION], target.values, target.share)
        return xi * head.log_prob(s, target.values)

    # What the model answers because of it.

    def answers(self, model):
        return {
            Capability.IMAGE_FROM_CAPTION: functools.partial(self.image_from_caption, model),
            "encode_caption": self.encode,
            "encode_caption_moments": lambda words: _moments(self.encode(words)),
            "encode_moments": lambda image: _moments(model.encode(image)),
        }

    def endpoints(self, model):
        words = tf.TensorSpec([None, model.info.caption_length], tf.int32, name=CAPTION)
        return {
            "encode_caption": Endpoint(self._serve_encode, [words]),
            "image_from_caption": Endpoint(lambda words: {IMAGE: self.image_from_caption(model, words)}, [words]),
        }

    def image_from_caption(self, model, words):
        """The image of the mean of q(s | Y), int32 [B, T] -> [B, H, W, C]."""
        return model.image_of(self.encode(words).mean())

    def _serve_encode(self, words):
        q_s = self.encode(words)
        return {"mean": q_s.mean(), "stddev": q_s.stddev()}


def _moments(q):
    return q.mean(), q.variance()
