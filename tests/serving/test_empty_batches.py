"""No rows in, no rows out: every endpoint there is, as a server runs it and from Python."""

import numpy as np
import pytest
import tensorflow as tf

from tests.presets import model_and_batch, tiny
from tests.test_contract import SERVED_BY
from tfvae.data import transforms
from tfvae.serving import signatures

# Presets that have all endpoints: what is around one in a server is the same whichever model has it.
PRESETS = (
    "asvae_digits", "dgdn_clusters_digits", "dgdn_flickr8k_images", "dgdn_gibbs_digits", "dgdn_tags_digits",
    "drmm_folder", "multimodal_coloured", "sdgm_digits", "vae_newsgroups",
)  # fmt: skip


def test_every_endpoint_is_asked():
    asked = {name for preset in PRESETS for name in model_and_batch(preset)[0].endpoints()}
    assert set(SERVED_BY) | {"score"} <= asked


@pytest.mark.parametrize("preset", PRESETS)
def test_an_empty_batch_has_an_empty_answer(preset):
    model, _ = model_and_batch(preset)
    config, rng = tiny(preset).data, np.random.default_rng(0)
    of_images = config.source not in ("nothing", "moons", "toy", "bag_of_words")
    shape = (8, 8, 1) if of_images else tuple(model.image_shape)
    rows = rng.integers(0, 256, [20, *shape]).astype(np.uint8 if of_images else np.float32)
    settings = config.transform if of_images else transforms.Config(scale="raw", flatten=config.transform.flatten)
    transform = transforms.Transform.fit(settings, rows)
    if tuple(transform.image_shape) != tuple(model.image_shape):
        pytest.skip("the preset drops pixels of its own data")
    served = signatures.served_endpoints(model, {"image": transform})
    for name, endpoint in served.items():
        empty = [tf.zeros([0, *spec.shape[1:]], spec.dtype) for spec in endpoint.signature]
        answer = tf.function(endpoint.function, input_signature=endpoint.signature, autograph=False)(*empty)
        one = endpoint.function(*_one(endpoint.signature)) if name in ("encode", "sample") else {}
        for key, value in answer.items():
            assert value.shape[0] == 0, f"{name}: {key}"
            assert key not in one or value.shape[1:] == one[key].shape[1:], f"{name}: {key}"


def _one(signature):
    return [tf.zeros([1, *spec.shape[1:]], spec.dtype) for spec in signature]
