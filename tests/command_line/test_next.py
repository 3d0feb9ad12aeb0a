"""Every command that leads somewhere ends with the next one to try."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
# They answer a question about what is there, or make a table that is an end in itself.
ENDS = {"tfvae-check", "tfvae-reproduce"}


@pytest.mark.parametrize("name", sorted(SCRIPTS.keys() - ENDS))
def test_a_command_names_one_that_there_is(name):
    # Read and not imported: two commands of one process would define their flags twice.
    source = (ROOT / SCRIPTS[name].partition(":")[0].replace(".", "/")).with_suffix(".py").read_text()
    named = re.findall(r'tell_next\(\s*"(.*?)"', source.partition("def main(")[2])
    assert named and set(named) <= SCRIPTS.keys() - {name}
