"""Lines of progress: not too many, always the last, and one line that is written over on a terminal."""

import io

import pytest

from tfvae import progress
from tfvae.progress import Progress


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock():
    return Clock()


def _told(stream, clock, seconds):
    """What is told of a hundred things that take so many seconds each."""
    told = Progress(stream=stream, clock=clock)
    for i in range(1, 101):
        clock.now += seconds
        told(lambda i=i: f"{i} of 100")
    told.end()
    return stream.getvalue()


@pytest.mark.parametrize("seconds", [0.01, 1.0, 60.0])
def test_a_line_every_ten_seconds_and_the_last(clock, seconds):
    lines = _told(io.StringIO(), clock, seconds).splitlines()
    assert lines[-1] == "100 of 100" and lines.count("100 of 100") == 1
    assert len(lines) == min(100, 100 * seconds // 10 or 1)


def test_a_terminal_has_one_line_that_is_written_over(clock):
    said = _told(Terminal(), clock, 1.0)
    assert said.count("\n") == 1 and said.endswith("\033[K100 of 100\r\n") and said.count("\r") == 100


@pytest.mark.parametrize(("seconds", "lines"), [(0.1, 0), (1.0, 5)])
def test_what_is_short_needs_no_line(clock, seconds, lines):
    stream, passed = io.StringIO(), []
    for item in Progress(stream=stream, clock=clock).over(range(55), lambda done: f"{done} done"):
        clock.now += seconds
        passed.append(item)
    assert passed == list(range(55))
    assert len(stream.getvalue().splitlines()) == lines
    assert not lines or stream.getvalue().splitlines()[-1] == "50 done"


def test_a_counter_tells_how_long_the_rest_takes(clock):
    stream = io.StringIO()
    done = Progress(every=10, stream=stream, clock=clock).counter("images")
    for images in (64, 128, 192):
        clock.now += 8
        done(images, 1000)
    assert stream.getvalue() == "128 of 1,000 images, about 2 min left\n"


def test_the_next_command_can_be_pasted(capsys):
    progress.tell_next("tfvae-evaluate", "--workdir=my runs/a")
    assert capsys.readouterr() == ("", "next: tfvae-evaluate '--workdir=my runs/a'\n")


@pytest.mark.parametrize(("seconds", "said"), [(4.4, "4 s"), (540, "9 min"), (9000, "2.5 h")])
def test_durations_are_said_as_people_do(seconds, said):
    assert progress.duration(seconds) == said
