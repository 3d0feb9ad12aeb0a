"""Optimisers and decays against the same in NumPy; the fused Adam takes the steps of Keras' Adam."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfvae import ranges, settings
from tfvae.models import players
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


def by_hand(update, steps=8, scale=1.0):
    """Values after the same steps as `trajectory`, of `update(t, theta, gradient, state) -> theta` in float64."""
    rng = np.random.default_rng(0)
    values = [rng.normal(size=shape).astype("float32").astype(np.float64) for shape in SHAPES]
    states = [{} for _ in SHAPES]
    for t in range(steps):
        for i, shape in enumerate(SHAPES):
            values[i] = update(t, values[i], scale * rng.normal(size=shape), states[i])
    return values


def adam(t, theta, gradient, state, rate=RATE):
    state["m"] = 0.9 * state.get("m", 0.0) + 0.1 * gradient
    state["v"] = 0.999 * state.get("v", 0.0) + 0.001 * gradient**2
    return theta - rate * (state["m"] / (1 - 0.9 ** (t + 1))) / (np.sqrt(state["v"] / (1 - 0.999 ** (t + 1))) + 1e-7)


def rmsprop(t, theta, gradient, state, rate=RATE):
    state["r"] = 0.9 * state.get("r", 0.0) + 0.1 * gradient**2
    step = rate * gradient / np.sqrt(state["r"] + 1e-7)
    state["v"] = 0.9 * state.get("v", 0.0) - step
    return theta + 0.9 * state["v"] - step


def sgd(t, theta, gradient, state, rate=RATE):
    state["v"] = 0.9 * state.get("v", 0.0) - rate * gradient
    return theta + state["v"]


@pytest.mark.parametrize("update", [adam, rmsprop, sgd], ids=lambda update: update.__name__)
def test_an_optimiser_is_what_it_says(update):
    config = settings.Config(optimiser=update.__name__, learning_rate=RATE, momentum=0.9)
    values, _ = trajectory(lambda: optimiser.from_settings(config, steps_per_epoch=1))
    for value, expected in zip(values, by_hand(update), strict=True):
        # The fused Adam leaves out a factor of its ε, 1e-7 · √(1 − β₂ᵗ), as Keras' does.
        np.testing.assert_allclose(value, expected, rtol=2e-4, atol=1e-5)


def test_nesterov_is_not_the_heavy_ball():
    values, _ = trajectory(lambda: optimiser.RMSprop(RATE))
    heavy, _ = trajectory(lambda: keras.optimizers.RMSprop(RATE, momentum=0.9))
    assert np.abs(values[0] - heavy[0]).max() > 1e-3
    plain, _ = trajectory(lambda: optimiser.RMSprop(RATE, momentum=0.0))
    for value, expected in zip(plain, trajectory(lambda: keras.optimizers.RMSprop(RATE))[0], strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)


CLIPPED = {
    "sgd": (
        lambda: optimiser.SGD(RATE, clip_norm=0.5),
        lambda: keras.optimizers.SGD(RATE, momentum=0.9, global_clipnorm=0.5),
    ),
    "rmsprop": (
        lambda: optimiser.RMSprop(RATE, momentum=0.0, clip_norm=0.5),
        lambda: keras.optimizers.RMSprop(RATE, global_clipnorm=0.5),
    ),
}


@pytest.mark.parametrize("case", CLIPPED)
def test_every_optimiser_clips(case):
    ours, theirs = CLIPPED[case]
    for value, expected in zip(trajectory(ours)[0], trajectory(theirs)[0], strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)


DECAYS = {
    "staircase": lambda t: max(0.02, 0.5 ** (t // 10)),
    "exponential": lambda t: max(0.02, 0.5 ** (t / 10)),
    "linear": lambda t: 1.0 + (0.02 - 1.0) * min(1.0, t / 40),
    "cosine": lambda t: 0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * min(1.0, t / 40))),
}


@pytest.mark.parametrize("decay", DECAYS)
def test_a_decay_is_its_formula(decay):
    """Two epochs of 5 steps a stair, 8 epochs in all; and beyond the last epoch."""
    config = settings.Config(
        epochs=8, learning_rate=1.0, decay=decay, decay_factor=0.5, decay_epochs=2, min_learning_rate=0.02
    )
    made = optimiser.from_settings(config, steps_per_epoch=5)
    made.build([keras.Variable(0.0)])
    for t in range(50):
        made.iterations.assign(t)
        assert float(made.learning_rate) == pytest.approx(DECAYS[decay](t), rel=1e-5), t


@pytest.mark.parametrize("decay", DECAYS)
def test_a_rate_below_the_least_stays(decay):
    config = settings.Config(learning_rate=1e-6, decay=decay, decay_factor=0.5, min_learning_rate=1e-3)
    made = optimiser.from_settings(config, steps_per_epoch=1)
    made.build([keras.Variable(0.0)])
    for t in (0, 50, 100):
        made.iterations.assign(t)
        assert float(made.learning_rate) == pytest.approx(1e-6)


def test_steps_of_a_player_that_takes_several_a_round_decay_by_rounds():
    config = settings.Config(epochs=4, learning_rate=1.0, decay="linear", min_learning_rate=0.0)
    made = optimiser.from_settings(config, steps_per_epoch=5, steps=3)
    made.build([keras.Variable(0.0)])
    made.iterations.assign(3 * 5)  # An epoch.
    assert float(made.learning_rate) == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"optimiser": "adamw"}, r"`training.optimiser` must be one of"),
        ({"decay": "sudden"}, r"`training.decay` must be one of"),
        ({"momentum": 1.0}, r"`training.momentum` must be a number in \[0, 1\), got 1.0"),
        (
            {"players": settings.Players(critic=settings.Player(learning_rate=-1.0))},
            r"`training.players.critic.learning_rate` must be a number in .*, got -1.0",
        ),
        (
            {"players": settings.Players(critic=settings.Player(decay="sudden"))},
            r"`training.players.critic.decay` must be one of",
        ),
    ],
)
def test_settings_that_no_optimiser_has_are_refused_by_name(fields, message):
    with pytest.raises(ValueError, match=message):
        ranges.check(settings.Config(**fields), "training")


@pytest.mark.parametrize("kind", settings.OPTIMISERS)
@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_weight_decay_shrinks_kernels_and_nothing_else(kind, precision):
    """θ ← θ − η λ θ beside the step of the gradient, which is 0 here."""
    fields = {"learning_rate": 0.1, "weight_decay": 0.5, "epochs": 1, "precision": precision}
    kernel, bias = (keras.Variable(np.ones(3, np.float32), name=name) for name in ("kernel", "bias"))

    learner = players.Player(objective=None, variables=[kernel, bias])
    made = optimiser.of_players(settings.Config(optimiser=kind, **fields), 1, {"model": learner})["model"]
    tf.function(lambda: made.apply([tf.zeros(3), tf.zeros(3)], [kernel, bias]))()
    np.testing.assert_allclose(kernel, 0.95, rtol=1e-6)
    np.testing.assert_allclose(bias, 1.0)
