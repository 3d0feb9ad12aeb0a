"""The curl commands of savedmodels/README.md, run as they stand, and that they name every signature."""

import json
import re
import shutil
import subprocess

import pytest
import tensorflow as tf

from tests.serving import examples_of_readme as readme
from tfvae.serving import export


def test_the_examples_name_every_signature(exported_sdgm):
    named = set(re.findall(r'"signature_name": "(\w+)"', readme.README))
    signatures = set(export.describe(exported_sdgm[2])["signatures"]) - {"serving_default"}
    assert signatures <= named


def test_the_curl_commands_are_answered(exported_sdgm, tmp_path):
    if not shutil.which("curl"):
        pytest.skip("there is no curl here")
    rest = next(block for block in readme.blocks("") if "curl -d" in block and "classify" in block)
    with readme.serving(exported_sdgm[2].parent, tmp_path) as ports:
        png = (tmp_path / "digit.png").read_bytes()
        feature = {"image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[png]))}
        example = tf.train.Example(features=tf.train.Features(feature=feature))
        (tmp_path / "digit.example").write_bytes(example.SerializeToString())
        script = readme.with_ports(rest, ports).replace("curl -d", "curl -sf -w '\\n' -d")
        done = subprocess.run(["bash", "-euc", script], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines() if line]
    assert len(answers) == script.count("curl ") and all("outputs" in answer for answer in answers)
