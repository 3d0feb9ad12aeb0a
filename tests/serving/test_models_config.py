import pathlib
import shutil
import subprocess

import pytest
from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from tfvae.serving import models_config

ROOT = pathlib.Path(__file__).parent.parent.parent


def _add(base, *models):
    for model in models:
        (base / model / "1").mkdir(parents=True)
        (base / model / "1" / "saved_model.pb").touch()


def test_every_model_with_a_version_is_listed(tmp_path):
    _add(tmp_path, "sdgm", "vae")
    (tmp_path / "empty" / ".incoming-0").mkdir(parents=True)
    (tmp_path / "README.md").write_text("")
    text = models_config.update(tmp_path, "/srv/models/").read_text()
    assert text.count("config {") == 2
    assert 'name: "sdgm"' in text and 'base_path: "/srv/models/sdgm"' in text and "empty" not in text


def test_what_is_no_version_of_a_model_is_not_listed(tmp_path, survives):
    _add(tmp_path, "sdgm")
    for other in ("draws/0", "photos/2024", "sdgm.backup/v2"):
        (tmp_path / other).mkdir(parents=True)
    with survives("69 folders that look like versions"):
        assert models_config.update(tmp_path).read_text().count("config {") == 1


@pytest.mark.parametrize("name", ['a "quoted" one', "back\\slash", "line\nbreak", "größe", "} config {"])
def test_any_name_of_a_folder_is_escaped(tmp_path, name, survives):
    _add(tmp_path, name)
    with survives(f"69 a model called {name!r}"):
        read = text_format.Parse(models_config.update(tmp_path).read_text(), ModelServerConfig())
        assert [model.name for model in read.model_config_list.config] == [name]
        assert read.model_config_list.config[0].base_path == f"/models/{name}"


def test_what_is_listed_stays_as_it_was_written(tmp_path):
    _add(tmp_path, "sdgm")
    path = models_config.update(tmp_path)
    edited = path.read_text().replace(
        'model_platform: "tensorflow"', 'model_platform: "tensorflow"\n    version_labels { key: "stable" value: 1 }'
    )
    path.write_text(edited)
    assert models_config.update(tmp_path).read_text() == edited
    _add(tmp_path, "vae")
    text = models_config.update(tmp_path).read_text()
    assert text.startswith(edited.rstrip().removesuffix("}")) and 'name: "vae"' in text
    assert [name for name in text.split('"') if name in ("sdgm", "vae")] == ["sdgm", "vae"]


def test_the_file_is_text_that_protobuf_reads(tmp_path):
    _add(tmp_path, "sdgm", "vae")
    text = models_config.update(tmp_path).read_text()
    config = text_format.Parse(text, ModelServerConfig())
    assert [model.name for model in config.model_config_list.config] == ["sdgm", "vae"]


NEW = [("sdgm", "/models/sdgm"), ("vae", "/models/vae")]
OLD = 'config { name: "old" base_path: "/srv/old" model_platform: "tensorflow" }'
# What a server reads -> the models that it names.
LEGAL = {
    "empty": ("", []),
    "a comment": ("# nothing\n", []),
    "no line end": ("model_config_list {}", []),
    "one line": (f"model_config_list {{ {OLD} }}", ["old"]),
    "one line, what is there already": (OLD.join(["model_config_list {", "}"]).replace("old", "sdgm"), ["sdgm"]),
    "a colon": (f"model_config_list: {{ {OLD} }}", ["old"]),
    "angle brackets": ("model_config_list < config < name: 'old' base_path: '/srv/old' > >", ["old"]),
    "single quotes": (f"model_config_list {{ {OLD} }}".replace('"', "'"), ["old"]),
    "a comma after each field": ('model_config_list { config { name: "old", base_path: "/srv/old" }, }', ["old"]),
    "a name in two pieces": ('model_config_list { config { name: "o" "ld" base_path: "/srv/old" } }', ["old"]),
    "escapes": (r'model_config_list { config { name: "\157ld" base_path: "/srv/old" } }', ["old"]),
    "a name in a comment": (f'model_config_list {{\n  # name: "vae"\n  {OLD}\n}}\n', ["old"]),
    "a comment behind": (f"model_config_list {{ {OLD} }}  # the end }} of it\n", ["old"]),
    "braces in a text": ('model_config_list { config { name: "old" base_path: "/srv/}old{" } }', ["old"]),
    "policies and labels": (
        'model_config_list { config { name: "old" base_path: "/srv/old" '
        'model_version_policy { specific { versions: 7 } } '
        'version_labels { key: "stable" value: 7 } } }', ["old"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", LEGAL)
def test_models_are_added_once_to_every_legal_form_and_the_rest_stays(tmp_path, form):
    text, names = LEGAL[form]
    before = text_format.Parse(text, ModelServerConfig())
    assert [config.name for config in before.model_config_list.config] == names
    _add(tmp_path, "sdgm", "vae")
    path = tmp_path / models_config.FILE_NAME
    path.write_text(text)
    once = models_config.update(tmp_path).read_text()
    found = text_format.Parse(once, ModelServerConfig()).model_config_list.config
    assert list(found)[: len(names)] == list(before.model_config_list.config)
    added = [(config.name, config.base_path) for config in list(found)[len(names) :]]
    assert added == [new for new in NEW if new[0] not in names]
    assert len({config.name for config in found}) == len(found), "a server refuses a model that is listed twice"
    assert [line.partition("#")[2] for line in once.splitlines() if "#" in line] == [
        line.partition("#")[2] for line in text.splitlines() if "#" in line
    ]
    assert models_config.update(tmp_path).read_text() == once


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("model_config_list { config { name: 1 } }", "is no ModelServerConfig that a server would read: 1:"),
        ("model_config_list {", "is no ModelServerConfig"),
        ('{"model_config_list": []}', "is no ModelServerConfig"),
        ('model_config_list { config { nam: "old" } }', 'no field named "nam"'),
        ("custom_model_config { }", "holds a `custom_model_config`"),
    ],
)
def test_what_a_server_would_not_read_is_told_and_not_touched(tmp_path, text, told):
    _add(tmp_path, "sdgm")
    (tmp_path / models_config.FILE_NAME).write_text(text)
    with pytest.raises(ValueError, match=told):
        models_config.update(tmp_path)
    assert (tmp_path / models_config.FILE_NAME).read_text() == text


def test_git_shows_nothing_of_an_export():
    """What an export writes into savedmodels/ is ignored, and nothing of it is tracked."""
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("this is no checkout")
    written = ["savedmodels/models.config", "savedmodels/sdgm/1/saved_model.pb", "savedmodels/sdgm/.incoming-0/x"]
    git = ["git", "-C", str(ROOT)]
    ignored = subprocess.run([*git, "check-ignore", *written], capture_output=True, text=True, check=False)
    assert ignored.stdout.split() == written
    tracked = subprocess.run([*git, "ls-files", "savedmodels"], capture_output=True, text=True, check=True)
    assert not set(tracked.stdout.split()) & set(written)


def test_the_example_is_what_export_would_write(tmp_path):
    _add(tmp_path, "sdgm_digits")
    example = ROOT / "savedmodels" / f"{models_config.FILE_NAME}.example"
    assert models_config.update(tmp_path).read_text() == example.read_text()
