import pathlib
import shutil
import subprocess

import pytest
from google.protobuf import text_format

from tfvae.serving import models_config

ROOT = pathlib.Path(__file__).parent.parent.parent


def _add(base, *models):
    for model in models:
        (base / model / "1").mkdir(parents=True)


def test_every_model_with_a_version_is_listed(tmp_path):
    _add(tmp_path, "sdgm", "vae")
    (tmp_path / "empty" / ".incoming-0").mkdir(parents=True)
    (tmp_path / "README.md").write_text("")
    text = models_config.update(tmp_path, "/srv/models/").read_text()
    assert text.count("config {") == 2
    assert 'name: "sdgm"' in text and 'base_path: "/srv/models/sdgm"' in text and "empty" not in text


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
    config = _server_config()
    text_format.Parse(text, config)
    assert [model.name for model in config.model_config_list.config] == ["sdgm", "vae"]


def test_a_file_of_another_kind_is_not_touched(tmp_path):
    _add(tmp_path, "sdgm")
    (tmp_path / models_config.FILE_NAME).write_text("# nothing\n")
    with pytest.raises(ValueError, match="must end with the closing brace"):
        models_config.update(tmp_path)
    assert (tmp_path / models_config.FILE_NAME).read_text() == "# nothing\n"


def _server_config():
    """ModelServerConfig, as far as the file uses it."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="c.proto", package="c", syntax="proto3")
    field = descriptor_pb2.FieldDescriptorProto
    model = file.message_type.add(name="ModelConfig")
    for number, name in ((1, "name"), (2, "base_path"), (4, "model_platform")):
        model.field.add(name=name, number=number, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    for name, part, of, label in (
        ("ModelConfigList", "config", "ModelConfig", field.LABEL_REPEATED),
        ("ModelServerConfig", "model_config_list", "ModelConfigList", field.LABEL_OPTIONAL),
    ):
        message = file.message_type.add(name=name)
        message.field.add(name=part, number=1, type=field.TYPE_MESSAGE, type_name=f".c.{of}", label=label)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("c.ModelServerConfig"))()


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
