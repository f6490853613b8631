"""Ten thousand events a second, sysex, clock and aftertouch among them: no note is lost, and nothing piles up."""

import pytest

from improv.bench.flood import pour
from improv.bench.sender import SYSEX

SECONDS, RATE, NOTES = 8.0, 10_000, 2  # of ten events


@pytest.mark.jack
@pytest.mark.slow
@pytest.mark.usefixtures("jack_server")
def test_a_flood_loses_no_note() -> None:
    flooded = pour(SECONDS, RATE, NOTES)
    assert flooded.sent >= SECONDS * RATE
    assert flooded.sysex > 1000 * len(SYSEX)
    assert flooded.notes == pytest.approx(flooded.sent * NOTES / 20, abs=1)
    assert flooded.kept == flooded.heard, "a note that reached the engine is not in the take"
    assert flooded.heard > 0.1 * flooded.notes  # a server that misses its cycles loses what was not yet on its way
    assert flooded.status == flooded.sounding == 0
    assert flooded.late.rss < flooded.early.rss + 50
    assert flooded.late.files == flooded.early.files
