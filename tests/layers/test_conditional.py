import numpy as np
import pytest
import tensorflow as tf

from tfvae.layers.conditional import batch_apply
from tfvae.layers.merge import LinearMerge
from tfvae.networks import mlp
from tfvae.probability import families


def test_merge_is_one_dense_layer_over_the_concatenated_parents(rng):
    merge = LinearMerge({"x": 5, "y": 3}, 4, name="m")
    x, y = (tf.constant(rng.normal(size=[6, n]).astype("float32")) for n in (5, 3))
    kernel = tf.concat([layer.kernel for layer in merge.maps], axis=0)
    np.testing.assert_allclose(merge(x, y), tf.concat([x, y], -1) @ kernel + merge.bias, rtol=1e-5, atol=1e-6)


def test_merge_broadcasts_what_repeating_would_give(rng):
    merge = LinearMerge({"a": 2, "y": 3, "x": 5}, 4, name="m")
    a, x = rng.normal(size=[7, 6, 1, 2]).astype("float32"), rng.normal(size=[6, 1, 5]).astype("float32")
    y = np.eye(3, dtype="float32")
    merged = merge(tf.constant(a), tf.constant(y), tf.constant(x))
    assert merged.shape == (7, 6, 3, 4)
    one = merge(tf.constant(a[2:3, 4, 0]), tf.constant(y[1:2]), tf.constant(x[4]))
    np.testing.assert_allclose(merged[2, 4, 1], one[0], rtol=1e-5, atol=1e-6)


def test_an_empty_parent_brings_its_leading_axes_only():
    merge = LinearMerge({"x": 0}, 4, name="m")
    merge.bias.assign([1.0, 2.0, 3.0, 4.0])
    merged = tf.function(merge)(tf.zeros([5, 0]))
    np.testing.assert_array_equal(merged, np.tile([1.0, 2.0, 3.0, 4.0], [5, 1]))


def test_merge_names_its_parents_when_their_number_is_wrong():
    with pytest.raises(ValueError, match="'a', 'y'"):
        LinearMerge({"a": 2, "y": 3}, 4, name="m")(tf.zeros([1, 2]))


def test_batch_apply_folds_and_restores_leading_axes(rng):
    conditional = mlp.conditional("p", {"z": 4}, families.BERNOULLI, 3, mlp.Config(hidden=(8,)))
    h = tf.constant(rng.normal(size=[5, 2, 3, 8]).astype("float32"))
    folded = batch_apply(conditional.trunk, h)
    assert folded.shape == (5, 2, 3, 3)
    np.testing.assert_allclose(folded[4, 1], conditional.trunk(h[4, 1]), rtol=1e-5, atol=1e-6)


def test_parameters_of_distributions_are_float32_under_mixed_precision():
    import keras

    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        conditional = mlp.conditional("p", {"z": 4}, families.GAUSSIAN, 3, mlp.Config(hidden=(8,), batch_norm=True))
        q = conditional(tf.ones([2, 4]))
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert q.mean().dtype == tf.float32
    assert q.log_prob(tf.zeros([2, 3])).dtype == tf.float32


def test_small_outputs_start_apart_and_follow_the_seed():
    def outputs():
        import keras

        keras.utils.set_random_seed(5)
        config = mlp.Config(hidden=(8,), output_init="small")
        pair = [mlp.conditional(name, {"z": 4}, families.GAUSSIAN, 3, config) for name in ("p", "q")]
        return [conditional.trunk.layers[-1].get_weights() for conditional in pair]

    first, second = outputs()
    assert not np.array_equal(first[0], second[0]), "two layers must not start from the same numbers"
    for once, again in zip(outputs()[0], first):
        np.testing.assert_array_equal(once, again)
    assert 5e-4 < np.std(first[0]) < 2e-3
