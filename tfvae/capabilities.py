"""What a model can be asked for: declared once by the model, asked in one way everywhere.

    if model.can(Capability.CLASSIFY):
        probs = model.classify(image)

The value of a capability is the name of the method that answers it, so a model that declares one has that method; the
contract test holds every model to its word in both directions. Some methods a model has because of a `Part`: a head for
labels brings `classify`, one for captions brings `caption`.
"""

import enum
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import tensorflow as tf


class Capability(enum.StrEnum):
    """One thing that some models can be asked for, by the name of its method."""

    # sample(num, seed) -> [num, ...]: draws of observations, as pictures where these are images.
    SAMPLE = "sample"
    # log_prob_bound(image, num_samples, seed) -> [B]: a bound on log p(x), nats.
    BOUND = "log_prob_bound"
    # log_normaliser() -> float: log of the integral of an unnormalised target that the bound stays below.
    LOG_NORMALISER = "log_normaliser"
    # encode(image) -> q(z | x), batch shape [B].
    ENCODE = "encode"
    # codes(image, num_samples, seed) -> [S, B, Z]: draws of the code.
    CODES = "codes"
    # chain_of_codes(image, num_draws, seed) -> [S, B, Z]: successive draws of a Markov chain that has burnt in.
    CHAIN = "chain_of_codes"
    # encode_auxiliary(image) -> q(a | x), batch shape [B].
    ENCODE_AUXILIARY = "encode_auxiliary"
    # reconstruct(image) -> [B, ...].
    RECONSTRUCT = "reconstruct"
    # kl_per_unit(image, seed) -> {"z": [B, Z], ...}, nats.
    KL_PER_UNIT = "kl_per_unit"
    # classify(image, num_samples=1, seed=None) -> [B, K], probabilities.
    CLASSIFY = "classify"
    # analogies(image) -> [B, K, ...]: every image in every class; `sample` and `decode` take a class.
    ANALOGIES = "analogies"
    # render(label, seed) -> [B, ...]: an image of each class, int [B]; everything but the class is drawn.
    RENDER = "render"
    # energy(image) -> [B]: how badly the model explains an image, where it has no density; lower is better.
    ENERGY = "energy"
    # activations(image) -> {layer: [B, h, w, C]}, from the image up.
    ACTIVATIONS = "activations"
    # templates(image) -> [[B, h, w, C], ...]: what is rendered of an image's class, level by level down to the image.
    TEMPLATES = "templates"
    # caption(image, num_samples=1, seed=None, decoding="") -> int32 [B, T], [B] nats. With it come the same of codes
    # [S, B, Z], caption_of_codes(s, seed=None, decoding=""), and caption_log_prob(s, words) -> [B].
    CAPTION = "caption"
    # tag(image, num_samples=1, seed=None) -> [B, L], the probability of each tag. With it comes tag_topics() -> [K, L],
    # of every element of the top dictionary the probabilities of the words, and tag_usage(image) -> [B, K], how much
    # each element says.
    TAG = "tag"
    # cluster(image, num_samples=1, seed=None) -> [B, J], how probably an image is of each cluster.
    CLUSTER = "cluster"
    # image_from_caption(words) -> [B, ...] for words int32 [B, T]. With it come encode_caption(words) -> q(z | Y), and
    # mean and variance of both encoders, [B, Z] each: encode_moments(image) and encode_caption_moments(words).
    IMAGE_FROM_CAPTION = "image_from_caption"
    # dictionary_elements(layer) -> [K, H, W, C]: elements of a layer (from 0) in the image plane.
    DICTIONARY = "dictionary_elements"
    # topics() -> [V, P]: probabilities of words.
    TOPICS = "topics"
    # posterior_draws(image, num, seed) -> [num, B, Z]: draws of p(z | x), which is known or can be sampled.
    POSTERIOR = "posterior_draws"
    # translate(given, to, seed=None) -> [B, ...]: the image `to` of others, given = {modality: [B, ...]}.
    TRANSLATE = "translate"
    # sample_together(num, seed) -> {modality: [num, ...]}: all images of a code that is drawn.
    SAMPLE_TOGETHER = "sample_together"
    # joint_log_prob_bound(given, num_samples, seed) -> [B]: a bound on log p of all modalities that are given, nats.
    JOINT_BOUND = "joint_log_prob_bound"
    # conditional_log_prob(given, wanted, num_samples, seed) -> [B]: an estimate of log p(wanted | given), nats.
    CONDITIONAL = "conditional_log_prob"
    # log_likelihood_of_code(image, z) -> [S, B]: log p(x | z) of codes [S, B, Z], nats.
    CODE_LIKELIHOOD = "log_likelihood_of_code"
    # critic_logits(image, seed) -> {critic: ([B], [B])}: logits of pairs that it is to say yes to, and of the others.
    CRITIC = "critic_logits"
    # stein_discrepancy(image, num_samples, seed) -> [B].
    STEIN_DISCREPANCY = "stein_discrepancy"


class UndeclaredError(ValueError, AttributeError):
    """A model was asked for what it does not declare; an AttributeError too, as of any method that is not there."""


class Endpoint(NamedTuple):
    """One thing a model can be asked for when it is served.

    function:  named tensors -> dict of tensors whose first axis is the batch.
    signature: the TensorSpecs of its arguments, in order; every one has `None` as its first axis.
    """

    function: Callable[..., dict[str, Any]]
    signature: list[tf.TensorSpec]


class Part(Protocol):
    """A part that gives its model more to answer: a head, a second encoder."""

    def answers(self, model: Any) -> dict[str, Callable]:
        """Name -> method that the model has because of this part; the model declares those that are capabilities."""

    def endpoints(self, model: Any) -> dict[str, Endpoint]:
        """What is served because of this part."""
