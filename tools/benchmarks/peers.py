"""The peers' interpreter, and the library that lets PyTorch use AVX-512 on AMD's processors."""

import shutil
import subprocess
import sys
from pathlib import Path

INSTALL = "pip install torch==2.13.0 onnx onnxruntime pillow numpy blackjax"


def check(python, modules):
    """Checks the interpreter of the peers.

    Raises:
        ValueError: if it is not an interpreter, or cannot import these modules.
    """
    command = [python, "-c", f"import {', '.join(modules)}"]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    except OSError as error:
        raise ValueError(f"`--peer_python` {python} cannot be started: {error}.") from error
    if asked.returncode:
        reason = (asked.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ValueError(
            f"{python} cannot import {', '.join(modules)} ({reason}). Make an environment for the peers, install them "
            f"there with `{INSTALL}`, and name it: --peer_python=<environment>/bin/python"
        )


def avx512_environment(folder):
    """Variables under which PyTorch's MKL uses AVX-512 on any processor that has it; None without a C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    library = Path(folder).resolve() / "mkl_avx512.so"
    source = Path(__file__).with_name("mkl_avx512.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source)], check=True)
    return {"LD_PRELOAD": str(library)}


def torch_workers(start, python, script, folder):
    """{"stock": worker, "avx512": worker} of PyTorch; the second one only with a C compiler.

    Args:
        start: of `benchmark.session`.
        python: the peers' interpreter.
        script: of the worker.
        folder: where the library is built.
    """
    workers = {"stock": start("torch_stock", python, script)}
    avx512 = avx512_environment(folder)
    if avx512 is None:
        print("There is no C compiler `cc`, so PyTorch with AVX-512 is left out.", file=sys.stderr)
        return workers
    return {**workers, "avx512": start("torch_avx512", python, script, avx512)}
