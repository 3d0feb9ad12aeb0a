"""The fused Adam takes the steps of Keras' Adam."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfvae import settings
from tfvae.training import optimiser

SHAPES = ((4, 3), (3,), (2, 2, 2))


def trajectory(make, steps=8, dtype="float32", scale=1.0):
    """Values of a few variables after some steps down fixed, changing gradients."""
    rng = np.random.default_rng(0)
    variables = [
        keras.Variable(rng.normal(size=s).astype("float32"), dtype=dtype, name=f"v{i}") for i, s in enumerate(SHAPES)
    ]
    chosen = make()
    chosen.build(variables)

    @tf.function
    def step(gradients):
        chosen.apply(gradients, variables)

    for _ in range(steps):
        step([tf.constant(scale * rng.normal(size=v.shape), v.dtype) for v in variables])
    return [keras.ops.convert_to_numpy(keras.ops.cast(v, "float32")) for v in variables], chosen


def schedule():
    return keras.optimizers.schedules.ExponentialDecay(RATE, 3, 0.5, staircase=True)


# Keras rounds 1 − β₂ to float32, the fused operation takes 1 − float32(β₂): steps differ by 1.3e-5 of their length.
RATE = 0.01
CASES = {
    "plain": (lambda: optimiser.Adam(RATE), lambda: keras.optimizers.Adam(RATE)),
    "large epsilon": (lambda: optimiser.Adam(RATE, epsilon=0.1), lambda: keras.optimizers.Adam(RATE, epsilon=0.1)),
    "clipped": (lambda: optimiser.Adam(RATE, clip_norm=0.5), lambda: keras.optimizers.Adam(RATE, global_clipnorm=0.5)),
    "schedule": (
        lambda: optimiser.Adam(optimiser.StaircaseDecay(RATE, 0.5, 3)),
        lambda: keras.optimizers.Adam(schedule()),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_fused_adam_is_adam(case):
    ours, theirs = CASES[case]
    values, fused = trajectory(ours)
    assert fused.fused
    for value, expected in zip(values, trajectory(theirs)[0], strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-6, atol=1e-6)


def test_other_types_take_the_plain_update():
    values, plain = trajectory(lambda: optimiser.Adam(0.1), dtype="bfloat16")
    assert not plain.fused
    expected_values, _ = trajectory(lambda: keras.optimizers.Adam(0.1), dtype="bfloat16")
    for value, expected in zip(values, expected_values, strict=True):
        np.testing.assert_array_equal(value, expected)


def test_clipping_bounds_the_global_norm():
    seen = []

    class Spy(optimiser.Adam):
        def _backend_update_step(self, grads, trainable_variables, learning_rate):
            seen.append(tf.linalg.global_norm(grads))

    variable = keras.Variable(np.zeros(3, "float32"))
    Spy(0.1, clip_norm=0.5).apply([tf.constant([30.0, 40.0, 0.0])], [variable])
    np.testing.assert_allclose(seen[0], 0.5, rtol=1e-6)


def test_staircase_reaches_its_floor_and_stays():
    rate = optimiser.StaircaseDecay(1.0, 0.5, decay_steps=10, floor=0.2)
    np.testing.assert_allclose(
        [rate(step) for step in (0, 9, 10, 20, 30, 10**9)], [1.0, 1.0, 0.5, 0.25, 0.2, 0.2], rtol=1e-6
    )


def test_floor_never_raises_the_first_rate():
    rate = optimiser.StaircaseDecay(1e-6, 0.5, decay_steps=10, floor=1e-3)
    np.testing.assert_allclose(float(rate(0)), 1e-6, rtol=1e-6)


def test_decay_counts_epochs():
    config = settings.Config(learning_rate=1.0, decay_factor=0.1, decay_epochs=2, min_learning_rate=0.0)
    rate = optimiser.from_settings(config, steps_per_epoch=5)
    rate.build([keras.Variable(0.0)])
    assert float(rate.learning_rate) == 1.0
    rate.iterations.assign(10)
    np.testing.assert_allclose(float(rate.learning_rate), 0.1, rtol=1e-6)


def test_float16_overflow_skips_the_step_and_halves_the_scale():
    scaled = optimiser.from_settings(settings.Config(precision="mixed_float16"), steps_per_epoch=1)
    variable = keras.Variable(1.0)
    scaled.build([variable])
    before = float(scaled.dynamic_scale)
    scaled.apply([tf.constant(np.inf)], [variable])
    assert float(variable) == 1.0 and float(scaled.dynamic_scale) == before / 2
    scaled.apply([tf.constant(1.0)], [variable])
    assert float(variable) < 1.0
