"""How soon the partner answers a note that is struck while it plays along with a held chord."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import cycle, islice

import numpy as np

from improv.bench import stage
from improv.bench.jack_server import PATIENT, RATE, jack_server
from improv.bench.listener import Listener
from improv.bench.result import Result, at_most
from improv.errors import ImprovError
from improv.live.outputs import NOTE_OFF, NOTE_ON
from improv.live.priority import realtime_is_permitted
from improv.live.process import EngineProcess

PERIOD = 64  # samples a cycle of JACK
TEMPO = 120.0  # BPM
GRID = 0.25  # beats a frame of the bundled model
CHORD, MELODY = (48, 52, 55), (72, 74, 76, 77, 79, 81, 83, 84)
CHANNEL = 15  # the player's, by which the listener tells the two apart
AFTER = 0.2  # of a frame after its tick the note is struck
ANSWERED = 0.75  # of a frame, to just before the next tick: what comes there is not this note's answer
FRAMES = 2  # from one note to the next
WILD = 2.0  # the temperature: most notes find an answer then


def instant(n_notes: int = 60, k: int = 25) -> Iterator[Result]:
    """Milliseconds from a note at the listener to the partner's answer there, both stamped by JACK.

    Raises:
        ImprovError: JACK does not run, the partner does not play, or no note found an answer.
    """
    with (
        jack_server(PERIOD, *PATIENT, realtime=realtime_is_permitted()),
        stage.settings(tempo=TEMPO, k=k, temperature=WILD) as chosen,
        stage.jam(chosen) as jam,
    ):
        jam.listener.attach("keyboard:out")
        for pitch in CHORD:
            jam.keyboard.send_message([NOTE_ON | CHANNEL, pitch, 80])
        for pitch in islice(cycle(MELODY), n_notes):
            _wait_for_beat(jam.engine)
            jam.keyboard.send_message([NOTE_ON | CHANNEL, pitch, 80])
            time.sleep(GRID * 60 / TEMPO)
            jam.keyboard.send_message([NOTE_OFF | CHANNEL, pitch, 0])
        answers = np.array(_answers(jam.listener))
    if not len(answers):
        raise ImprovError(f"the partner answered none of {n_notes} notes")
    name, cycle_ms = f"answer to a note, k = {k}, both ports included", 1000 * PERIOD / RATE
    for label, percent, bar in (("p50", 50, None), ("p99", 99, at_most(5.0)), ("max", 100, None)):
        value = 1000 * float(np.percentile(answers, percent))
        yield Result(f"{name}, {label}", value, "ms", cycle_ms, "JACK cycle", bar)
    unanswered = n_notes - len(answers)
    yield Result(
        f"notes not answered before the next tick, of {n_notes} (a partner may choose to)", unanswered, "notes"
    )


def _wait_for_beat(engine: EngineProcess) -> None:
    """Until a little after a tick, as far as the engine's reports say when that is."""
    for _ in engine.new_reports():
        pass  # they are of some time ago
    into = stage.wait_until_playing(engine).beat / GRID % FRAMES
    time.sleep((FRAMES + AFTER - into) % FRAMES * GRID * 60 / TEMPO)


def _answers(listener: Listener) -> list[float]:
    """Seconds from each note of the melody to the first that the partner strikes before the next tick, where one is."""
    listener.listen()
    answers, struck = [], -np.inf
    for at, message in listener.heard:
        if message[0] == NOTE_ON | CHANNEL:
            struck = at
        elif message[0] == NOTE_ON and at - struck < ANSWERED * GRID * 60 / TEMPO:
            answers.append(at - struck)
            struck = -np.inf
    return answers
