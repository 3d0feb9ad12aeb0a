"""The notebook is executed as it is: every cell, in one namespace, in a folder of its own."""

import ast
import contextlib
import io
import json
import pathlib

import pytest
from PIL import Image

NOTEBOOK = pathlib.Path(__file__).parents[2] / "docs" / "getting_started" / "tour.ipynb"


@pytest.fixture(scope="module")
def notebook():
    return json.loads(NOTEBOOK.read_text(encoding="utf-8"))


def _shown(cell, names):
    """Runs a cell; what a notebook shows below it: its last expression, where it is one."""
    tree = ast.parse("".join(cell["source"]))
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, cell["id"], "exec"), names)
    return eval(compile(ast.Expression(last.value), cell["id"], "eval"), names) if last else None


def test_the_notebook_works_as_written(notebook, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names, shown, said = {}, [], io.StringIO()
    with contextlib.redirect_stdout(said):
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                shown.append(_shown(cell, names))
    pictures = [value for value in shown if isinstance(value, Image.Image)]
    assert len(pictures) == 2 and all(min(picture.size) > 300 for picture in pictures)
    assert float(said.getvalue().split("%")[0]) < 30.0, "it has learnt"
    assert "cannot caption; it can classify, encode" in said.getvalue() and "run.encode(images)" in said.getvalue()
    assert names["bound"].mean() > names["run"].score(names["noise"]).mean()


def test_the_notebook_is_one_of_about_sixty_lines_without_results(notebook):
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in code)
    lines = [line for cell in code for line in cell["source"] if line.strip()]
    assert 40 <= len(lines) <= 65
