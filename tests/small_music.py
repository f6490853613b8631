"""Small pieces to train on and to evaluate with, and the files that hold them."""

import random
from pathlib import Path

import numpy as np

from improv.music.midifile import write_midi
from improv.music.pianoroll import PianoRoll
from improv.music.score import Note, Score, to_roll

GRID = 0.25


def piece(seed: int, bars: int = 8, shift: int = 0) -> list[Note]:
    """A chord and a melody of eighths in C major, `shift` semitones higher."""
    rng = random.Random(seed)
    chords = [(48, 52, 55), (53, 57, 60), (55, 59, 62), (48, 52, 55)]
    notes = []
    for bar in range(bars):
        chord = chords[bar % len(chords)]
        notes += [Note(4.0 * bar, 4.0 * bar + 4, pitch + shift, 70) for pitch in chord]
        for eighth in range(8):
            onset = 4 * bar + eighth / 2
            notes.append(Note(onset, onset + 0.5, 12 + rng.choice(chord) + shift, 90))
    return notes


def rolls(count: int, bars: int = 8) -> list[PianoRoll]:
    """So many pieces as piano-rolls of sixteenths."""
    return [to_roll(Score(piece(seed, bars)), GRID) for seed in range(count)]


def folder(path: Path, count: int = 4, bars: int = 4) -> Path:
    """A folder with so many pieces as MIDI files."""
    path.mkdir(parents=True, exist_ok=True)
    for seed in range(count):
        write_midi(path / f"piece{seed}.mid", {"piano": piece(seed, bars)})
    return path


def save_npz(path: Path, grid: float = 0.5, low: int = 21, n_pitches: int = 88, **lengths: list[int]) -> Path:
    """An .npz with the splits named, each of pieces of those lengths, in which random notes sound."""
    rng = np.random.default_rng(0)
    arrays: dict[str, np.ndarray] = {"frame_beats": np.array(grid), "pitch_low": np.array(low)}
    for split, of_pieces in lengths.items():
        arrays[f"{split}_frames"] = (rng.random((sum(of_pieces), n_pitches)) < 0.05).astype(np.uint8)
        arrays[f"{split}_lengths"] = np.array(of_pieces, np.int32)
    np.savez(path, **arrays)
    return path
