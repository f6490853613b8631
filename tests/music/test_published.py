from pathlib import Path

import mido
import numpy as np
import pytest

from improv.errors import ImprovError
from improv.music.midifile import read_score
from improv.music.pianoroll import PianoRoll
from improv.music.published import NOTTINGHAM, SAMPLED, published_roll
from improv.music.score import Note

Event = tuple[int, str, int]  # tick (480 a beat), what happens, pitch


def midi_file(path: Path, *tracks: list[Event], channel: int = 0, tempos: dict[int, float] | None = None) -> Path:
    """A MIDI file of these tracks, what is at the same tick in the order given."""
    midi = mido.MidiFile(type=1, ticks_per_beat=480)
    midi.tracks.append(mido.MidiTrack())
    now = 0
    for tick, bpm in (tempos or {}).items():
        midi.tracks[0].append(mido.MetaMessage("set_tempo", tempo=round(60_000_000 / bpm), time=tick - now))
        now = tick
    for events in tracks:
        midi.tracks.append(mido.MidiTrack())
        now = 0
        for tick, kind, pitch in events:
            message = mido.Message(kind, channel=channel, note=pitch, velocity=80 if kind == "note_on" else 0)
            midi.tracks[-1].append(message.copy(time=tick - now))
            now = tick
    midi.save(path)
    return path


def notes(*spans: tuple[int, int, int]) -> list[Event]:
    """The events of notes given as (first tick, last tick, pitch), those that end before those that begin."""
    events = [(on, "note_on", pitch) for on, _, pitch in spans] + [(end, "note_off", pitch) for _, end, pitch in spans]
    return sorted(events, key=lambda event: (event[0], event[1] == "note_on"))


def frames(roll: PianoRoll) -> list[list[int]]:
    """The pitches that sound in every frame."""
    return [[roll.low + int(column) for column in np.flatnonzero(frame)] for frame in roll.sounding]


def benchmark(path: Path) -> list[list[int]]:
    return frames(published_roll(read_score(path, published=True), NOTTINGHAM, 0.5))


HELD = [(0, "note_on", 64), (1440, "note_off", 64)]
STRUCK_EARLY = [(0, "note_on", 60), (480, "note_on", 60), (480, "note_off", 60), (960, "note_off", 60)]
PAIRINGS: dict[str, tuple[list[Event], list[tuple[float, float]]]] = {
    "the old note ends first": (notes((0, 480, 60), (480, 960, 60)), [(0, 1), (1, 2)]),
    "the new note begins first": (STRUCK_EARLY, [(1, 1)]),
    "it ends only once": ([(0, "note_on", 60), (480, "note_on", 60), (960, "note_off", 60)], [(1, 2)]),
    "it only ends": ([(240, "note_off", 60), (480, "note_off", 60)], []),
    "it never ends": ([(0, "note_on", 60)], []),
}


@pytest.mark.parametrize("case", PAIRINGS)
def test_a_new_note_on_discards_the_note_that_sounds(case: str, tmp_path: Path) -> None:
    events, expected = PAIRINGS[case]
    path = midi_file(tmp_path / "x.mid", events, HELD)
    score = read_score(path, published=True)
    assert [(note.onset, note.end) for note in score.notes if note.pitch == 60] == expected
    assert [note for note in score.notes if note.pitch == 64] == [Note(0, 3, 64, 80, 0, 2)]


def test_the_pedal_holds_nothing(tmp_path: Path) -> None:
    down = mido.Message("control_change", control=64, value=127)
    messages = [
        down,
        mido.Message("note_on", note=60),
        mido.Message("note_off", note=60, time=480),
        down.copy(time=480),
    ]
    mido.MidiFile(type=0, tracks=[mido.MidiTrack(messages)], ticks_per_beat=480).save(tmp_path / "x.mid")
    assert [note.end for note in read_score(tmp_path / "x.mid", published=True).notes] == [1]


def test_nottinghams_frames_are_the_nearest_and_the_first_is_left_out(tmp_path: Path) -> None:
    melody = notes((0, 480, 60), (480, 599, 62), (599, 840, 64), (840, 1080, 65), (1100, 1190, 67), (1200, 1320, 69))
    # in frames of 240 ticks: 60 in 0..2, 62 in 2..2, 64 in 2..4, 65 in 4..5, 67 in 5..5, 69 in 5..6; the bass in 0..7
    path = midi_file(tmp_path / "x.mid", melody, notes((0, 1680, 48)))
    assert benchmark(path) == [[48, 60], [48, 64], [48, 64], [48, 65], [48, 69], [48]]


def test_a_note_that_is_struck_again_too_early_is_silent(tmp_path: Path) -> None:
    assert benchmark(midi_file(tmp_path / "x.mid", STRUCK_EARLY, HELD)) == [[64]] * 5


def test_what_begins_in_the_frame_that_is_left_out_is_struck_in_the_next(tmp_path: Path) -> None:
    path = midi_file(tmp_path / "x.mid", notes((0, 960, 60), (0, 240, 64), (720, 960, 67)))
    roll = published_roll(read_score(path, published=True), NOTTINGHAM, 0.5)
    assert frames(roll) == [[60], [60], [60, 67]]
    assert [frame[[39, 46]].tolist() for frame in roll.struck] == [[1, 0], [0, 0], [0, 1]]


def test_sampled_frames_hold_what_sounds_as_they_begin(tmp_path: Path) -> None:
    path = midi_file(tmp_path / "x.mid", notes((0, 480, 60), (480, 600, 62), (600, 900, 64), (900, 1441, 65)))
    assert frames(published_roll(read_score(path, published=True), SAMPLED, 1)) == [[60], [62], [65], [65]]


def test_seconds_are_sampled_in_the_files_tempo(tmp_path: Path) -> None:
    path = midi_file(tmp_path / "x.mid", notes((0, 960, 60), (960, 1440, 62)), tempos={0: 120, 960: 60})
    roll = published_roll(read_score(path, published=True), SAMPLED, 0.25, dt=0.3)
    assert frames(roll) == [[60]] * 4 + [[62]] * 3, "one second each: 0, 0.3, 0.6, 0.9 s, then 1.2, 1.5, 1.8 s"
    assert roll.grid == pytest.approx(0.6)


@pytest.mark.parametrize(("rules", "span"), [(NOTTINGHAM, (0, 300)), (NOTTINGHAM, (500, 590)), (SAMPLED, (10, 230))])
def test_where_no_note_is_left_it_says_so(rules: str, span: tuple[int, int], tmp_path: Path) -> None:
    path = midi_file(tmp_path / "x.mid", notes((*span, 60)))
    with pytest.raises(ImprovError, match="no note is left"):
        published_roll(read_score(path, published=True), rules, 0.5)
