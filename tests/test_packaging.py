"""What packagers and package indexes read: metadata, the container, and which Python an environment is made with."""

import ast
import os
import pathlib
import re
import subprocess
import sys
import tomllib

import pytest
import yaml

import tfvae

ROOT = pathlib.Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PYTHONS = ["3.11", "3.12", "3.13"]


def test_the_metadata_agree_with_each_other():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (cited["version"], cited["license"]) == (tfvae.__version__, PROJECT["license"])
    assert cited["abstract"] == PROJECT["description"]
    named = [c.rpartition(" ")[2] for c in PROJECT["classifiers"] if re.search(r"Python :: 3\.\d+$", c)]
    assert named == PYTHONS and PROJECT["requires-python"] == ">=3.11,<3.14"
    assert f"{sys.version_info[0]}.{sys.version_info[1]}" in PYTHONS
    assert PROJECT["urls"] and all(url.startswith("https://") for url in PROJECT["urls"].values())


@pytest.mark.parametrize("command", PROJECT["scripts"])
def test_every_command_is_there(command):
    module, _, function = PROJECT["scripts"][command].partition(":")
    # Not imported: two commands define the same flags, of which a process has one.
    tree = ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text())
    assert function in {target.id for node in tree.body if isinstance(node, ast.Assign) for target in node.targets}


def test_the_container_says_that_nobody_built_it_and_copies_what_there_is():
    text = (ROOT / "Dockerfile").read_text()
    assert "UNTESTED" in text.splitlines()[0]
    copied = [name for line in re.findall(r"^COPY (.*)$", text, re.MULTILINE) for name in line.split()[:-1]]
    assert {"pyproject.toml", "tfvae", "tools/constraints.txt", *PROJECT["license-files"]} <= set(copied)
    assert [name for name in copied if not (ROOT / name).exists()] == []
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert not {name.split("/")[0] for name in copied} & set(ignored)
    assert re.search(r"^FROM python:(\d\.\d+)", text, re.MULTILINE)[1] in PYTHONS
    assert set(re.findall(r"tfvae-\w+", text)) <= set(PROJECT["scripts"])


@pytest.fixture
def pythons(tmp_path):
    """`pythons("3.12", python3="3.10")` -> PATH on which those are: by their own names, and by others."""

    def on_path(*versions, **named):
        for name, version in {**{f"python{v}": v for v in versions}, **named}.items():
            (tmp_path / name).write_text(f"#!/bin/sh\necho {version}\n")
            (tmp_path / name).chmod(0o755)
        for tool in ("bash", "dirname", "cat", "sha256sum", "env"):
            (tmp_path / tool).symlink_to(next(p for d in ("/bin", "/usr/bin") if (p := pathlib.Path(d, tool)).exists()))
        return str(tmp_path)

    return on_path


def found(path, **environment):
    return subprocess.run(
        ["bash", str(ROOT / "tools" / "environment")], capture_output=True, text=True, check=False,
        env={"PATH": path, "TFVAE_FIND_ONLY": "1", **environment},
    )  # fmt: skip


@pytest.mark.parametrize("version", PYTHONS)
def test_an_environment_is_made_with_each_of_them_by_any_name(pythons, version):
    assert found(pythons(version, python3="3.10")).stdout.strip().endswith(f"python{version}")


def test_the_plain_name_will_do_where_its_version_does(pythons):
    assert found(pythons("3.10", python3="3.14", python="3.13")).stdout.strip().endswith("/python")


def test_other_versions_are_refused_with_those_that_will_do(pythons):
    path = pythons("3.10", "3.14", python3="3.9")
    none = found(path)
    assert none.returncode == 1 and "needs Python 3.11 or 3.12 or 3.13, and none was found" in none.stderr
    named = found(path, TFVAE_PYTHON="python3.14")
    assert named.returncode == 1 and "python3.14 is 3.14" in named.stderr


def test_the_pipelines_ask_for_the_one_that_tfx_has(pythons):
    path = pythons("3.11", "3.13")
    assert found(path, TFVAE_PYTHON_VERSIONS="3.11").stdout.strip().endswith("python3.11")
    assert found(path, TFVAE_PYTHON_VERSIONS="3.11", TFVAE_PYTHON="python3.13").returncode == 1
    assert "TFVAE_PYTHON_VERSIONS=3.11" in (ROOT / "tools" / "pipeline_environment").read_text()


def test_an_environment_of_another_python_is_not_taken_for_the_one_asked_for(pythons, tmp_path):
    path = pythons("3.13")
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    (tmp_path / "venv" / "bin" / "python").symlink_to(sys.executable)
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    environment = {"PATH": path, "TFVAE_PYTHON": "python3.13", "TFVAE_VENV": str(tmp_path / "venv")}
    if version == "3.13":
        (tmp_path / "python3.13").write_text("#!/bin/sh\necho 3.12\n")
    refused = subprocess.run(
        ["bash", str(ROOT / "tools" / "environment")], capture_output=True, text=True, check=False,
        env={**os.environ, **environment},
    )  # fmt: skip
    assert refused.returncode == 1 and f"has Python {version}, not" in refused.stderr
