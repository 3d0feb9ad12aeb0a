"""The loop of a worker process: it makes cases ready and times slices of them, and answers in lines of JSON.

It runs under the interpreter of its framework, so it imports nothing but Python's own library.
"""

import json
import os
import re
import sys
import time
import traceback
from pathlib import Path

REPLY_FD = "TFVAE_BENCHMARK_REPLY_FD"
_LEAST_SHARE = 0.25  # of a slice that has to be seen before its number of calls is believed.


def repeated(function):
    """A case that `serve` times, made from a function without arguments: `run(calls)`."""

    def run(calls):
        for _ in range(calls):
            function()

    return run


def memory_mib(make):
    """The peak memory of a case's calls beyond what the process held before it was made, in MiB (Linux).

    Compilation is part of it, and so is what the allocator keeps for the next call.
    """
    Path("/proc/self/clear_refs").write_text("5")  # The peak from now on.
    before = _kib("VmRSS")
    make()(5)
    return round((_kib("VmHWM") - before) / 1024, 1)


def _kib(name):
    return int(re.search(rf"{name}:\s+(\d+)", Path("/proc/self/status").read_text()).group(1))


def serve(cases, questions, versions):
    """Answers the controller until it hangs up.

    Args:
        cases: name -> function(**arguments) that returns `run(calls)`, which is what is timed.
        questions: name -> function(**arguments) that returns JSON values; nothing is timed.
        versions: name -> version of what the cases use.
    """
    with os.fdopen(int(os.environ[REPLY_FD]), "w", buffering=1) as replies:
        ready = {}
        for line in sys.stdin:
            asked = json.loads(line)
            try:
                answer = _answer(asked, cases, questions, versions, ready)
            except Exception:  # Whatever it is, the controller has to be told, or it would wait for ever.
                answer = {"error": traceback.format_exc()}
            replies.write(json.dumps(answer) + "\n")


def _answer(asked, cases, questions, versions, ready):
    match asked["do"]:
        case "versions":
            return {"versions": versions}
        case "ask":
            return {"answer": questions[asked["name"]](**asked["arguments"])}
        case "prepare":
            run = cases[asked["name"]](**asked["arguments"])
            ready[asked["key"]] = run, _calls(run, asked["slice_seconds"])
            return {"calls": ready[asked["key"]][1]}
        case "time":
            run, calls = ready[asked["key"]]
            run(1)  # Another case had the caches before.
            return {"seconds": _seconds(run, calls) / calls}
    raise ValueError(f"No such request: {asked['do']!r}.")


def _calls(run, slice_seconds):
    """How many calls fill a slice, after the calls that compile and warm up."""
    run(1)
    run(2)
    calls = 1
    while (seconds := _seconds(run, calls)) < _LEAST_SHARE * slice_seconds:
        calls *= 2
    return max(1, round(calls * slice_seconds / seconds))


def _seconds(run, calls):
    began = time.perf_counter()
    run(calls)
    return time.perf_counter() - began
