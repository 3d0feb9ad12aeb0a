"""No request ends a server: whatever reaches an export through TensorFlow's C++ loader gets an answer or an error."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfvae.batch import IMAGE
from tfvae.configs import dgdn_digits
from tfvae.data import load
from tfvae.serving import export, gate, requests
from tfvae.serving.graph import MetaGraph

# A batch axis that was forgotten, flat rows, other channels, other sizes, one axis more, a number.
WRONG = [(8, 8, 1), (1, 64), (64,), (1, 8, 8, 3), (2, 16, 16, 1), (2, 4, 8, 1), (1, 1, 8, 8, 1), ()]


@pytest.fixture(scope="module", params=["convolutional", "dense"])
def exported(request, tmp_path_factory):
    """(name, directory of a SavedModel, uint8 [3, 8, 8, 1]) of a small model."""
    if request.param == "dense":
        _, data, version = request.getfixturevalue("exported_sdgm")
        return request.param, version, data.validation.image[:3]
    config = dgdn_digits.get_config("tiny")
    data = load.load(config.data)
    model = config.model.build(data.info, seed=0).prepare(next(iter(data.training_batches(0))))
    directory = tmp_path_factory.mktemp(request.param) / "1"
    export.write(model, data, directory)
    return request.param, directory, data.validation.image[:3]


@pytest.fixture(scope="module")
def ask(exported):
    """[Request] -> [{output: array}, or the words of the error], through the C++ loader in a process of its own."""
    graph = MetaGraph(exported[1])

    def answers(questions):
        job = {"path": str(exported[1]), "libraries": gate._libraries(), "ops": []}
        job["requests"] = [gate._by_tensor(graph, question) for question in questions]
        found = gate._run_isolated("cpp.py", job)
        assert not found["error"]
        return [
            answer.get("error") or {name: gate._unpack(tensor) for name, tensor in answer["outputs"].items()}
            for answer in found["answers"]
        ]

    return answers


@pytest.fixture(scope="module")
def names(exported):
    return MetaGraph(exported[1]).signatures


def _questions(names, argument, value, num=1):
    """A request of every signature with that argument, its seeds right."""
    return [
        requests.Request(
            name,
            {other: value if other == argument else np.arange(num, dtype=np.int64) for other in signature.inputs},
        )
        for name, signature in names.items()
        if argument in signature.inputs
    ]


def test_another_rank_or_shape_is_an_error_that_states_both(ask, names, exported, survives):
    questions = [q for shape in WRONG for q in _questions(names, IMAGE, np.zeros(shape, np.float32))]
    assert len({question.signature for question in questions}) >= 4
    for question, answer in zip(questions, ask(questions), strict=True):
        shape = question.inputs[IMAGE].shape
        with survives(f"51 {list(shape)} to {question.signature}, {exported[0]}"):
            assert isinstance(answer, str), question
            assert "`image` must have the shape [rows, 8, 8, 1], got the shape" in answer
            assert f"[{', '.join(map(str, shape))}]" in answer


def test_strings_and_seeds_of_another_rank_or_number_are_errors(ask, names, exported, survives):
    scalar = np.array(b"", object)
    questions = [q for a in ("image_bytes", "examples") for q in _questions(names, a, scalar)]
    questions += [q for a in ("image_bytes", "examples") for q in _questions(names, a, scalar.reshape(1, 1))]
    questions += [q for q in _questions(names, "seed", np.array(3, np.int64)) if len(q.inputs) == 1]
    image = np.zeros([2, 8, 8, 1], np.float32)
    unequal = [requests.Request("score", {IMAGE: image, "seed": np.arange(num, dtype=np.int64)}) for num in (0, 1, 3)]
    answers = ask(questions + unequal)
    for question, answer in zip(questions, answers, strict=False):
        with survives(f"51 another rank of {sorted(question.inputs)} to {question.signature}, {exported[0]}"):
            assert "must have the shape [rows], got the shape" in answer
    for question, answer in zip(unequal, answers[len(questions) :], strict=True):
        with survives(f"51 two images and {len(question.inputs['seed'])} seeds, {exported[0]}"):
            assert "must have as many rows as each other" in answer


VALUES = {
    "NaN": np.nan,
    "infinity": np.inf,
    "minus infinity": -np.inf,
    "gray levels": 200.0,
    "standardised": -2.0,
}


def test_values_that_are_no_intensities_are_refused_with_their_rows(ask, names, exported, survives):
    rows = (exported[2] / 255.0).astype(np.float32)
    questions = []
    for value in VALUES.values():
        wrong = rows.copy()
        wrong[1, 3, 3] = value
        questions += _questions(names, IMAGE, wrong, num=3)
    white = np.where(exported[2] > 127, 1.0, 0.0).astype(np.float32)
    beyond = np.where(exported[2] > 127, 1.3, -0.2).astype(np.float32)
    *answers, exact, clipped = ask(
        questions + [requests.Request("classify", {IMAGE: image}) for image in (white, beyond)]
    )
    for question, answer in zip(questions, answers, strict=True):
        with survives(f"61 {question.inputs[IMAGE][1, 3, 3]} to {question.signature}, {exported[0]}"):
            assert isinstance(answer, str)
            assert "These rows of the batch of `image` hold NaN, infinity or values beyond [-0.5, 1.5]" in answer
            assert "to be divided by 255):] [1]" in answer
    for name, value in exact.items():
        np.testing.assert_array_equal(value, clipped[name], err_msg="what is hardly beyond counts as black or white")


def test_every_row_is_answered_with_its_status_whatever_its_mates_are(ask, exported, survives):
    rows = exported[2]
    pngs = [tf.io.encode_png(row).numpy() for row in rows]
    buffer = io.BytesIO()
    Image.fromarray(rows[0, ..., 0]).save(buffer, "GIF")
    bad = [b"", b"no image", pngs[0][:40], buffer.getvalue()]
    mixed = [pngs[0], bad[0], bad[1], pngs[1], bad[2], bad[3], pngs[2]]
    asked = [("classify_bytes_checked", mixed), ("classify_bytes", pngs), ("encode_bytes_checked", mixed)]
    asked += [("encode_bytes", pngs), ("classify_bytes_checked", []), ("classify_bytes_checked", bad)]
    found = ask([requests.Request(name, {"image_bytes": np.array(files, object)}) for name, files in asked])
    good = [0, 3, 6]
    with survives(f"45 bad images among good ones, {exported[0]}"):
        for checked, plain in ((found[0], found[1]), (found[2], found[3])):
            assert checked["status"].tolist() == [
                b"" if i in good else b"no readable PNG or JPEG image" for i in range(7)
            ]
            assert set(checked) == {*plain, "status"}
            for name, value in plain.items():
                if value.dtype == object or name == "class":
                    np.testing.assert_array_equal(checked[name][good], value)
                else:
                    np.testing.assert_allclose(checked[name][good], value, atol=1e-5)
        assert np.isnan(found[0]["probabilities"][[1, 2, 4, 5]]).all()
        assert found[0]["label"][[1, 2, 4, 5]].tolist() == [b""] * 4
        assert found[0]["class"][[1, 2, 4, 5]].tolist() == [-1] * 4
        if exported[0] == "dense":  # TensorFlow's convolutions take no empty batch.
            assert found[4]["probabilities"].shape == (0, found[1]["probabilities"].shape[1])
        assert all(found[5]["status"])
