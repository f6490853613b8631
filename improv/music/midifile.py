"""Standard MIDI files: read into scores, written from notes."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import mido

from improv.errors import ImprovError
from improv.files import replace_file
from improv.music.key import Key
from improv.music.pairing import Pairing, PublishedPairing
from improv.music.score import (
    COMMON_TIME,
    DEFAULT_TEMPO,
    Note,
    Score,
    TempoMap,
    TimeSignature,
    in_order,
    roll_to_notes,
    to_roll,
    to_roll_seconds,
)

__all__ = ["Note", "Score", "read_score", "roll_to_notes", "to_roll", "to_roll_seconds", "write_midi"]

SUFFIXES = (".mid", ".midi", ".kar")
"""How the names of MIDI files end."""
TICKS_PER_BEAT = 480
DRUMS = 9
"""The channel (counted from 0) on which General MIDI plays drums, whose pitches are no pitches."""
SUSTAIN = 64
"""The controller that is the sustain pedal."""

MAX_BYTES = 8 * 1024 * 1024  # eight hours of jamming are five
MAX_BEATS = 150_000  # eight hours of the fastest tempo
# A number that never ends makes a parser gather an ever longer integer, for hours; no text or number needs so much.
_ENDLESS = re.compile(rb"[\x80-\xff]{4096}")
_MICROSECONDS_PER_MINUTE = 60_000_000
PedalMoves = Sequence[tuple[float, int]]
"""Where the sustain pedal of channel 0 goes, as (beat, value in 0..127), in order of time."""
MIN_TEMPO, MAX_TEMPO = 4.0, 60_000.0
"""Tempos in BPM that a MIDI file can hold, with a margin."""


def read_score(path: Path | str, *, published: bool = False) -> Score:
    """The score in a MIDI file of type 0 or 1, without the drum channel.

    A note lasts as long as it sounds, as Pairing has it; where `published`, as PublishedPairing has it.

    Raises:
        ImprovError: nothing else, whatever lies at `path`.
    """
    path = Path(path)
    try:
        return _score(_parse(_content(path)), PublishedPairing if published else Pairing)
    except ImprovError as error:
        raise ImprovError(f"{path}: {error}") from error
    except OSError as error:
        raise ImprovError(f"{path}: {error.strerror or error}") from error
    except EOFError as error:
        raise ImprovError(f"{path}: the MIDI file is truncated") from error
    except Exception as error:  # damaged events raise whatever mido's decoders meet first
        raise ImprovError(f"{path}: not a valid MIDI file ({error or type(error).__name__})") from error


def _content(path: Path) -> bytes:
    if path.is_dir():
        raise ImprovError("is a folder, not a MIDI file")
    if path.exists() and not path.is_file():  # to read a pipe or a device could wait for ever
        raise ImprovError("is not a regular file")
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if not content:
        raise ImprovError("the file is empty")
    if len(content) > MAX_BYTES:
        raise ImprovError(f"larger than {MAX_BYTES // 1024**2} MiB")
    if not content.startswith(b"MThd"):
        raise ImprovError("not a MIDI file")
    if _ENDLESS.search(content):
        raise ImprovError("not a valid MIDI file (a number without end)")
    return content


def _parse(content: bytes) -> Any:
    midi = mido.MidiFile(file=io.BytesIO(content), clip=True)
    if midi.ticks_per_beat < 0:
        raise ImprovError("its time is in SMPTE frames, not in beats")
    if midi.ticks_per_beat == 0:
        raise ImprovError("it divides the beat into 0 ticks")
    if midi.type not in (0, 1):
        raise ImprovError(f"MIDI files of type {midi.type} are not supported, only 0 and 1")
    return midi


def _score(midi: Any, pairing: type[Pairing]) -> Score:
    notes: list[Note] = []
    tempo_map: dict[float, float] = {}
    signatures: list[tuple[float, TimeSignature]] = []
    for index, track in enumerate(midi.tracks):
        events = list(_timed(track, midi.ticks_per_beat))
        notes += _paired(events, pairing(index))
        for beat, message in events:
            if message.type == "set_tempo" and message.tempo > 0:
                tempo_map[beat] = _MICROSECONDS_PER_MINUTE / message.tempo
            elif message.type == "time_signature":
                signatures.append((beat, TimeSignature(message.numerator, message.denominator)))
    if not notes:
        raise ImprovError("it holds no notes")
    signature = next((signature for _, signature in sorted(signatures, key=_beat) if signature.usual), COMMON_TIME)
    return Score(in_order(notes), sorted(tempo_map.items()), signature)


def _beat(event: tuple[float, object]) -> float:
    return event[0]


def _timed(track: Any, ticks_per_beat: int) -> Iterable[tuple[float, Any]]:
    tick = 0
    for message in track:
        tick += message.time
        if tick > MAX_BEATS * ticks_per_beat:
            raise ImprovError(f"longer than {MAX_BEATS} beats")
        yield tick / ticks_per_beat, message


def _paired(events: list[tuple[float, Any]], pairing: Pairing) -> list[Note]:
    for beat, message in events:
        if message.is_meta or getattr(message, "channel", DRUMS) == DRUMS:
            continue
        if message.type == "note_on" and message.velocity > 0:
            pairing.strike(message.channel, message.note, message.velocity, beat)
        elif message.type in ("note_on", "note_off"):
            pairing.let_go(message.channel, message.note, beat)
        elif message.type == "control_change" and message.control == SUSTAIN:
            pairing.pedal(message.channel, message.value, beat)
    return pairing.ended(events[-1][0] if events else 0.0)


def write_midi(
    path: Path | str,
    parts: Mapping[str, Iterable[Note]],
    tempo_map: TempoMap | float = DEFAULT_TEMPO,
    signature: TimeSignature = COMMON_TIME,
    pedals: Mapping[str, PedalMoves] | None = None,
    key: Key | None = None,
) -> None:
    """Write a type 1 file: a track of tempo, metre and key, then one named track for each part, 480 ticks a beat.

    `pedals` are the parts that have a sustain pedal; the ends of their notes are then those of the keys.

    Either the whole file is there afterwards or what lay there before. A note that is struck again on its channel ends
    there, and every note lasts for a tick at least.

    Raises:
        ImprovError: it cannot be written.
    """
    changes = [(0.0, tempo_map)] if isinstance(tempo_map, int | float) else tempo_map
    midi = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_BEAT)
    midi.tracks.append(_conductor(changes, signature, key))
    for name, notes in parts.items():
        midi.tracks.append(_track(name, notes, (pedals or {}).get(name, ())))
    buffer = io.BytesIO()
    midi.save(file=buffer)
    replace_file(Path(path), buffer.getvalue())


def _conductor(tempo_map: TempoMap, signature: TimeSignature, key: Key | None) -> Any:
    events = [(0, mido.MetaMessage("time_signature", **signature._asdict()))]
    if key is not None:
        events.append((0, mido.MetaMessage("key_signature", key=key.abbreviation)))
    for beat, bpm in tempo_map:
        tempo = round(_MICROSECONDS_PER_MINUTE / min(max(bpm, MIN_TEMPO), MAX_TEMPO))
        events.append((_tick(beat), mido.MetaMessage("set_tempo", tempo=tempo)))
    return _delta_timed(events)


def _track(name: str, notes: Iterable[Note], pedal: PedalMoves) -> Any:
    spans: dict[tuple[int, int], dict[int, tuple[int, int]]] = {}
    for note in notes:
        on, end = _tick(note.onset), _tick(note.end)
        struck = spans.setdefault((note.channel, note.pitch), {})
        struck[on] = max(struck.get(on, (0, 0)), (max(end, on + 1), note.velocity))
    events = []
    for (channel, pitch), struck in spans.items():
        onsets = sorted(struck)
        for on, again in zip(onsets, [*onsets[1:], math.inf], strict=True):
            end, velocity = struck[on]
            events.append((on, mido.Message("note_on", channel=channel, note=pitch, velocity=velocity)))
            events.append((int(min(end, again)), mido.Message("note_off", channel=channel, note=pitch, velocity=0)))
    # Behind the ends of notes: what is let go at the tick at which the pedal goes down, it has not caught.
    events += [(_tick(beat), mido.Message("control_change", control=SUSTAIN, value=value)) for beat, value in pedal]
    track = _delta_timed(events)
    track.insert(0, mido.MetaMessage("track_name", name=name.encode("latin1", "replace").decode("latin1")))
    return track


def _tick(beat: float) -> int:
    return max(round(beat * TICKS_PER_BEAT), 0)


def _delta_timed(events: list[tuple[int, Any]]) -> Any:
    """The track of `events`, given as (tick, message); at the same tick, what ends comes before what begins."""
    track = mido.MidiTrack()
    now = 0
    for tick, message in sorted(events, key=lambda event: (event[0], event[1].type == "note_on")):
        track.append(message.copy(time=tick - now))
        now = tick
    return track
