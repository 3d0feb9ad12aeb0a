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
