"""A player who never tires: phrases and rests, chords and melody, the pedal and the wheels, for ever."""

import heapq
import random
from collections.abc import Iterator

from improv.live.outputs import CONTROL, NOTE_OFF, NOTE_ON, SUSTAIN

AFTERTOUCH, BEND = 0xD0, 0xE0
BEAT = 0.5  # seconds
CHORDS = ((48, 52, 55), (53, 57, 60), (55, 59, 62), (45, 48, 52))
SCALE = (72, 74, 76, 77, 79, 81, 83, 84)
BARS_TO_REST = 4  # longer than a partner has patience for


def musician(seed: int = 0) -> Iterator[tuple[float, bytes]]:
    """What the player does, (seconds, message) in order: every key that goes down comes up."""
    chance, at, n = random.Random(seed), 1.0, 0
    waiting: list[tuple[float, bytes]] = []  # what is to come after the beat that is being made up
    while True:
        if chance.random() < 0.03:
            at += BARS_TO_REST * 4 * BEAT
        for event in _beat(chance, at, CHORDS[n // 4 % len(CHORDS)] if n % 4 == 0 else ()):
            heapq.heappush(waiting, event)
        at, n = at + BEAT, n + 1
        while waiting and waiting[0][0] < at:
            yield heapq.heappop(waiting)


def _beat(chance: random.Random, at: float, chord: tuple[int, ...]) -> Iterator[tuple[float, bytes]]:
    """The beat at `at`, with a chord to be held for a bar, or none."""
    pedal = 127 * (chance.random() < 0.5)
    yield at, bytes((CONTROL, SUSTAIN, pedal))
    yield at + chance.uniform(0, BEAT), bytes((AFTERTOUCH, chance.randrange(128)))
    yield at + chance.uniform(0, BEAT), bytes((BEND, 0, chance.randrange(128)))
    notes = [(at + chance.gauss(0.01, 0.004), 3.9 * BEAT, pitch) for pitch in chord]
    notes += [(at + half + chance.uniform(0, 0.06), 0.4 * BEAT, chance.choice(SCALE)) for half in (0.0, BEAT / 2)]
    for start, length, pitch in notes:
        yield max(start, at), bytes((NOTE_ON, pitch, chance.randint(40, 110)))
        yield max(start, at) + length, bytes((NOTE_OFF, pitch, 0))
    if pedal:
        yield at + 0.9 * BEAT, bytes((CONTROL, SUSTAIN, 0))
