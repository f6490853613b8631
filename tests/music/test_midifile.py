import io
import os
import struct
from contextlib import suppress
from pathlib import Path

import mido
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from improv.errors import ImprovError
from improv.music.key import KEYS, Key, parse_key
from improv.music.midifile import MAX_BYTES, Note, Score, read_score, to_roll, write_midi
from improv.music.score import TimeSignature

in_one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def file_of(*tracks: bytes, kind: int = 1, division: int = 480) -> bytes:
    header = struct.pack(">4sIHHH", b"MThd", 6, kind, len(tracks), division)
    return header + b"".join(struct.pack(">4sI", b"MTrk", len(track)) + track for track in tracks)


def events(*messages: mido.Message | mido.MetaMessage) -> bytes:
    """The bytes of a file with one track of `messages`."""
    midi = mido.MidiFile(type=0, tracks=[mido.MidiTrack(messages)])
    buffer = io.BytesIO()
    midi.save(file=buffer)
    return buffer.getvalue()


def read(content: bytes, folder: Path) -> Score:
    path = folder / "x.mid"
    path.write_bytes(content)
    return read_score(path)


def on(pitch: int, time: int = 0, velocity: int = 80, channel: int = 0) -> mido.Message:
    return mido.Message("note_on", note=pitch, velocity=velocity, time=time, channel=channel)


def off(pitch: int, time: int = 0) -> mido.Message:
    return mido.Message("note_off", note=pitch, time=time)


def pedal(value: int, time: int = 0, channel: int = 0) -> mido.Message:
    return mido.Message("control_change", control=64, value=value, time=time, channel=channel)


NOTE = b"\x00\x90\x3c\x40\x83\x60\x80\x3c\x00"
TEMPO_ONLY = b"\x00\xff\x51\x03\x07\xa1\x20"
VALID = file_of(TEMPO_ONLY, NOTE * 4)


# Reading


def test_reads_notes_in_beats_with_tempo_and_metre(tmp_path: Path) -> None:
    content = events(
        mido.MetaMessage("set_tempo", tempo=600_000),
        mido.MetaMessage("time_signature", numerator=6, denominator=8),
        on(60, 240, velocity=70),
        off(60, 480),
    )
    score = read(content, tmp_path)
    assert score.notes == [Note(0.5, 1.5, 60, 70)]
    assert (score.tempo, score.bar_beats) == (100, 3)


def test_a_file_that_says_nothing_is_in_common_time_at_120(tmp_path: Path) -> None:
    score = read(file_of(NOTE), tmp_path)
    assert (score.tempo, score.bar_beats) == (120, 4)


def test_a_new_note_on_ends_the_sounding_note(tmp_path: Path) -> None:
    score = read(events(on(60), on(60, 480), off(60, 480)), tmp_path)
    assert [(note.onset, note.end) for note in score.notes] == [(0, 1), (1, 2)]


def test_a_note_on_of_velocity_0_is_a_note_off(tmp_path: Path) -> None:
    score = read(events(on(60), on(60, 480, velocity=0), on(62)), tmp_path)
    assert score.notes[0] == Note(0, 1, 60, 80)


def test_unmatched_note_offs_are_ignored(tmp_path: Path) -> None:
    score = read(events(off(60, 480), on(60), off(60, 480), off(60, 480)), tmp_path)
    assert [(note.onset, note.end) for note in score.notes] == [(1, 2)]


def test_a_note_without_end_lasts_to_the_end_of_its_track(tmp_path: Path) -> None:
    score = read(events(on(60), mido.MetaMessage("end_of_track", time=1920)), tmp_path)
    assert score.notes == [Note(0, 4, 60, 80)]


@pytest.mark.parametrize(
    ("messages", "spans"),
    [
        ([on(60), pedal(127, 240), off(60, 240), pedal(0, 480)], [(0, 2, 60)]),
        ([on(60), pedal(63, 240), off(60, 240), pedal(0, 480)], [(0, 1, 60)]),
        ([on(60), pedal(64, 240), off(60, 240), pedal(63, 480)], [(0, 2, 60)]),
        ([on(60), off(60, 480), pedal(127), pedal(0, 480)], [(0, 1, 60)]),
        ([pedal(127), on(60), pedal(0, 240), off(60, 240)], [(0, 1, 60)]),
        ([pedal(127), on(60), off(60, 240), on(60, 240), pedal(0, 240), off(60, 240)], [(0, 1, 60), (1, 2, 60)]),
        ([pedal(127), pedal(100), on(60), off(60, 480), on(62, 480), off(62, 480)], [(0, 3, 60), (2, 3, 62)]),
        ([pedal(127, channel=1), on(60), off(60, 480), pedal(0, 480, channel=1)], [(0, 1, 60)]),
    ],
    ids=[
        "held", "not far enough down", "half down", "down too late", "up before the key", "struck again", "never up",
        "of another channel",
    ],
)  # fmt: skip
def test_a_note_lasts_as_long_as_the_pedal_holds_it(
    messages: list[mido.Message], spans: list[tuple[float, float, int]], tmp_path: Path
) -> None:
    score = read(events(*messages), tmp_path)
    assert [(note.onset, note.end, note.pitch) for note in score.notes] == spans


def test_notes_of_the_same_pitch_on_other_tracks_and_channels_are_left_alone(tmp_path: Path) -> None:
    held = b"\x00\x90\x3c\x40\x8f\x00\x80\x3c\x00"  # four beats on channel 0
    other = b"\x83\x60\x91\x3c\x40\x83\x60\x81\x3c\x00"  # the second beat on channel 1
    score = read(file_of(held, NOTE + NOTE, other), tmp_path)
    assert Note(0, 4, 60, 64, 0, 0) in score.notes
    assert Note(1, 2, 60, 64, 0, 1) in score.notes
    assert Note(1, 2, 60, 64, 1, 2) in score.notes


def test_drums_are_left_out(tmp_path: Path) -> None:
    content = events(on(60), on(36, channel=9), off(60, 480))
    assert [note.pitch for note in read(content, tmp_path).notes] == [60]


def test_an_odd_metre_or_tempo_is_not_believed(tmp_path: Path) -> None:
    metre, tempo = b"\x00\xff\x58\x04\x00\x40\x18\x08", b"\x00\xff\x51\x03\x00\x00\x00"
    score = read(file_of(metre + tempo + NOTE), tmp_path)
    assert (score.tempo, score.bar_beats) == (120, 4)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"RIFF" + VALID, "not a MIDI file"),
        (VALID[:-3], "truncated"),
        (VALID[:10], "truncated"),
        (file_of(NOTE, kind=2), "type 2"),
        (file_of(NOTE, division=0), "0 ticks"),
        (file_of(NOTE, division=0xE728), "SMPTE"),
        (file_of(TEMPO_ONLY), "no notes"),
        (file_of(), "no notes"),
        (file_of(b"\x00\xff\x59\x02\x0c\x00" + NOTE), "not a valid MIDI file"),  # a key of 12 sharps
        (file_of(b"\x00\xff\x51\x00" + NOTE), "not a valid MIDI file"),  # a tempo without its number
        (file_of(b"\x00\x3c\x40" + NOTE), "running status"),
        (file_of(b"\xff\xff\xff\x7f" * 2 + NOTE), "."),
        (file_of(b"\xbf\xff\xff\x7f" + NOTE[1:]), "longer than 150000 beats"),
        (file_of(b"\x00\xff\x01\xff\xff\xff\x7f" + NOTE), "exceeds maximum length"),
        (file_of(b"\xff" * MAX_BYTES), "larger than"),
        (file_of(b"\xff" * (MAX_BYTES - 100)), "number without end"),
        (struct.pack(">4sIHHH", b"MThd", 0xFFFFFFFF, 1, 1, 480), "truncated"),
        (struct.pack(">4sIHHH", b"MThd", 6, 1, 0xFFFF, 480), "no notes"),
    ],
)
def test_a_bad_file_is_explained_in_one_line_that_names_it(content: bytes, reason: str, tmp_path: Path) -> None:
    with pytest.raises(ImprovError, match=reason) as error:
        read(content, tmp_path)
    assert str(tmp_path / "x.mid") in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_no_file_is_explained(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "none", tmp_path / "pipe", tmp_path / ("x" * 300), Path("nul\0byte")):
        with pytest.raises(ImprovError):
            read_score(path)


@in_one_folder
@given(st.binary(max_size=300))
def test_any_bytes_are_survived(tmp_path: Path, content: bytes) -> None:
    for candidate in (content, b"MThd" + content, file_of(content), file_of(TEMPO_ONLY, NOTE + content)):
        with suppress(ImprovError):
            assert read(candidate, tmp_path).notes


@in_one_folder
@given(st.integers(0, len(VALID)), st.lists(st.tuples(st.integers(0, len(VALID) - 1), st.integers(0, 255)), max_size=8))
def test_any_damage_to_a_valid_file_is_survived(tmp_path: Path, cut: int, damage: list[tuple[int, int]]) -> None:
    content = bytearray(VALID)
    for place, byte in damage:
        content[place] = byte
    with suppress(ImprovError):
        to_roll(read(bytes(content[:cut]), tmp_path), 0.25)


# Writing


@st.composite
def separate_notes(draw: st.DrawFn) -> list[Note]:
    """Notes on the ticks of a file, none sounding into another of its pitch and channel."""
    notes = []
    voices = st.lists(st.tuples(st.integers(0, 127), st.integers(0, 8)), min_size=1, max_size=6, unique=True)
    for pitch, channel in draw(voices):
        tick = 0
        for rest, length in draw(st.lists(st.tuples(st.integers(0, 999), st.integers(1, 999)), min_size=1, max_size=6)):
            tick += rest
            velocity = draw(st.integers(1, 127))
            notes.append(Note(tick / 480, (tick + length) / 480, pitch, velocity, channel, track=1))
            tick += length
    return notes


@in_one_folder
@given(separate_notes())
def test_what_is_written_is_read_again_exactly(tmp_path: Path, notes: list[Note]) -> None:
    write_midi(tmp_path / "x.mid", {"tune": notes})
    assert sorted(read_score(tmp_path / "x.mid").notes, key=repr) == sorted(notes, key=repr)


def test_parts_become_named_tracks_after_one_of_tempo_and_metre(tmp_path: Path) -> None:
    path = tmp_path / "x.mid"
    write_midi(
        path,
        {"player": [Note(0, 1, 60, 80)], "partner": []},
        [(0, 100), (2, 140)],
        TimeSignature(6, 8),
        key=Key(10, True),
    )
    midi = mido.MidiFile(path)
    assert (midi.type, midi.ticks_per_beat) == (1, 480)
    assert [track.name for track in midi.tracks] == ["", "player", "partner"]
    score = read_score(path)
    assert [(beat, round(bpm, 3)) for beat, bpm in score.tempo_map] == [(0, 100), (2, 140)]
    assert (score.signature, score.bar_beats) == ((6, 8), 3), "as it is written, not as 3/4"
    assert [message.key for message in midi.tracks[0] if message.type == "key_signature"] == ["Bbm"]


def test_the_first_time_signature_counts_and_of_two_at_once_that_of_the_first_track(tmp_path: Path) -> None:
    notes = [mido.Message("note_on", note=60, velocity=80), mido.Message("note_off", note=60, time=4800)]
    late = mido.MetaMessage("time_signature", numerator=2, denominator=4, time=960)
    six, four = (mido.MetaMessage("time_signature", numerator=n, denominator=d) for n, d in ((6, 8), (4, 4)))
    tracks = [mido.MidiTrack([late]), mido.MidiTrack([six, *notes]), mido.MidiTrack([four])]
    mido.MidiFile(type=1, tracks=tracks).save(tmp_path / "x.mid")
    assert read_score(tmp_path / "x.mid").signature == (6, 8)


@pytest.mark.parametrize("key", KEYS)
def test_every_key_can_be_written(key: Key, tmp_path: Path) -> None:
    write_midi(tmp_path / "x.mid", {"tune": [Note(0, 1, 60, 80)]}, key=key)
    (signature,) = (
        message for message in mido.MidiFile(tmp_path / "x.mid").tracks[0] if message.type == "key_signature"
    )
    assert parse_key(signature.key) == key


@pytest.mark.parametrize("written", [(3, 8), (2, 4), (3, 4), (7, 8), (4, 4), (6, 8), (12, 8), (2, 2), (255, 64)])
def test_any_usual_bar_is_written(written: tuple[int, int], tmp_path: Path) -> None:
    signature = TimeSignature(*written)
    assert signature.usual
    write_midi(tmp_path / "x.mid", {"tune": [Note(0, 1, 60, 80)]}, signature=signature)
    assert read_score(tmp_path / "x.mid").signature == signature


@pytest.mark.parametrize("written", [(0, 4), (256, 4), (3, 5), (3, 0), (-4, 4), (1, 32), (65, 4), (3, 2**256)])
def test_no_other_is(written: tuple[int, int]) -> None:
    assert not TimeSignature(*written).usual


def test_overlapping_notes_of_a_pitch_keep_their_onsets(tmp_path: Path) -> None:
    write_midi(tmp_path / "x.mid", {"tune": [Note(0, 3, 60, 80), Note(1, 2, 60, 90), Note(1, 1, 64, 70)]})
    notes = read_score(tmp_path / "x.mid").notes
    assert [(note.onset, note.end, note.pitch) for note in notes] == [(0, 1, 60), (1, 2, 60), (1, 1 + 1 / 480, 64)]


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "x.mid", tmp_path / ("x" * 300)):
        with pytest.raises(ImprovError, match="cannot write"):
            write_midi(path, {"tune": []})
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_missing_folders_are_made(tmp_path: Path) -> None:
    write_midi(tmp_path / "new" / "folder" / "x.mid", {"tune": [Note(0, 1, 60, 80)]})
    assert len(read_score(tmp_path / "new" / "folder" / "x.mid").notes) == 1


def test_a_link_is_written_through_and_nothing_else_is_left(tmp_path: Path) -> None:
    (tmp_path / "link.mid").symlink_to(tmp_path / "x.mid")
    write_midi(tmp_path / "link.mid", {"tune": [Note(0, 1, 60, 80)]})
    assert (tmp_path / "link.mid").is_symlink()
    assert read_score(tmp_path / "x.mid").notes
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.mid", "x.mid"]


def test_a_device_is_written_to_and_never_replaced() -> None:
    write_midi(os.devnull, {"tune": [Note(0, 1, 60, 80)]})
    assert Path(os.devnull).is_char_device()
