"""Half a minute of the fuzzer, the same inputs every time: `python -m tools.fuzz.everything` goes on for longer."""

import shutil

import pytest

from tools.fuzz import everything, mutation, targets

# Of what takes longer, fewer.
INPUTS = {"images": 800, "manifests": 60, "shards": 100, "requests": 300}


@pytest.mark.parametrize("name", targets.TARGETS)
def test_whatever_strangers_hand_us_is_taken_or_refused_with_a_reason(name, tmp_path, survives):
    target, folder = targets.made(name)
    try:
        outcome = everything.run(name, target, None, 7, tmp_path / "last", INPUTS.get(name, 1000))
    finally:
        shutil.rmtree(folder)
    with survives(f"60 changed {name}"):
        assert not outcome["failures"], "\n".join(outcome["failures"])
        assert 0 < outcome["refused"] < outcome["inputs"]


class Careless(targets.Target):
    """A reader that trusts a length."""

    def begin(self):
        return [b"\x04data", b"\x02da"]

    def read(self, content):
        if not content:
            raise ValueError("it is empty")
        return [content[1:][i] for i in range(content[0])]


def test_a_careless_reader_is_found_and_its_input_kept(tmp_path):
    outcome = everything.run("careless", Careless(tmp_path), None, 0, tmp_path / "last", 200)
    assert len(outcome["failures"]) == 1 and outcome["failures"][0].startswith("IndexError: ")
    kept = [path for path in tmp_path.iterdir() if path.name.startswith("careless-")]
    assert len(kept) == 1
    with pytest.raises(IndexError):
        Careless(tmp_path).read(kept[0].read_bytes())


def test_inputs_follow_from_the_seed_and_their_number():
    content, others = b"0123456789", [b"abcdef"]
    first = [mutation.of_bytes(content, others, mutation.generator(1, i)) for i in range(20)]
    assert first == [mutation.of_bytes(content, others, mutation.generator(1, i)) for i in range(20)]
    assert len(set(first)) > 10
    value = {"a": [1, {"b": 2}], "c": "x"}
    changed = [mutation.of_json(value, mutation.generator(1, i)) for i in range(20)]
    assert value == {"a": [1, {"b": 2}], "c": "x"} and any(of != value for of in changed)
