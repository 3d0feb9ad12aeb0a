"""Times cases of several frameworks in one run, in shuffled slices, so that what slows the machine slows them alike.

Every framework has a worker process under an interpreter of its own. A round is one slice of every case, in an order
drawn anew; a comparison is the median over rounds of the ratio within a round. Absolute times move by a third from one
run to the next, such ratios do not.
"""

import json
import os
import random
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

import machine
import worker

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
_FOREIGN_CORES = 0.12
_ATTEMPTS = 3
_PATIENCE = 0.2  # seconds, more with each attempt


class WorkerError(RuntimeError):
    """A worker that could not do what it was asked for."""


class Worker:
    """A process that serves the cases of one framework.

    Args:
        name: of its log.
        python: its interpreter.
        script: a file beside this one that ends in `worker.serve`.
        folder: where its log goes.
        environment: variables on top of this process's.
    """

    def __init__(self, name, python, script, folder, environment=None):
        self.name = name
        self.log = Path(folder) / f"{name}.log"
        read, write = os.pipe()
        variables = {
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "CUDA_VISIBLE_DEVICES": "",  # The peers are measured on the CPU, so we are too.
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
            **(environment or {}),
        }
        with open(self.log, "w") as log:
            self._process = subprocess.Popen(
                [python, str(HERE / script)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[write],
                env={**os.environ, **variables, worker.REPLY_FD: str(write)},
                text=True,
                start_new_session=True,
            )
        os.close(write)
        self._replies = os.fdopen(read)

    def usage(self):
        """A `machine.Usage` that begins now and expects this worker to work."""
        return machine.Usage(self._process.pid)

    def versions(self):
        return self._call(do="versions")["versions"]

    def ask(self, question, **arguments):
        return self._call(do="ask", name=question, arguments=arguments)["answer"]

    def prepare(self, key, case, arguments, slice_seconds):
        """Makes a case ready; the number of calls that fill a slice."""
        return self._call(do="prepare", key=key, name=case, arguments=arguments, slice_seconds=slice_seconds)["calls"]

    def time(self, key):
        """Seconds a call over one slice."""
        return self._call(do="time", key=key)["seconds"]

    def close(self):
        """Hangs up and waits; a worker that does not end is killed."""
        self._process.stdin.close()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._replies.close()

    def _call(self, **asked):
        try:
            self._process.stdin.write(json.dumps(asked) + "\n")
            self._process.stdin.flush()
            reply = self._replies.readline()
        except BrokenPipeError:
            reply = ""
        answer = json.loads(reply) if reply else {"error": f"it ended; its last words:\n{self._last_words()}"}
        if "error" in answer:
            raise WorkerError(f"The worker {self.name} failed at {asked}: {answer['error']}")
        return answer

    def _last_words(self):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])


class Case(NamedTuple):
    """Something to time.

    name: unique in a run.
    worker: `Worker`.
    function: the worker's name for it.
    arguments: of that function.
    units: what a call is worth, e.g. 200 images.
    """

    name: str
    worker: Worker
    function: str
    arguments: dict = {}  # noqa: RUF012
    units: float = 1.0


class Timings(NamedTuple):
    """The timings of one case.

    seconds: case -> seconds a call, one a round.
    noisy: how many of these stayed noisy.
    repeats: slices that were thrown away.
    """

    seconds: dict[str, list[float]]
    noisy: int
    repeats: int


def measure(cases, rounds, slice_seconds, seed=0, report=print):
    """Times every case once a round.

    A slice during which others used more than a tenth of a core is taken again, at most twice; then it is kept and
    counted as noisy.

    Args:
        cases: `Case`s.
        rounds: how many.
        slice_seconds: length of a slice.
        seed: of the orders.
        report: told what is going on.

    Returns:
        `Timings`.
    """
    for i, case in enumerate(cases):
        report(f"preparing {i + 1} of {len(cases)}: {case.name}")
        case.worker.prepare(case.name, case.function, case.arguments, slice_seconds)
    rng = random.Random(seed)
    seconds, noisy, repeats = {case.name: [] for case in cases}, 0, 0
    for number in range(rounds):
        report(f"round {number + 1} of {rounds}")
        for case in rng.sample(cases, len(cases)):
            for attempt in range(_ATTEMPTS):
                usage = case.worker.usage()
                taken = case.worker.time(case.name)
                if usage.foreign_cores() <= _FOREIGN_CORES:
                    break
                if attempt + 1 < _ATTEMPTS:
                    repeats += 1
                    time.sleep(_PATIENCE * (attempt + 1))
            else:
                noisy += 1
            seconds[case.name].append(taken)
    return Timings(seconds, noisy, repeats)
