"""Rounds of players against the updates written down by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfvae import settings
from tfvae.batch import DataInfo
from tfvae.models.base import GenerativeModel, Objective
from tfvae.models.players import Player
from tfvae.probability import noise
from tfvae.training import optimiser

BATCH = {"unlabelled": {"image": tf.ones([4, 1])}}


class Game(GenerativeModel):
    """min over a of ½ (a − b)², then min over b of ½ (b + 2 a)²: the second sees what the first has just done."""

    encode = decode = sample = log_prob_bound = kl_per_unit = None

    def __init__(self, steps=1, begins=0, ends=None):
        super().__init__(DataInfo((1,), 0, 4, 0), seed=0)
        self.a = self.add_weight(shape=[1], initializer="ones", name="a")
        self.b = self.add_weight(shape=[1], initializer="ones", name="b")
        self.steps, self.begins, self.ends = steps, begins, ends
        self.seeds = []
        self.built = True

    def objective(self, batch, seed, training=False):
        rows = tf.zeros([len(batch["unlabelled"]["image"])])
        return Objective(tf.reduce_sum(self.a), {"distance": rows + (self.a - self.b)})

    def players(self):
        return {
            "first": Player(self._first, [self.a], self.steps, ends=self.ends),
            "second": Player(self._second, [self.b], begins=self.begins),
        }

    def _first(self, batch, seed):
        self.seeds.append(tuple(np.array(seed)) if tf.executing_eagerly() else None)
        return Objective(0.5 * tf.reduce_sum((self.a - tf.stop_gradient(self.b)) ** 2), {"of_a": self.a + 0.0})

    def _second(self, batch, seed):
        self.seeds.append(tuple(np.array(seed)) if tf.executing_eagerly() else None)
        return Objective(0.5 * tf.reduce_sum((self.b + 2.0 * tf.stop_gradient(self.a)) ** 2), {"of_b": self.b + 0.0})


def ready(model, **training):
    model.prepare(BATCH)
    config = settings.Config(**{"optimiser": "sgd", "momentum": 0.0, "learning_rate": 0.1, **training})
    chosen = optimiser.of_players(config, steps_per_epoch=3, players=model.players())
    model.compile(optimizer=chosen, jit_compile=False, auto_scale_loss=False)
    model.seeds.clear()
    return model


def rounds(num, rate_a=0.1, rate_b=0.1, steps=1):
    """The game by hand."""
    a = b = 1.0
    for _ in range(num):
        for _ in range(steps):
            a -= rate_a * (a - b)
        b -= rate_b * (b + 2 * a)
    return a, b


@pytest.mark.parametrize("steps", [1, 3])
def test_players_step_in_turn_each_with_its_own_variables(steps):
    model = ready(Game(steps))
    for _ in range(4):
        model.train_step(BATCH)
    np.testing.assert_allclose((model.a[0], model.b[0]), rounds(4, steps=steps), rtol=1e-5)
    assert int(model.step) == 4
    assert [int(its.iterations) for its in model.optimisers.values()] == [4 * steps, 4]


def test_each_player_has_its_own_rate():
    model = ready(Game(), players=settings.Players(second=settings.Player(learning_rate=0.3)))
    for _ in range(4):
        model.train_step(BATCH)
    np.testing.assert_allclose((model.a[0], model.b[0]), rounds(4, rate_b=0.3), rtol=1e-5)
    rates = optimiser.learning_rates(model)
    np.testing.assert_allclose(list(rates.values()), [0.1, 0.3], rtol=1e-6)
    assert list(rates) == ["learning_rate_first", "learning_rate_second"]


def test_a_player_is_clipped_by_itself():
    model = ready(Game(), clip_norm=0.5, players=settings.Players(first=settings.Player(clip_norm=0.0)))
    model.b.assign([10.0])
    model.train_step(BATCH)
    np.testing.assert_allclose((model.a[0], model.b[0]), (1.9, 10.0 - 0.1 * 0.5), rtol=1e-6)


def test_losses_and_terms_of_all_players_are_reported():
    model = ready(Game(steps=2))
    report = model.train_step(BATCH)
    assert set(report) == {"loss_first", "loss_second", "of_a", "of_b"}
    assert float(report["of_a"]) == pytest.approx(1.0), "the mean over its two steps, in which a = b"
    assert {"loss", "distance", *report} == {metric.name for metric in model.metrics}


def test_every_step_has_noise_of_its_own_and_a_round_repeats_it():
    model = ready(Game(steps=2))
    model.train_step(BATCH)
    model.step.assign(0)
    model.train_step(BATCH)
    assert model.seeds[:3] == model.seeds[3:] and len(set(model.seeds[:3])) == 3
    assert model.seeds[0] == tuple(np.array(noise.seed(0, 0, 0))), "the first is that of a model with one player"


def test_a_player_begins_and_ends_in_fit():
    model = ready(Game(begins=2, ends=5))
    seen = []
    watcher = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(set(logs)))
    model.fit(tf.data.Dataset.from_tensors(BATCH).repeat(), steps_per_epoch=7, verbose=0, callbacks=[watcher])
    first, second = {"loss_first", "of_a"}, {"loss_second", "of_b"}
    assert seen == [first] * 2 + [first | second] * 3 + [second] * 2
    assert [int(its.iterations) for its in model.optimisers.values()] == [5, 5]


def test_a_step_after_fit_is_one_of_its_own_moment():
    model = ready(Game(begins=2, ends=5))
    model.fit(tf.data.Dataset.from_tensors(BATCH).repeat(), steps_per_epoch=2, verbose=0)
    assert set(model.train_step(BATCH)) == {"loss_first", "of_a", "loss_second", "of_b"}


def test_a_player_that_never_plays_is_told(monkeypatch):
    said = []
    monkeypatch.setattr(optimiser.logging, "warning", lambda text, *args: said.append(text % args))
    ready(Game(begins=30), epochs=2)
    assert said == ["The player 'second' begins at step 30 and never learns: there are 2 epochs of 3 steps."]


def test_several_steps_a_call_are_the_same_rounds():
    ends = []
    for steps_per_execution in (1, 2):
        model = Game(begins=2).prepare(BATCH)
        chosen = optimiser.of_players(settings.Config(learning_rate=0.1), 3, model.players())
        model.compile(optimizer=chosen, jit_compile=False, steps_per_execution=steps_per_execution)
        model.fit(tf.data.Dataset.from_tensors(BATCH).repeat(), steps_per_epoch=6, verbose=0)
        ends.append((float(model.a[0]), float(model.b[0]), int(model.step)))
    assert ends[0] == ends[1] and ends[0][2] == 6


def test_a_stage_that_begins_within_a_call_is_refused():
    model = Game(begins=3).prepare(BATCH)
    chosen = optimiser.of_players(settings.Config(), 3, model.players())
    with pytest.raises(ValueError, match=r"'second' begins or ends at step 3, within a call of 2 steps"):
        model.compile(optimizer=chosen, jit_compile=False, steps_per_execution=2)


def test_nobody_playing_is_refused():
    with pytest.raises(ValueError, match=r"None of the players .* plays in round 1"):
        Game(begins=2, ends=1).names_at(1)


def test_an_unknown_player_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"settings of \['critic'\]; this model has the players \['first', 'second'\]"):
        ready(Game(), players=settings.Players(critic=settings.Player(learning_rate=1.0)))


def test_players_need_an_optimiser_each():
    with pytest.raises(ValueError, match=r"players \['first', 'second'\] need an optimiser each"):
        Game().prepare(BATCH).compile(optimizer="adam")


def test_a_linear_decay_goes_over_the_rounds_of_its_player():
    """The second player begins with its whole rate and comes to 0 with the run."""
    model = ready(Game(begins=3), epochs=3, decay="linear", min_learning_rate=0.0)
    seen = []
    for _ in range(9):
        seen.append([float(its.learning_rate) for its in model.optimisers.values()])
        model.train_step(BATCH)
    first = [0.1 * (1 - t / 9) for t in range(9)]
    second = [0.1] * 3 + [0.1 * (1 - t / 6) for t in range(6)]
    np.testing.assert_allclose(seen, list(zip(first, second)), rtol=1e-5)


def test_an_island_of_xla_is_the_same_round():
    ends = []
    for compile_step in (False, True):
        model = Game(steps=2)
        model.compile_step = compile_step
        ready(model)
        step = tf.function(model.train_step)
        for _ in range(3):
            step(BATCH)
        ends.append((model.a[0], model.b[0]))
    np.testing.assert_allclose(ends[0], ends[1], rtol=1e-6)
