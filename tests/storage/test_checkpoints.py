"""Variables go to disk by their path and come back strictly."""

import keras
import numpy as np
import pytest

from tfvae.storage import atomic, checkpoints


def network(units=3, name="encoder"):
    inputs = keras.Input([2], name="x")
    return keras.Model(inputs, keras.layers.Dense(units, name=f"{name}_dense")(inputs), name=name)


def saved(folder, steps, keep=3):
    store = checkpoints.Checkpoints(folder, keep)
    for step in steps:
        store.save(step, {"model": {"a/kernel": np.full([2], step, np.float32)}, "optimiser": {}})
    return store


def flip_a_bit(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_values_come_back_exactly():
    arrays = {"a/kernel": np.random.default_rng(0).normal(size=[3, 4]).astype("float32"), "n": np.array(2**40)}
    groups, attributes = checkpoints.from_bytes(checkpoints.to_bytes({"model": arrays, "empty": {}}, step=7))
    assert attributes["step"] == 7 and groups["empty"] == {}
    for path, array in arrays.items():
        assert groups["model"][path].dtype == array.dtype
        np.testing.assert_array_equal(groups["model"][path], array)


def test_weights_of_one_process_fit_the_next(tmp_path):
    model, other = network(), network()
    checkpoints.save_weights(tmp_path / "w.h5", model)
    checkpoints.load_weights(tmp_path / "w.h5", other)
    np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (network(4), r"of another shape: encoder_dense/bias is \(3,\) there, \(4,\) here"),
        (network(name="decoder"), "missing: decoder_dense/bias, .*unexpected: encoder_dense/bias"),
    ],
)
def test_weights_of_another_model_are_refused_by_name(tmp_path, other, told):
    checkpoints.save_weights(tmp_path / "w.h5", network())
    with pytest.raises(ValueError, match=told):
        checkpoints.load_weights(tmp_path / "w.h5", other)


def test_two_variables_with_one_path_are_refused():
    twice = [*network().variables, *network().variables]
    with pytest.raises(ValueError, match=r"Two variables have the path 'encoder_dense/kernel'"):
        checkpoints.by_path(twice)


@pytest.mark.parametrize("layer", [keras.layers.Dense(1), keras.layers.BatchNormalization()])
def test_a_name_that_counts_what_the_process_built_is_refused(layer):
    layer.build([None, 2])
    with pytest.raises(ValueError, match=r"a name that Keras made up"):
        checkpoints.by_path(layer.variables)


def test_the_newest_few_are_kept(tmp_path):
    store = saved(tmp_path, [0, 10, 20, 30])
    assert store.steps() == [10, 20, 30]
    assert len(list(tmp_path.iterdir())) == 6
    checkpoint = store.newest()
    assert checkpoint.step == 30
    np.testing.assert_array_equal(checkpoint.values["model"]["a/kernel"], [30, 30])


@pytest.mark.parametrize("damage", [flip_a_bit, lambda path: path.write_bytes(path.read_bytes()[:100])])
def test_a_damaged_one_falls_back_and_says_so(tmp_path, monkeypatch, damage):
    said = []
    monkeypatch.setattr(checkpoints.logging, "warning", lambda text, *args: said.append(text % args))
    store = saved(tmp_path, [10, 20])
    damage(store.path(20))
    assert store.newest().step == 10
    assert "step-000000020.h5 is damaged" in said[0] and "Using the checkpoint before it" in said[0]
    assert store.newest(set_aside=True).step == 10
    assert store.steps() == [10] and (tmp_path / "step-000000020.h5.damaged").exists()


def test_none_good_is_an_error_and_none_at_all_is_not(tmp_path):
    assert checkpoints.Checkpoints(tmp_path / "none").newest() is None
    store = saved(tmp_path, [10])
    flip_a_bit(store.path(10))
    with pytest.raises(atomic.DamagedFileError, match=r"No checkpoint in .* is good"):
        store.newest()
