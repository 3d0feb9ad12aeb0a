"""The gRPC client of savedmodels/README.md with the real stubs of tensorflow-serving-api, against the server double."""

import subprocess
import sys

from tests.serving import examples_of_readme as readme
from tfvae.serving import export


def test_the_grpc_example_is_answered(settings, first_run, tmp_path):
    signatures = export.describe(export.newest(settings.output))["signatures"]
    (example,) = (block for block in readme.blocks("python") if "PredictionServiceStub" in block)
    asked = {name for name in signatures if f'ask("{name}"' in example}
    assert asked == set(signatures) - {"serving_default"}
    with readme.serving(settings.output, tmp_path) as ports:
        (tmp_path / "client.py").write_text(readme.with_ports(example, ports))
        command = [sys.executable, "client.py"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "sample.png").read_bytes()[:4] == b"\x89PNG"
