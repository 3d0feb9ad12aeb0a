"""docs/getting_started/python.md works as written."""

import pathlib
import re

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "getting_started" / "python.md"


def test_the_page_works_as_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    assert len(blocks) >= 4
    names = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
