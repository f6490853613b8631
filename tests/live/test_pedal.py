"""The sustain pedal: what it holds sounds, for the partner, in the panel and in the take."""

from pathlib import Path

import mido
import pytest
from studio import STARTED, Studio

from improv.live.messages import Panic, Play, Sounded, Stop
from improv.music.midifile import read_score

DOWN, UP = [0xB0, 64, 127], [0xB0, 64, 0]
BEAT = 0.5  # seconds


@pytest.fixture
def studio(tiny_model: Path, tmp_path: Path) -> Studio:
    return Studio(tiny_model, tmp_path / "take.mid", mode="solo")


def at(beat: float) -> float:
    """The moment of a beat."""
    return STARTED + beat * BEAT


def heard(studio: Studio) -> list[tuple[float, int, int]]:
    """(beat, pitch, velocity) of the player's notes, as the panel is told."""
    notes = [report for report in studio.reports if isinstance(report, Sounded) and report.part == "player"]
    return [(round(note.beat, 3), note.pitch, note.velocity) for note in notes]


def in_the_take(path: Path) -> list[tuple[int, float, float]]:
    """(pitch, onset, end) of the player's notes."""
    notes = [note for note in read_score(path).notes if note.track == 1]
    return [(note.pitch, round(note.onset, 1), round(note.end, 1)) for note in notes]


def test_a_note_sounds_until_the_pedal_comes_up(studio: Studio) -> None:
    studio.note(at(1), 60, until=at(2))
    studio.midi(at(1.5), DOWN)
    studio.note(at(3), 64, until=at(7))
    studio.midi(at(5), UP)
    studio.run(5)
    assert heard(studio) == [(1, 60, 80), (3, 64, 80), (5, 60, 0), (7, 64, 0)]


def test_a_note_struck_again_under_the_pedal_ends_and_begins(studio: Studio) -> None:
    studio.midi(at(0.5), DOWN)
    studio.note(at(1), 60, until=at(2))
    studio.note(at(3), 60, velocity=90, until=at(6))
    studio.midi(at(4), UP)
    studio.run(5)
    assert heard(studio) == [(1, 60, 80), (3, 60, 90), (6, 60, 0)]
    assert in_the_take(studio.take) == [(60, 1, 3), (60, 3, 6)]


def test_half_a_pedal_is_down_from_64_on(studio: Studio) -> None:
    studio.note(at(1), 60, until=at(2))
    studio.midi(at(1.5), [0xB0, 64, 63])
    studio.note(at(3), 62, until=at(4))
    studio.midi(at(3.5), [0xB0, 64, 64])
    studio.midi(at(5), [0xB0, 64, 63])
    studio.run(5)
    assert heard(studio) == [(1, 60, 80), (2, 60, 0), (3, 62, 80), (5, 62, 0)]


def test_the_take_holds_keys_and_pedal_and_is_read_back_as_it_sounded(studio: Studio) -> None:
    studio.note(at(1), 60, until=at(2))
    studio.midi(at(1.5), DOWN)
    studio.midi(at(5), UP)
    studio.run(5)
    player = [message for message in mido.MidiFile(studio.take).tracks[1] if not message.is_meta]
    kinds = [(message.type, message.bytes()[1:]) for message in player]
    assert kinds == [
        ("note_on", [60, 80]),
        ("control_change", [64, 127]),
        ("note_off", [60, 0]),
        ("control_change", [64, 0]),
    ]
    assert in_the_take(studio.take) == [(60, 1, 5)]


def test_the_partner_leaves_what_the_pedal_holds_to_the_player(studio: Studio) -> None:
    held = set(range(51, 71, 2))
    studio.midi(at(0), DOWN)
    for pitch in held:
        studio.note(at(1), pitch, until=at(1.5))
    studio.midi(at(12), UP)
    studio.run(12)
    onsets = [(seconds, pitch) for seconds, pitch, velocity in studio.partner if velocity]
    assert not held & {pitch for seconds, pitch in onsets if at(1.5) < seconds < at(12)}
    assert held & {pitch for seconds, pitch in onsets if at(12) < seconds}


def test_in_a_duet_the_partner_rests_when_hands_have_left_and_a_foot_has_not(tiny_model: Path, tmp_path: Path) -> None:
    studio = Studio(tiny_model, tmp_path / "take.mid")
    studio.midi(at(0), DOWN)
    studio.note(at(1), 60, until=at(4))
    studio.midi(at(20), UP)
    studio.note(at(24), 62, until=at(25))
    studio.run(18)
    onsets = [round((seconds - STARTED) / BEAT, 2) for seconds, _, velocity in studio.partner if velocity]
    patience = 4 + 2 * 4  # two bars after the last key
    assert max(onset for onset in onsets if onset < 20) == pytest.approx(patience, abs=1)
    assert not [onset for onset in onsets if patience < onset < 24 - 1e-6], "the pedal alone is no invitation"
    assert [onset for onset in onsets if onset >= 24]


def test_panic_lifts_the_pedal(studio: Studio) -> None:
    studio.midi(at(0), DOWN)
    studio.note(at(1), 60, until=at(2))
    studio.at(at(3), Panic())
    studio.note(at(4), 62, until=at(5))
    studio.run(5)
    assert heard(studio) == [(1, 60, 80), (3, 60, 0), (4, 62, 80), (5, 62, 0)]
    assert in_the_take(studio.take) == [(60, 1, 3), (62, 4, 5)]


def test_what_the_pedal_holds_over_stop_and_play_is_in_both_takes(studio: Studio) -> None:
    studio.midi(at(0), DOWN)
    studio.note(at(1), 60, until=at(2))
    studio.at(at(4), Stop())
    studio.at(at(6) - STARTED, Play())
    studio.midi(at(8), UP)
    studio.run(6)
    assert in_the_take(studio.take) == [(60, 1, 4)]
    assert in_the_take(studio.take.with_name("take-2.mid")) == [(60, 0, 2)]
