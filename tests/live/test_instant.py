"""The partner answers a note at once where it can: what is struck just after a tick belongs to that tick."""

from pathlib import Path

import pytest
from shadow import DOUBLED, save_shadow
from studio import STARTED, Studio, sounding_after

from improv.live.jobs import Job, Think
from improv.music.pianoroll import LOW, SOUNDING, STRUCK

FRAME = 0.125  # seconds: a sixteenth at 120 BPM


@pytest.fixture(scope="module")
def shadow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shadow") / "shadow.pt"
    save_shadow(path)
    return path


@pytest.fixture
def studio(shadow: Path, tmp_path: Path) -> Studio:
    return Studio(shadow, tmp_path / "take.mid")


def tick(number: float) -> float:
    return STARTED + number * FRAME


def doubled(studio: Studio) -> list[tuple[float, int, bool]]:
    """What the partner doubled: (seconds, pitch, whether it begins)."""
    return [(at, pitch, velocity > 0) for at, pitch, velocity in studio.partner if pitch in DOUBLED]


def test_a_note_just_after_a_tick_is_answered_at_once_and_held_as_long_as_it_is(studio: Studio) -> None:
    studio.note(tick(8) + 0.02, 60, until=tick(11.8))
    studio.run(3)
    assert doubled(studio) == [(pytest.approx(tick(8) + 0.02), 48, True), (pytest.approx(tick(12)), 48, False)]


def test_a_note_just_before_a_tick_is_answered_at_it(studio: Studio) -> None:
    studio.note(tick(8) - 0.001, 60, until=tick(11.8))
    studio.run(3)
    assert doubled(studio) == [(pytest.approx(tick(8)), 48, True), (pytest.approx(tick(12)), 48, False)]


def test_a_note_after_the_middle_of_a_frame_is_answered_at_the_next_tick(studio: Studio) -> None:
    studio.note(tick(8) + 0.51 * FRAME, 60, until=tick(11.8))
    studio.run(3)
    assert doubled(studio)[0] == (pytest.approx(tick(9)), 48, True)


def test_what_still_fits_is_not_struck_again(studio: Studio) -> None:
    studio.note(tick(8) + 0.01, 60, until=tick(16))
    studio.note(tick(12) + 0.01, 64, until=tick(16))
    studio.run(3)
    assert [note for note in doubled(studio) if note[2]] == [
        (pytest.approx(tick(8) + 0.01), 48, True),
        (pytest.approx(tick(12) + 0.01), 52, True),
    ]


def test_a_chord_is_answered_as_one(studio: Studio) -> None:
    for pitch in (60, 64, 67):
        studio.note(tick(8) + 0.01, pitch, until=tick(11.8))
    studio.run(3)
    begun = [note for note in doubled(studio) if note[2]]
    assert [(at, pitch) for at, pitch, _ in begun] == [(pytest.approx(tick(8) + 0.01), 48 + n) for n in (0, 4, 7)]
    assert sounding_after(studio.partner) == set()


def test_the_frame_is_remembered_as_it_finally_was(studio: Studio) -> None:
    thinker, jobs = studio.engine.thinker, list[Job]()
    ask = thinker.ask
    thinker.ask = lambda job: (jobs.append(job), ask(job))  # type: ignore[func-returns-value, method-assign, assignment]
    studio.note(tick(8) + 0.01, 60, until=tick(11.8))
    studio.run(3)
    following = next(job for job in jobs if isinstance(job, Think) and job.number == 9)
    player, partner = following.heard[-1]
    assert len(following.heard) == 1
    assert player[SOUNDING, 60 - LOW] == player[STRUCK, 60 - LOW] == 1
    assert partner[SOUNDING, 48 - LOW] == partner[STRUCK, 48 - LOW] == 1
    assert [job.number for job in jobs if isinstance(job, Think) and job.heard == []].count(8) == 1  # one more question


def test_trading_and_playing_alone_keep_to_the_ticks(shadow: Path, tmp_path: Path) -> None:
    studio = Studio(shadow, tmp_path / "take.mid", mode="solo")
    for frame in range(8, 40):
        studio.note(tick(frame) + 0.03, 60 + frame % 12, until=tick(frame) + 0.05)
    studio.run(6)
    frames = [(at - STARTED) / FRAME for at, _, velocity in studio.partner if velocity]
    assert len(frames) > 20
    assert all(abs(frame - round(frame)) < 1e-6 for frame in frames)
