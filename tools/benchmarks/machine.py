"""The machine of a measurement, and who used its processor meanwhile."""

import os
import platform
import time
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def description():
    """The machine as JSON values."""
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "avx512": "avx512f" in _first_value("/proc/cpuinfo", "flags").split(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.platform(),
    }


def load():
    """The load averages of 1, 5 and 15 minutes."""
    return [round(value, 2) for value in os.getloadavg()]


class Usage:
    """How busy the processor is with others than a session of processes.

    Args:
        session: the session id of the processes that are expected to work.
    """

    def __init__(self, session):
        self.session = session
        self._began = time.perf_counter(), _busy_seconds(), _session_seconds(session)

    def foreign_cores(self):
        """Mean number of cores that others have used since this was made."""
        elapsed, busy, own = (
            now - then
            for now, then in zip(
                (time.perf_counter(), _busy_seconds(), _session_seconds(self.session)), self._began, strict=True
            )
        )
        return max(0.0, busy - own) / max(elapsed, 1e-9)


def _busy_seconds():
    """Of all cores, since the start of the machine; time stolen by a hypervisor counts as busy."""
    user, nice, system, _, _, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / _TICKS


def _session_seconds(session):
    """Of all processes of a session, with the children they have waited for."""
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):  # It ended while we looked.
            continue
        if int(fields[3]) == session:
            total += sum(map(int, fields[11:15]))
    return total / _TICKS


def _cpu_model():
    return _first_value("/proc/cpuinfo", "model name") or platform.processor()


def _first_value(path, name):
    """The first value of "name : value" lines; empty where there is none."""
    for line in Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""
