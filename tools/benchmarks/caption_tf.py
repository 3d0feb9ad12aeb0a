"""The caption head, and keras-hub's beam search around its cell."""

import keras
import keras_hub
import numpy as np
import tensorflow as tf
import worker
from caption_lengths import captions

from tfvae import settings
from tfvae.heads import caption
from tfvae.layers import caption_search
from tfvae.training import optimiser

BEAMS = 5


def head_of(words, hidden, embedding, length, latent, ends=True):
    """A head with weights of a size that makes words differ."""
    vocabulary = tuple(f"word{i}" for i in range(words))
    head = caption.Caption(latent, vocabulary, length, caption.Config(hidden=hidden, embedding=embedding))
    rng = np.random.default_rng(0)
    for variable in head.weights:
        variable.assign(rng.normal(size=variable.shape) / np.sqrt(variable.shape[0]))
    if not ends:
        head.b_v.assign(np.concatenate([[-50.0, -50.0], np.zeros(words - 2)]))
    return head


def codes(batch, latent):
    return tf.constant(np.random.default_rng(1).normal(size=[1, batch, latent]), tf.float32)


def beam_function(peer, batch, words, hidden, embedding, length, latent):
    """codes [1, B, Z] -> int32 [B, length - 1], by our search or keras-hub's."""
    head = head_of(words, hidden, embedding, length, latent, ends=False)
    if not peer:
        config = caption_search.Config(beams=BEAMS, length_penalty=0.0)
        return tf.function(lambda z: head.predict(z, config)[0][:, :-1])
    search = keras_hub.samplers.BeamSampler(num_beams=BEAMS)

    def following(prompt, cache, index):
        (h,) = cache
        word = tf.gather(prompt, tf.maximum(index - 1, 0), axis=1)
        stepped = head.cell.step(head.cell.project(tf.gather(head.w_e, word)), (h,), head.cell.matrices())[0]
        h = tf.where(index > 0, stepped, h)
        return head._logits(h), None, (h,)

    def searched(z):
        prompt = tf.ones([batch, length - 1], tf.int32)  # A 0 would be taken for an end.
        return search(following, prompt, cache=(head._start(z[0])[0],), stop_token_ids=[0])

    return tf.function(searched)


def agree(**sizes):
    """The mean log p of the captions of both searches; refuses searches of unlike quality.

    Captions are alike but for the end, which ours counts and keras-hub's never sees.
    """
    z, head = codes(sizes["batch"], sizes["latent"]), head_of(**_but_batch(sizes), ends=False)
    found = {}
    for name, peer in (("ours", False), ("keras_hub", True)):
        ids = tf.pad(beam_function(peer, **sizes)(z), [[0, 0], [0, 1]])
        found[name] = float(tf.reduce_mean(head.log_prob(z[0], ids)))
    if abs(found["ours"] - found["keras_hub"]) > 0.5:
        raise ValueError(f"The searches find captions of unlike probability: {found}.")
    return {"mean_log_prob": found}


def _but_batch(sizes):
    return {name: value for name, value in sizes.items() if name != "batch"}


def beam(peer, **sizes):
    call, z = beam_function(peer, **sizes), codes(sizes["batch"], sizes["latent"])
    return worker.repeated(lambda: call(z))


def greedy(batch, latent, **sizes):
    head, z = head_of(latent=latent, **sizes, ends=False), codes(batch, latent)
    call = tf.function(lambda z: head.predict(z, caption_search.Config("greedy"))[0])
    return worker.repeated(lambda: call(z))


def tokens(batch, words, length, **_):
    """Words and ends of the captions that are trained on."""
    ids = captions(batch, words, length)
    return int((ids > 0).sum()) + batch


def train(batch, words, length, latent, **sizes):
    """One step of Adam on the head."""
    head = head_of(words=words, length=length, latent=latent, **sizes)
    adam = optimiser.from_settings(settings.Config(), 1000)
    adam.build(head.trainable_variables)
    z, ids = codes(batch, latent)[0], tf.constant(captions(batch, words, length))

    @tf.function
    def step(z, ids):
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(head.log_prob(z, ids))
        adam.apply(tape.gradient(loss, head.trainable_variables), head.trainable_variables)
        return loss

    return worker.repeated(lambda: step(z, ids))


if __name__ == "__main__":
    versions = {"tensorflow": tf.__version__, "keras": keras.__version__, "keras-hub": keras_hub.__version__}
    worker.serve({"beam": beam, "greedy": greedy, "train": train}, {"agree": agree, "tokens": tokens}, versions)
