"""Recipes of docs/extending as code: the files that they add, and the steps that they take."""

import contextlib
import importlib
import os
import pathlib
import re
import subprocess
import sys
from typing import NamedTuple

from tests import presets

ROOT = pathlib.Path(__file__).parent.parent.parent
RECIPES = ROOT / "docs" / "extending"

_FENCE = re.compile(r"^```(\w+)[ \t]*([^\n]*)\n(.*?)^```[ \t]*$", re.DOTALL | re.MULTILINE)
_TITLE = re.compile(r'title="([^"]+)"')


class Block(NamedTuple):
    """A fenced block of a recipe.

    language: `python` or `shell`; others are for the reader alone.
    title:    path of the file that the block makes, or is added to; "" for a step.
    code:     what stands between the fences.
    line:     where it begins in the recipe, counted from 1.
    """

    language: str
    title: str
    code: str
    line: int


def blocks(markdown_path):
    """The blocks of a Markdown file, in order."""
    text = pathlib.Path(markdown_path).read_text(encoding="utf-8")
    return [
        Block(match[1], title[1] if (title := _TITLE.search(match[2])) else "", match[3], _line(text, match.start(3)))
        for match in _FENCE.finditer(text)
    ]


@contextlib.contextmanager
def overlay(markdown_path, tmp_path):
    """The files of a recipe as part of tfvae, until the block ends.

    A block titled `tfvae/models/ten.py` is written to that path below `tmp_path`, and its package finds it there. Where
    tfvae has the file already, the block is what the recipe adds to its end. Tests are steps: `run` calls them.

    Args:
        markdown_path: of the recipe.
        tmp_path: an empty folder.

    Yields:
        The names of the modules that the recipe adds, e.g. `["tfvae.models.ten"]`.

    Raises:
        ValueError: if a title leaves tfvae, or is used for two new files.
    """
    titled = [block for block in blocks(markdown_path) if block.title and not _is_test(block)]
    for block in titled:
        _check_title(block)
    added = [block for block in titled if not (ROOT / block.title).exists()]
    titles = [block.title for block in added]
    if len(set(titles)) < len(titles):
        raise ValueError(f"{markdown_path} gives a new file twice: {titles}.")
    for block in added:
        path = tmp_path / block.title
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.code, encoding="utf-8")
    with contextlib.ExitStack() as undo:
        for package in sorted({_package_of(title) for title in titles}):
            undo.enter_context(_extended(package, tmp_path))
        for block in titled:
            if block not in added:
                undo.enter_context(_appended(block, markdown_path))
        yield [_module_of(title) for title in titles]


def run(markdown_path, tmp_path):
    """Takes the steps of a recipe: its tests and its blocks without a title, `shell` in a tree with its files."""
    names = {"__name__": "recipe"}
    for block in blocks(markdown_path):
        if _is_test(block):
            of_test = {"__name__": block.title}
            _execute(block, markdown_path, of_test)
            for name in [name for name in of_test if name.startswith("test_")]:
                of_test[name]()
        elif block.language == "python" and not block.title:
            _execute(block, markdown_path, names)
        elif block.language == "shell":
            _run_shell(block, markdown_path, _tree(markdown_path, tmp_path))


def presets_of(modules):
    """The presets among modules, by the names that tests/presets.py knows."""
    return [name.rpartition(".")[2] for name in modules if name.startswith("tfvae.configs.")]


def _line(text, position):
    return text.count("\n", 0, position) + 1


def _execute(block, markdown_path, names):
    """Executes a block in these names; line numbers of a traceback are those of the recipe."""
    exec(compile("\n" * (block.line - 1) + block.code, str(markdown_path), "exec"), names)


def _is_test(block):
    return block.title.startswith("tests/")


def _package_of(title):
    """The package that a new file is looked for in: the nearest that tfvae has."""
    return next(folder for folder in pathlib.PurePosixPath(title).parents if (ROOT / folder / "__init__.py").exists())


def _check_title(block):
    path = pathlib.PurePosixPath(block.title)
    if path.parts[0] != "tfvae" or ".." in path.parts or path.suffix != ".py":
        raise ValueError(f"The title of a block is a module's path such as tfvae/models/ten.py, got {block.title}.")


def _module_of(title):
    return ".".join(pathlib.PurePosixPath(title).with_suffix("").parts).removesuffix(".__init__")


@contextlib.contextmanager
def _extended(package, tmp_path):
    """A package of tfvae that finds modules below `tmp_path` too; afterwards they are forgotten."""
    module = importlib.import_module(".".join(package.parts))
    folder = str(tmp_path / package)
    module.__path__.append(folder)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        module.__path__.remove(folder)
        for name in [name for name in sys.modules if _is_below(sys.modules[name], folder)]:
            del sys.modules[name]
            if hasattr(module, name.rpartition(".")[2]):
                delattr(module, name.rpartition(".")[2])
        presets.model_and_batch.cache_clear()


def _is_below(module, folder):
    return str(getattr(module, "__file__", None) or "").startswith(folder + os.sep)


@contextlib.contextmanager
def _appended(block, markdown_path):
    """A module as if the block stood at its end; afterwards its names, dicts and lists are what they were."""
    names = vars(importlib.import_module(_module_of(block.title)))
    before = dict(names)
    contents = {name: value.copy() for name, value in names.items() if type(value) in (dict, list) and name[:2] != "__"}
    _execute(block, markdown_path, names)
    try:
        yield
    finally:
        names.clear()
        names.update(before)
        for name, content in contents.items():
            if type(names[name]) is dict:
                names[name].clear()
                names[name].update(content)
            else:
                names[name][:] = content


def _tree(markdown_path, tmp_path):
    """A folder that looks like a checkout with the recipe's files in it, made once."""
    tree = tmp_path / "checkout"
    if tree.exists():
        return tree
    for path in (ROOT / "tfvae").rglob("*"):
        if path.is_file() and path.suffix != ".pyc":
            link = tree / path.relative_to(ROOT)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path)
    for block in blocks(markdown_path):
        if block.title:
            path = tree / block.title
            path.parent.mkdir(parents=True, exist_ok=True)
            old = path.read_text(encoding="utf-8") if path.exists() else ""
            path.unlink(missing_ok=True)
            path.write_text(old + block.code, encoding="utf-8")
    return tree


def _run_shell(block, markdown_path, tree):
    """Runs a block of commands; the first that fails ends it."""
    path = os.pathsep.join([str(pathlib.Path(sys.executable).parent), os.environ.get("PATH", "")])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(tree)}
    done = subprocess.run(["bash", "-euc", block.code], cwd=tree, env=environment, capture_output=True, text=True)
    said = f"{markdown_path}, line {block.line}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
    assert done.returncode == 0, said
