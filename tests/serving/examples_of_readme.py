"""The client examples of savedmodels/README.md, and a server double to run them against."""

import contextlib
import pathlib
import re
import socket
import subprocess
import sys
import time

import grpc
from PIL import Image

ROOT = pathlib.Path(__file__).parents[2]
README = (ROOT / "savedmodels" / "README.md").read_text()


def blocks(language):
    """The fenced blocks of a language in the README."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@contextlib.contextmanager
def serving(base, folder):
    """A test double of the server for the model in `base`; yields {port of the README: its own port}.

    `folder` gets the files that the examples read.
    """
    ports = {8500: _free_port(), 8501: _free_port()}
    command = [
        sys.executable, str(ROOT / "tests" / "serving" / "model_server_double.py"), f"--port={ports[8500]}",
        f"--rest_api_port={ports[8501]}", "--model_name=sdgm", f"--model_base_path={base}",
    ]  # fmt: skip
    Image.new("L", (8, 8), 128).save(folder / "digit.png")
    double = subprocess.Popen(command, cwd=ROOT)
    try:
        channel = grpc.insecure_channel(f"localhost:{ports[8500]}")
        grpc.channel_ready_future(channel).result(timeout=60)
        _until_open(ports[8501])
        yield ports
    finally:
        double.kill()
        double.wait()


def with_ports(text, ports):
    for port, own in ports.items():
        text = text.replace(f"localhost:{port}", f"localhost:{own}")
    return text


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _until_open(port):
    for _ in range(600):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise TimeoutError(f"nothing listens on {port}")
