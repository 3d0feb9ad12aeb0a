"""Counts the faults that were put in, and those that were survived."""

import pytest

_ran, _failed = set(), set()


@pytest.fixture
def survives():
    """Counts a fault: `with survives("1 payload"):` around what must hold."""
    return _Counted


class _Counted:
    def __init__(self, fault):
        self.fault = fault

    def __enter__(self):
        _ran.add(self.fault)
        return self

    def __exit__(self, kind, error, traceback):
        if kind is not None:
            _failed.add(self.fault)


def pytest_terminal_summary(terminalreporter):
    """One line at the end of a run."""
    if _ran:
        terminalreporter.write_line(f"faults survived: {len(_ran - _failed)} of {len(_ran)}")
