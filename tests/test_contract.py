"""One contract over all presets."""

import dataclasses
import importlib
import re

import numpy as np
import pytest
import tensorflow as tf

from tests.field_values import walk
from tests.presets import PRESETS, model_and_batch, one_of_each_graph, tiny, traced_endpoints
from tfvae import experiment as experiments
from tfvae import ranges
from tfvae.capabilities import Capability
from tfvae.models.base import all_images
from tfvae.probability import noise
from tfvae.storage import checkpoints

# Endpoint -> the capability that a model which lists it has declared.
SERVED_BY = {
    "classify": Capability.CLASSIFY, "encode": Capability.ENCODE, "reconstruct": Capability.RECONSTRUCT,
    "sample": Capability.SAMPLE, "caption": Capability.CAPTION, "render": Capability.RENDER,
    "tag": Capability.TAG, "cluster": Capability.CLUSTER, "image_from_caption": Capability.IMAGE_FROM_CAPTION,
}  # fmt: skip
# Output of `score` -> the same.
SCORED_BY = {"bound": Capability.BOUND, "energy": Capability.ENERGY}

every_preset = pytest.mark.parametrize("preset", PRESETS)
every_graph = pytest.mark.parametrize("preset", one_of_each_graph())


def rows(batch):
    return len(next(iter(batch.values()))["image"])


def questions(batch):
    """What an endpoint may ask for, three rows of each."""
    served = {"image": all_images(batch)[:3], "seed": tf.constant([1, 2, 3], tf.int64)}
    for stream in batch.values():
        served |= {name: tf.constant(values[:3]) for name, values in stream.items() if name not in served}
    return served


def _asked(endpoint, served):
    return [served[spec.name] for spec in endpoint.signature]


@every_preset
def test_a_gradient_reaches_every_variable(preset):
    model, batch = model_and_batch(preset)
    learned = set()
    for name, player in model.players().items():
        with tf.GradientTape() as tape:
            loss, terms = player.objective(model.begin_round(batch, noise.seed(1)), noise.seed(1))
        assert set(terms) <= {metric.name for metric in model.metrics}, "prepare() makes a mean of every term"
        gradients = tape.gradient(loss, player.variables)
        dead = [v.path for v, g in zip(player.variables, gradients) if g is None]
        assert not dead, f"no gradient of {name} reaches {dead}"
        assert np.isfinite(loss)
        learned |= {v.path for v in player.variables}
    assert learned == {v.path for v in model.trainable_variables}


@every_graph
def test_terms_are_one_value_a_row_and_repeat_for_a_seed(preset):
    model, batch = model_and_batch(preset)
    first, again, other = (model.objective(batch, noise.seed(s)).terms for s in (1, 1, 2))
    for name, value in first.items():
        assert value.shape.rank == 1, name
        np.testing.assert_array_equal(value, again[name])
    differs = any(np.abs(first[name] - other[name]).max() > 0 for name in first)
    assert differs or not model.can(Capability.BOUND), "another seed draws the same noise"


@every_graph
def test_paths_of_variables_are_unique_and_do_not_depend_on_what_was_built_before(preset):
    model, _ = model_and_batch(preset)
    paths = [v.path for v in model.variables]
    assert set(checkpoints.by_path(model.variables)) == set(paths)  # Refuses names that Keras made up.
    again = tiny(preset).model.build(model.info, seed=0)
    assert [v.path.split("/", 1)[1] for v in again.variables] == [path.split("/", 1)[1] for path in paths]


def compiled_graphs():
    """Presets with every model that XLA may compile and every likelihood: compiling takes longer than all else here."""
    chosen, seen = [], set()
    for preset in PRESETS:
        model = tiny(preset).model
        fields = dataclasses.asdict(model)
        new = {type(model), fields.get("likelihood")} - seen
        if new and any(name.startswith("compile_") for name in fields):
            chosen.append(preset)
            seen |= new
    return chosen


@pytest.mark.parametrize("preset", compiled_graphs())
def test_compiled_and_plain_objective_are_the_same_numbers(preset):
    model, batch = model_and_batch(preset)
    seed = noise.seed(3)
    plain = model.objective(batch, seed).terms
    compiled = tf.function(lambda: model.objective(batch, seed).terms, jit_compile=True)()
    for name, value in plain.items():
        np.testing.assert_allclose(value, compiled[name], rtol=2e-4, atol=2e-4, err_msg=name)


@every_graph
def test_endpoints_trace_and_answer_a_batch(preset):
    model, batch = model_and_batch(preset)
    served = questions(batch)
    for name, endpoint in model.endpoints().items():
        assert all(spec.shape[0] is None for spec in endpoint.signature), name
        answers = traced_endpoints(preset)[name](*_asked(endpoint, served))
        for output, value in answers.items():
            assert value.shape[0] == 3, (name, output)
            assert np.isfinite(value).all(), (name, output)


@every_graph
def test_an_answer_does_not_depend_on_its_batch_mates(preset):
    model, batch = model_and_batch(preset)
    served = questions(batch)
    for name, endpoint in model.endpoints().items():
        answered = traced_endpoints(preset)[name]
        together = answered(*_asked(endpoint, served))
        alone = answered(*(served[spec.name][1:2] for spec in endpoint.signature))
        for output in together:
            np.testing.assert_allclose(
                together[output][1:2], alone[output], rtol=1e-4, atol=1e-5, err_msg=f"{name}/{output}"
            )


@every_graph
def test_reconstruction_sample_and_bound_have_their_shapes(preset):
    model, batch = model_and_batch(preset)
    image = next(iter(batch.values()))["image"]
    drawn = model.sample(4, noise.seed(0))
    assert drawn.shape[0] == 4
    if np.prod(model.image_shape):  # A potential observes nothing: its samples are points.
        assert drawn.shape[1:] == model.image_shape
    if model.can(Capability.RECONSTRUCT):
        assert model.reconstruct(image).shape == image.shape
    if model.can(Capability.BOUND):
        assert model.log_prob_bound(image, 7, noise.seed(0)).shape == (len(image),)
    if model.can(Capability.KL_PER_UNIT):
        for units in model.kl_per_unit(image, noise.seed(0)).values():
            assert units.shape[0] == len(image)
            assert units.shape.rank == 2


@every_graph
def test_what_a_model_declares_it_has_and_serves(preset):
    model, batch = model_and_batch(preset)
    declared = model.capabilities()
    assert declared == model.capabilities() and Capability.SAMPLE in declared
    for capability in declared:
        assert callable(getattr(model, capability, None)), f"{preset} declares {capability} and has no such method"
    for endpoint, capability in SERVED_BY.items():
        assert endpoint not in model.endpoints() or capability in declared, f"{preset} serves {endpoint} undeclared"
    if "score" in model.endpoints():
        outputs = model.endpoints()["score"].function(*_asked(model.endpoints()["score"], questions(batch)))
        assert {SCORED_BY[output] for output in outputs} <= declared


@every_graph
def test_what_a_model_does_not_declare_it_refuses_by_name(preset):
    model, batch = model_and_batch(preset)
    arguments = {Capability.POSTERIOR: (all_images(batch), 2, 0)}
    for capability in set(Capability) - model.capabilities():
        with pytest.raises(ValueError, match=f"does not answer `{capability}`"):
            getattr(model, capability)(*arguments.get(capability, ()))


@every_graph
def test_probabilities_are_probabilities(preset):
    model, batch = model_and_batch(preset)
    if not model.can(Capability.CLASSIFY):
        pytest.skip(f"{preset} has no labels")
    image = batch["labelled"]["image"]
    for probs in (model.classify(image), model.classify(image, 5, noise.seed(0))):
        assert probs.shape == (len(image), model.num_classes)
        np.testing.assert_allclose(tf.reduce_sum(probs, -1), 1.0, rtol=1e-5)
    if not model.can(Capability.ANALOGIES):
        return  # A class that hangs on the code is no parent of the image.
    assert model.analogies(image).shape == (len(image), model.num_classes, *model.image_shape)
    assert model.sample(3, noise.seed(0), label=1).shape == (3, *model.image_shape)


@every_preset
def test_config_survives_json(preset):
    fields = experiments.to_dict(tiny(preset))
    assert experiments.to_dict(experiments.from_dict(fields)) == fields


@every_preset
def test_every_field_says_what_it_may_be(preset):
    """In its declaration, or by its type; and what the preset says is that."""
    experiment, silent = tiny(preset), []
    ranges.check(experiment)
    for kind, name, path in walk(experiment):
        field = next(field for field in dataclasses.fields(kind) if field.name == name)
        if not (ranges.declared(field) or ranges.says_all(field.type)):
            silent.append(path)
    assert not silent, f"declare with `tfvae.ranges.field` what these may be: {silent}"


@every_preset
def test_every_preset_says_where_it_comes_from(preset):
    module = __import__(f"tfvae.configs.{preset}", fromlist=["get_config"])
    assert module.__doc__
    assert re.search(r"\b(19|20)\d\d\b", module.get_config.__doc__), "name the source and its year"


@every_preset
def test_a_size_that_does_not_exist_is_refused(preset):
    with pytest.raises(ValueError, match="tinny"):
        importlib.import_module(f"tfvae.configs.{preset}").get_config("tinny")


def test_a_run_with_a_fields_former_name_is_read():
    fields = experiments.to_dict(tiny("adgm_moons"))
    fields["data"]["moons_noise"] = fields["data"].pop("points_noise")
    assert experiments.from_dict(fields) == tiny("adgm_moons")


def test_the_kind_of_a_network_survives_json():
    """Its config is another dataclass than the model's default."""
    experiment = tiny("stein_vae_mnist_cnn")
    again = experiments.from_dict(experiments.to_dict(experiment))
    assert again == experiment and type(again.model.network) is type(experiment.model.network)
    fields = experiments.to_dict(experiment)
    fields["model"]["network"]["type"] = "os.path.join"
    with pytest.raises(ValueError, match=r"config of `tfvae\.networks`"):
        experiments.from_dict(fields)
