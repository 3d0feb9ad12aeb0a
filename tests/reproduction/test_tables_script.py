"""tools/tables: the results in README.md and docs/results.md come from JSON, and from nowhere else."""

import json
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
SCRIPT = ROOT / "tools" / "tables"
README = "# Title\n\n<!-- results: speed -->\n<!-- end -->\n\nText.\n"
RESULT = {
    "title": "Speed",
    "table": {"columns": ["what", "a|b"], "rows": [["step", 1.5]]},
    "notes": ["A note."],
    "command": "tools/benchmarks/x.py",
    "seconds": 600,
    "machine": {"cpu": "A CPU", "cores": 2},
    "figures": ["speed.png"],
}


@pytest.fixture
def repository(tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "README.md").write_text(README)
    (tmp_path / "results" / "speed.json").write_text(json.dumps(RESULT))
    return tmp_path


def tables(repository, *arguments):
    paths = [repository / "README.md", f"--results={repository / 'results'}"]
    return subprocess.run([sys.executable, SCRIPT, *paths, *arguments], capture_output=True, text=True, check=False)


def test_writes_what_check_then_accepts(repository):
    assert tables(repository, "--check").returncode == 1
    assert (repository / "README.md").read_text() == README, "--check changed the file"
    assert tables(repository).returncode == 0
    readme = (repository / "README.md").read_text()
    assert "| what | a\\|b |\n| --- | --- |\n| step | 1.5 |\n" in readme
    assert "`tools/benchmarks/x.py`; 10 min of training in all; A CPU, 2 cores." in readme
    assert "![speed](results/speed.png)" in readme and readme.endswith("<!-- end -->\n\nText.\n")
    assert tables(repository, "--check").returncode == 0
    assert tables(repository).returncode == 0
    assert (repository / "README.md").read_text() == readme, "a second run changed the file"


def test_check_sees_a_number_that_was_typed_by_hand(repository):
    tables(repository)
    readme = repository / "README.md"
    readme.write_text(readme.read_text().replace("| 1.5 |", "| 2.5 |"))
    checked = tables(repository, "--check")
    assert checked.returncode == 1 and "tools/tables" in checked.stderr


def test_check_sees_new_results(repository):
    tables(repository)
    changed = {**RESULT, "notes": ["Another note."]}
    (repository / "results" / "speed.json").write_text(json.dumps(changed))
    assert tables(repository, "--check").returncode == 1


def test_all_shows_every_file_and_benchmarks_by_their_ratios(repository):
    ratio = {"name": "ours/theirs", "ratio": 1.456, "spread": [1.4, 1.5], "goal": 1.3, "share": False, "reached": True}
    benchmark = {"benchmark": "step", "ratios": [ratio, {**ratio, "goal": None, "reached": None}]}
    (repository / "results" / "a_step.json").write_text(json.dumps(benchmark))
    (repository / "README.md").write_text(README.replace("speed", "all"))
    assert tables(repository).returncode == 0
    readme = (repository / "README.md").read_text()
    assert readme.index("Benchmark `step`") < readme.index("**Speed**")
    assert "| ours/theirs | 1.46 | 1.40 to 1.50 | 1.3 | yes |\n| ours/theirs | 1.46 | 1.40 to 1.50 | – | – |" in readme
    assert tables(repository, "--check").returncode == 0


@pytest.mark.parametrize(
    ("readme", "told"),
    [
        (README.replace("speed", "unknown"), "unknown.json is missing"),
        (README.replace("<!-- end -->", ""), "no <!-- end --> line"),
        ("<!-- results: speed -->\n" + README, "no <!-- end --> line"),
    ],
)
def test_a_marker_that_cannot_be_filled_is_an_error_of_one_line(repository, readme, told):
    (repository / "README.md").write_text(readme)
    asked = tables(repository)
    assert asked.returncode == 1 and told in asked.stderr and asked.stderr.count("\n") == 1
    assert (repository / "README.md").read_text() == readme


@pytest.mark.parametrize(
    "broken", ["{", "[]", '{"title": "x"}', '{"title": "x", "table": {"columns": ["a"], "rows": [[1, 2]]}}']
)
def test_broken_results_are_an_error_of_one_line(repository, broken):
    (repository / "results" / "speed.json").write_text(broken)
    asked = tables(repository)
    assert asked.returncode == 1 and "speed.json" in asked.stderr and asked.stderr.count("\n") == 1


def test_a_picked_table_has_the_cells_of_others(repository):
    cell = {"of": "speed", "row": "step", "column": "a|b"}
    rows = {"columns": ["what", "how fast"], "rows": [["ours", ["about ", cell, " s"]]]}
    (repository / "results" / "picked.json").write_text(json.dumps({"title": "", "picked": rows}))
    (repository / "README.md").write_text(README + "\n<!-- results: picked -->\n<!-- end -->\n")
    assert tables(repository).returncode == 0
    assert (
        "<!-- results: picked -->\n| what | how fast |\n| --- | --- |\n| ours | about 1.5 s |\n"
        in (repository / "README.md").read_text()
    )
    rows["rows"][0][1][1]["row"] = "steps"
    (repository / "results" / "picked.json").write_text(json.dumps({"title": "", "picked": rows}))
    asked = tables(repository, "--check")
    assert asked.returncode == 1 and "no cell 'steps'" in asked.stderr


def test_results_on_no_page_are_found(repository):
    (repository / "results" / "other.json").write_text(json.dumps(RESULT))
    tables(repository)
    checked = tables(repository, "--check")
    assert checked.returncode == 1 and "other" in checked.stderr


def test_the_pages_are_up_to_date():
    checked = subprocess.run([sys.executable, SCRIPT, "--check"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    pages = (ROOT / "README.md").read_text() + (ROOT / "docs" / "results.md").read_text()
    names = re.findall(r"<!-- results: (\S+) -->", pages)
    assert len(names) == len(set(names)), "a table stands there twice"
