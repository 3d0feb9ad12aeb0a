"""Every recipe of docs/extending works as it is written, and its presets answer the contract."""

import contextlib
import inspect
import textwrap

import pytest

from tests import test_contract
from tests.docs import recipes
from tfvae.probability import families

_MARKS = (test_contract.every_preset.mark, test_contract.every_graph.mark)
CONTRACT = [
    function
    for function in vars(test_contract).values()
    if any(mark in _MARKS for mark in getattr(function, "pytestmark", []))
]


@pytest.mark.parametrize("recipe", sorted(recipes.RECIPES.glob("*.md")), ids=lambda path: path.stem)
def test_recipe(recipe, tmp_path):
    with recipes.overlay(recipe, tmp_path) as modules:
        recipes.run(recipe, tmp_path)
        for preset in recipes.presets_of(modules):
            for answers in CONTRACT:
                answer_contract(answers, preset)


def answer_contract(answers, preset):
    """One question of the contract; that a model need not answer it is no failure."""
    assert list(inspect.signature(answers).parameters) == ["preset"], f"{answers.__name__} takes more than a preset"
    with contextlib.suppress(pytest.skip.Exception):
        answers(preset)


def test_the_contract_is_found():
    assert len(CONTRACT) > 5


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "recipe.md"
    path.write_text(
        textwrap.dedent(
            '''
            ```python title="tfvae/probability/three.py"
            """Three."""

            VALUE = 3
            ```

            ```python title="tfvae/probability/families.py"
            LIKELIHOODS["three"] = 3
            ```

            ```python
            from tfvae.probability import families, three

            seen = families.LIKELIHOODS["three"], three.VALUE
            assert seen == (3, 3)
            ```

            ```python title="tests/probability/test_three.py"
            from tfvae.probability import three


            def test_three():
                assert three.VALUE == 3
            ```

            ```shell
            test "$(python -c 'from tfvae.probability import three; print(three.VALUE)')" = 3
            tail -n 1 tfvae/probability/families.py | grep three
            ```
            '''
        )
    )
    return path


def test_an_overlay_is_there_and_gone_again(recipe, tmp_path):
    before = dict(families.LIKELIHOODS)
    with recipes.overlay(recipe, tmp_path / "files") as modules:
        assert modules == ["tfvae.probability.three"]
        recipes.run(recipe, tmp_path / "files")
    assert before == families.LIKELIHOODS
    with pytest.raises(ImportError):
        from tfvae.probability import three  # noqa: F401


def test_a_step_that_fails_fails_the_recipe(recipe, tmp_path):
    recipe.write_text(recipe.read_text().replace("(3, 3)", "(3, 4)"))
    with recipes.overlay(recipe, tmp_path / "files"), pytest.raises(AssertionError):
        recipes.run(recipe, tmp_path / "files")


def test_a_test_that_fails_fails_the_recipe(recipe, tmp_path):
    recipe.write_text(recipe.read_text().replace("VALUE == 3", "VALUE == 4"))
    with recipes.overlay(recipe, tmp_path / "files"), pytest.raises(AssertionError):
        recipes.run(recipe, tmp_path / "files")


def test_a_command_that_fails_fails_the_recipe(recipe, tmp_path):
    recipe.write_text(recipe.read_text().replace("= 3\ntail", "= 4\ntail"))
    with recipes.overlay(recipe, tmp_path / "files"), pytest.raises(AssertionError, match=r"recipe\.md, line \d+"):
        recipes.run(recipe, tmp_path / "files")


def test_a_file_outside_of_the_package_is_refused(recipe, tmp_path):
    recipe.write_text(recipe.read_text().replace("tfvae/probability/three.py", "tfvae/../three.py"))
    with pytest.raises(ValueError, match="module's path"), recipes.overlay(recipe, tmp_path / "files"):
        pass
