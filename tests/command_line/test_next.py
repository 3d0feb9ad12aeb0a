"""Every command that leads somewhere ends with the next one to try."""

import importlib
import inspect
import tomllib
from pathlib import Path

import pytest

SCRIPTS = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]["scripts"]
# They answer a question about what is there, or make a table that is an end in itself.
ENDS = {"tfvae-check", "tfvae-reproduce"}


@pytest.mark.parametrize("name", sorted(SCRIPTS.keys() - ENDS))
def test_a_command_names_one_that_there_is(name):
    main = importlib.import_module(SCRIPTS[name].partition(":")[0]).main
    *_, told = inspect.getsource(main).split("tell_next(")
    assert told.partition('"')[2].partition('"')[0] in SCRIPTS.keys() - {name}
