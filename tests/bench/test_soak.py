"""A short soak: a jam on a virtual clock leaves nothing behind."""

from pathlib import Path

import pytest

from improv.bench.soak import Soak
from improv.music.midifile import read_score


@pytest.mark.slow
def test_nothing_piles_up(tiny_model: Path, tmp_path: Path) -> None:
    take = tmp_path / "take.mid"
    early, *_, end = Soak(tiny_model, take, hours=0.2, n_states=6).run()
    assert end.struck > 1000
    assert end.sounding == end.missed == 0
    assert end.problems == ()
    assert end.off < 1e-6
    assert end.vitals.rss < early.vitals.rss + 20
    assert end.vitals.files <= early.vitals.files
    assert end.vitals.threads <= early.vitals.threads
    assert sum(note.track == 2 for note in read_score(take).notes) == end.struck
