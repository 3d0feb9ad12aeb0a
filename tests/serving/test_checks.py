"""What a request must be, in the words of its errors; `tests/faults/test_request_faults.py` asks exports."""

import numpy as np
import pytest
import tensorflow as tf

from tests.faults import odd_images
from tfvae.batch import IMAGE, DataInfo
from tfvae.data import transforms
from tfvae.models import vae
from tfvae.networks import mlp
from tfvae.serving import checks, image_decoding, signatures


def test_a_bomb_has_its_own_status():
    bomb = odd_images.png(np.zeros((1, 1, 1), int), 8, 0)[:16] + bytes([0, 0, 58, 152] * 2) + bytes(9)
    image, status = image_decoding.decode_each([bomb, b""], (8, 8, 1))
    assert [text.decode() for text in status.numpy()] == [
        "an image of more than 25000000 pixels", "no readable PNG or JPEG image",
    ]  # fmt: skip
    assert not image.numpy().any()


def test_points_are_finite_and_as_they_are(survives):
    points = np.array([[0.5, -2.0], [1.5, 300.0]], np.float32)
    transform = transforms.Transform.fit(transforms.Config(scale="raw"), points)
    config = vae.Config(latent_dim=2, network=mlp.Config(hidden=(4,)), likelihood="gaussian")
    served = signatures.served_endpoints(config.build(DataInfo((2,), 0, 2, 0)), {IMAGE: transform})
    assert np.isfinite(served["encode"].function(tf.constant(points))["mean"]).all()
    for value in (np.nan, np.inf):
        with (
            survives(f"61 {value} in a point"),
            pytest.raises(tf.errors.InvalidArgumentError, match=r"infinity:'\n1"),
        ):
            served["encode"].function(tf.constant(points * [[1.0], [value]], tf.float32))


def test_a_check_is_made_of_what_arrives_and_not_of_what_the_signature_says():
    spec = tf.TensorSpec([None, 2], tf.float32, name="image")
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"must have the shape \[rows, 2\], got the shape"):
        checks.arguments([tf.zeros([2])], [spec])
    (same,) = checks.arguments([tf.ones([0, 2])], [spec])
    assert same.shape == (0, 2)
