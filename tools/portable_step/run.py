"""Runs the training steps of exported presets on whatever device JAX has: see export.py.

    python tools/portable_step/run.py FOLDER [FOLDER ...] [--epochs=100] [--seconds=0] [--keep=1,4] [--half]

It needs JAX and NumPy alone. All programs are compiled first, side by side, then each runs by itself; its variables
after the epochs that `--keep` names and after the last lie in FOLDER/trained.npz afterwards, and what was measured in
FOLDER/trained.json: the metrics of an epoch are means since the beginning, because nobody resets them.
"""

import argparse
import concurrent.futures
import json
import threading
import time
from pathlib import Path

import jax
import numpy as np
from jax._src import compiler
from jax._src.lib import _jax, xla_client

# MLIR's conversions are not safe in several threads.
_CONVERTING = threading.Lock()

jax.config.update("jax_enable_x64", True)  # Labels and the counter of steps are int64.


class Program:
    """A compiled step with its rows and its state.

    Args:
        folder: of `export.py`.
        device: of JAX.
    """

    def __init__(self, folder, device):
        self.folder, self.device = folder, device
        self.spec = json.loads((folder / "spec.json").read_text())
        began = time.perf_counter()
        with _CONVERTING:
            module = _stablehlo((folder / "step.hlo").read_bytes())
        options = compiler.get_compile_options(num_replicas=1, num_partitions=1)
        self._step = device.client.compile_and_load(module, _jax.DeviceList((device,)), options)
        self.compile_seconds = time.perf_counter() - began
        self.rows, self.order = (
            {name: _only(folder.parent / "pool" / file) for name, file in self.spec[kind].items()}
            for kind in ("rows", "order")
        )
        with np.load(folder / "state.npz") as stored:
            self.state = [jax.device_put(stored[str(i)], device) for i in range(len(self.spec["state"]))]
        self.rows = [jax.device_put(self.rows[name], device) for name in self.spec["entries"]]
        first = len(self.rows) + len(self.order) + 1
        self.replaces = {int(out): arg - first for out, arg in self.spec["replaces"].items()}

    def steps(self, start, end):
        """Training steps start to end − 1, at most `most_steps`; what the last one reports, still on the device."""
        order = [
            np.resize(rows[start:end].astype(np.int32), [self.spec["most_steps"], rows.shape[1]])
            for rows in self.order.values()
        ]
        given = [jax.device_put(array, self.device) for array in (*order, np.int32(end - start))]
        answers = self._step.execute_sharded([*self.rows, *given, *self.state]).disassemble_into_single_device_arrays()
        for out, place in self.replaces.items():
            self.state[place] = answers[out][0]
        return [answers[i][0] for i in range(len(self.spec["reports"]))]

    def train(self, epochs, most_seconds, keep=()):
        """Runs epochs until one ends beyond `most_seconds` (0 for all).

        Returns:
            {epoch: variables after it} of the epochs in `keep` and the last, and what was measured.
        """
        steps, most = self.spec["steps_per_epoch"], self.spec["most_steps"]
        began, lines, kept = time.perf_counter(), [], {}
        for epoch in range(min(epochs or self.spec["epochs"], self.spec["epochs"])):
            end = (epoch + 1) * steps
            for start in range(epoch * steps, end, most):
                reports = self.steps(start, min(start + most, end))
            values = {name: float(np.asarray(value)) for name, value in zip(self.spec["reports"], reports)}
            lines.append({"epoch": epoch + 1, "seconds": time.perf_counter() - began, **values})
            if epoch + 1 in keep:
                kept[epoch + 1] = self.variables()
            if most_seconds and lines[-1]["seconds"] > most_seconds:
                break
        kept[len(lines)] = self.variables()
        return kept, {
            "epochs": len(lines), "seconds": lines[-1]["seconds"], "compile_seconds": self.compile_seconds,
            "device": self.device.device_kind, "jax": jax.__version__, "lines": lines,
        }  # fmt: skip

    def variables(self):
        """{number in `spec["state"]`: value} of the model, without the optimisers' own."""
        return {i: np.asarray(self.state[i]) for i in self.spec["of_model"]}


def save(kept, measured, stem, half=False):
    """The variables as STEM.npz, "<epoch>/<number>" each, and what was measured as STEM.json."""
    arrays = {f"{epoch}/{i}": value for epoch, variables in kept.items() for i, value in variables.items()}
    if half:
        arrays = {
            key: value.astype(np.float16) if value.dtype == np.float32 else value for key, value in arrays.items()
        }
    np.savez_compressed(stem.with_suffix(".npz"), **arrays)
    stem.with_suffix(".json").write_text(json.dumps(measured))


def _stablehlo(serialised):
    """The module of a serialised HLO proto, by either of the names that JAX has had for it."""
    if hasattr(_jax.mlir, "hlo_to_stablehlo"):
        return _jax.mlir.hlo_to_stablehlo(serialised)
    return _jax.mlir.xla_computation_to_mlir_module(xla_client.XlaComputation(serialised))


def _only(path):
    with np.load(path) as stored:
        return stored["arr_0"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--epochs", type=int, default=0, help="0 for as many as were exported")
    parser.add_argument(
        "--seconds", type=float, default=0.0, help="stop after the epoch that ends beyond; 0 for what was exported"
    )
    parser.add_argument("--keep", default="", help="epochs to keep beside the last, such as 1,4")
    parser.add_argument("--half", action="store_true", help="files of half the size: weights to three digits")
    parser.add_argument("--out", type=Path, help="where NAME.npz and NAME.json go instead of into the folders")
    chosen = parser.parse_args()
    device, keep = jax.devices()[0], {int(epoch) for epoch in chosen.keep.split(",") if epoch}
    with concurrent.futures.ThreadPoolExecutor() as pool:
        made = [pool.submit(Program, folder, device) for folder in chosen.folders]
    for folder, future in zip(chosen.folders, made):
        try:
            program = future.result()
            seconds = chosen.seconds or program.spec.get("seconds", 0.0)
            kept, measured = program.train(chosen.epochs, seconds, keep or set(program.spec.get("keep", ())))
        except Exception as error:  # One program that fails leaves the others to run.
            print(f"{folder}: {type(error).__name__}: {error}"[:2000], flush=True)
            continue
        save(kept, measured, chosen.out / folder.name if chosen.out else folder / "trained", chosen.half)
        told = f"{folder.name}: {measured['epochs']} epochs, compiled in {measured['compile_seconds']:.0f} s"
        print(told, measured["lines"][-1], flush=True)


if __name__ == "__main__":
    main()
