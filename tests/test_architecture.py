"""The floors of the house: an import points down, or stays within its package."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parent.parent / "tfvae"

# From the ground up; packages on one line are one floor and do not see each other.
FLOORS = [
    ["batch", "capabilities", "metrics", "progress", "ranges", "storage"],
    ["probability"],
    ["layers"],
    ["networks"],
    ["inference", "heads", "samplers"],
    ["models", "data", "settings"],
    ["experiment"],
    ["run"],
    ["evaluation"],
    ["reports"],
    ["training"],
    ["serving"],
    ["monitoring"],
    ["configs"],
    ["reproduction", "interface"],
    ["command_line"],
    ["bin"],
]
LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
MODULES = sorted(path for path in ROOT.rglob("*.py") if path.parent != ROOT or path.stem not in ("__init__",))


def room_of(module):
    """tfvae.models.vae -> models; None for the package itself."""
    parts = module.split(".")[1:]
    return parts[0] if parts and parts[0] in LEVEL else None


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "tfvae":
            for name in node.names:
                yield f"{node.module}.{name.name}"
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.split(".")[0] == "tfvae")


def module_name(path):
    return ".".join(["tfvae", *path.relative_to(ROOT).with_suffix("").parts])


@pytest.mark.parametrize("path", MODULES, ids=[str(path.relative_to(ROOT)) for path in MODULES])
def test_imports_point_down(path):
    here = room_of(module_name(path))
    assert here is not None, f"{path.name} stands on no floor: name its package in FLOORS"
    for imported in imports(path):
        there = room_of(imported)
        if there is None or there == here:
            continue
        assert LEVEL[there] < LEVEL[here], f"{here} (floor {LEVEL[here]}) imports {imported} (floor {LEVEL[there]})"


def test_models_and_data_never_meet():
    for path in [*(ROOT / "models").glob("*.py"), *(ROOT / "data").rglob("*.py")]:
        other = "data" if "models" in path.parts else "models"
        assert not [name for name in imports(path) if room_of(name) == other], f"{path} imports {other}"


def test_tfvae_does_without_pipelines():
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [name.name for name in node.names] if isinstance(node, ast.Import) else []
            found = [name for name in names if name.split(".")[0] in ("pipelines", "tfx", "apache_beam")]
            assert not found, f"{path} imports {found}"


def test_binaries_are_short():
    for path in (ROOT / "bin").glob("*.py"):
        lines = len(path.read_text().splitlines())
        assert lines <= 65, f"{path.name} has {lines} lines: a binary is flags, parts and one call"


def imported_modules(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{name.name}" for name in node.names)
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


def test_only_probability_knows_tfp_and_only_what_is_public():
    """TFP is in maintenance: what we take of it stands in one place, from which it could be replaced."""
    repository, taken = ROOT.parent, []
    for path in [*ROOT.rglob("*.py"), *(repository / "pipelines").rglob("*.py")]:
        found = [name for name in imported_modules(path) if name.split(".")[0] == "tensorflow_probability"]
        assert not found or path.parent == ROOT / "probability", f"{path} imports {found}"
        assert not [name for name in found if ".python" in name], f"{path} imports what is TFP's own: {found}"
        taken += found
    assert taken, "nothing imports TFP: look for another name"


REPOSITORY = ROOT.parent
# What runs code that it reads, and the one place where each may stand (docs/explanation/security.md says why).
RUNS_WHAT_IT_READS = {
    "pickle": {"pipelines/beam.py"},
    "cPickle": set(), "dill": set(), "cloudpickle": set(), "marshal": set(), "shelve": set(), "joblib": set(),
    "eval": set(), "exec": set(), "compile_command": set(),
    "load_model": {"tfvae/evaluation/image_classifier.py"},
    "unsafe_load": set(), "full_load": set(), "yaml": set(), "enable_unsafe_deserialization": set(),
}  # fmt: skip


def _names(tree):
    """Imported modules and called names of a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0]
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Call):
            of = node.func
            yield of.id if isinstance(of, ast.Name) else of.attr if isinstance(of, ast.Attribute) else ""


def _unsafe_arguments(tree):
    """`allow_pickle=True` and `safe_mode=False`, or values that are not written out."""
    safe = {"allow_pickle": False, "safe_mode": True}
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg in safe:
            given = node.value.value if isinstance(node.value, ast.Constant) else None
            if given is not safe[node.arg]:
                yield node.arg


def test_nothing_runs_what_it_reads():
    for folder in ("tfvae", "pipelines"):
        for path in (REPOSITORY / folder).rglob("*.py"):
            tree, name = ast.parse(path.read_text()), path.relative_to(REPOSITORY).as_posix()
            found = {used for used in _names(tree) if name not in RUNS_WHAT_IT_READS.get(used, {name})}
            assert not found, f"{name} uses {found}"
            assert not set(_unsafe_arguments(tree)), f"{name} sets {set(_unsafe_arguments(tree))}"


@pytest.mark.parametrize(
    "line", ["import pickle", "from pickle import loads", "eval('1')", "np.load(p, allow_pickle=True)",
             "keras.saving.load_model(p, safe_mode=unsafe)", "import yaml", "keras.models.load_model(p)"],
)  # fmt: skip
def test_what_runs_what_it_reads_is_found(line):
    tree = ast.parse(line)
    assert set(_names(tree)) & set(RUNS_WHAT_IT_READS) or set(_unsafe_arguments(tree))
