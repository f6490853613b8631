"""Reports to a reader that stalls: nobody waits for it, nothing piles up before it, and it is misled about nothing."""

import os
from collections.abc import Iterator
from typing import IO

import pytest

from improv.live.engine_main import BACKLOG, Reporter
from improv.live.messages import Notice, Report, Sounded, Status, decode

MANY = 3 * max(BACKLOG.values())
HELD = 61


@pytest.fixture
def pipe() -> Iterator[tuple[IO[str], IO[str]]]:
    """What the reader reads from, and what is written to; nobody reads as yet."""
    read, write = os.pipe()
    with os.fdopen(read) as reader, os.fdopen(write, "w") as writer:
        yield reader, writer


def reported(pipe: tuple[IO[str], IO[str]], *reports: Report) -> list[Report]:
    """What a reader hears that begins to read only when all has been reported."""
    reader, writer = pipe
    reporter, last = Reporter(writer), Notice("the last")
    for report in (*reports, last):
        reporter.report(report)
    read: list[Report] = []
    while last not in read[-1:]:
        read.append(decode(reader.readline()))
    reporter.close()
    return read


@pytest.mark.parametrize("stale", [Status("playing"), Sounded("partner", 60, 80, 1.0)], ids=["status", "note"])
def test_what_is_soon_out_of_date_does_not_pile_up(pipe: tuple[IO[str], IO[str]], stale: Report) -> None:
    piled = reported(pipe, *[stale] * MANY)
    assert BACKLOG[type(stale)] <= len(piled) < BACKLOG[type(stale)] + 5000  # and what the pipe holds


def test_what_matters_comes_through(pipe: tuple[IO[str], IO[str]]) -> None:
    told = [Notice(str(number)) for number in range(MANY)]
    assert reported(pipe, *told)[:-1] == told


def test_no_note_seems_to_go_on_that_has_ended(pipe: tuple[IO[str], IO[str]]) -> None:
    others = [Sounded("partner", 60, velocity, beat) for beat in range(MANY) for velocity in (80, 0)]
    read = reported(pipe, Sounded("player", HELD, 80, 0.0), *others, Sounded("player", HELD, 0, MANY))
    notes = [note for note in read if isinstance(note, Sounded)]
    for part, pitch in (("player", HELD), ("partner", 60)):
        velocities = [note.velocity for note in notes if (note.part, note.pitch) == (part, pitch)]
        assert velocities == [80, 0] * (len(velocities) // 2)
