"""How soon the partner answers a note that is struck while it plays along with a held chord.

Between the keyboard and the listener there is the partner and, beside it, a relay that passes every note on at once: so
much of the time is the ports' own.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

import numpy as np

from improv.bench import stage
from improv.bench.jack_server import PATIENT, jack_server
from improv.bench.listener import Listener, connect
from improv.bench.result import Result, at_most
from improv.errors import ImprovError
from improv.live.outputs import NOTE_OFF, NOTE_ON
from improv.live.priority import realtime_is_permitted
from improv.live.process import EngineProcess
from improv.model import checkpoint
from improv.resources import bundled_model

PERIOD = 64  # samples a cycle of JACK
TEMPO = 120.0  # BPM
GRID = 0.25  # beats a frame of the bundled model
CHORD, MELODY = (48, 52, 55), (72, 74, 76, 77, 79, 81, 83, 84)
CHANNEL, RELAYED = 15, 14  # the player's and the relay's, by which the listener tells them from the partner, on 0
AFTER = 0.2  # of a frame after its tick the note is struck
ANSWERED = 0.75  # of a frame, to just before the next tick: what comes there is not this note's answer
FRAMES = 2  # from one note to the next
EAGER, WILD = 2.0, 2.2  # added to the bundled partner's visible biases, and the temperature: most notes get an answer
LIMIT_MS = 5.0  # for the answer at the 99th percentile, beyond what the ports take in the median


def instant(n_notes: int = 60, k: int = 25) -> Iterator[Result]:
    """Milliseconds from a note at the listener to the partner's answer there, and to what the relay makes of the same
    note, all stamped by JACK.

    Raises:
        ImprovError: JACK does not run, the partner does not play, or no note found an answer.
    """
    with tempfile.TemporaryDirectory() as folder:
        partner = Path(folder, "eager.pt")
        _save_eager_partner(partner)
        answers, relayed = (1000 * np.array(seconds) for seconds in _play(partner, n_notes, k))
    if not len(answers) or not len(relayed):
        raise ImprovError(f"of {n_notes} notes the partner answered {len(answers)}, and {len(relayed)} were relayed")
    name, percents = f"answer to a note, k = {k}", {"p50": 50, "p99": 99, "max": 100}
    for label, percent in percents.items():
        value, alone = (float(np.percentile(taken, percent)) for taken in (answers, relayed))
        yield Result(f"{name}, both ports included, {label}", value, "ms", alone, "the ports alone")
    ports = float(np.median(relayed))
    beyond = float(np.percentile(answers, 99)) - ports
    yield Result(f"{name}, p99 less p50 of the ports alone", beyond, "ms", ports, "p50 of the ports", at_most(LIMIT_MS))
    unanswered = n_notes - len(answers)
    told = f"notes not answered before the next tick, of {n_notes} (a partner may choose to)"
    yield Result(told, unanswered, "notes")


def _save_eager_partner(path: Path) -> None:
    """The bundled one often has nothing new to say to a note; this one, which thinks as long, mostly has."""
    model, _ = checkpoint.load(bundled_model())
    for estimator in (model.rbm, model.nade):
        assert estimator is not None
        estimator.b_v.data.add_(EAGER)
    checkpoint.save(path, model)


def _play(partner: Path, n_notes: int, k: int) -> tuple[list[float], list[float]]:
    """Plays the notes; the seconds of the partner's answers, and of the relay's."""
    with (
        jack_server(PERIOD, *PATIENT, realtime=realtime_is_permitted()),
        stage.settings(model=str(partner), tempo=TEMPO, k=k, temperature=WILD) as chosen,
        stage.jam(chosen) as jam,
        stage.relay(RELAYED),
    ):
        jam.listener.attach("keyboard:out")
        jam.listener.attach("relay out:out")
        connect("keyboard:out", "relay in:in")
        for pitch in CHORD:
            jam.keyboard.send_message([NOTE_ON | CHANNEL, pitch, 80])
        for pitch in islice(cycle(MELODY), n_notes):
            _wait_for_beat(jam.engine)
            jam.keyboard.send_message([NOTE_ON | CHANNEL, pitch, 80])
            time.sleep(GRID * 60 / TEMPO)
            jam.keyboard.send_message([NOTE_OFF | CHANNEL, pitch, 0])
        return _answers(jam.listener), _answers(jam.listener, RELAYED)


def _wait_for_beat(engine: EngineProcess) -> None:
    """Until a little after a tick, as far as the engine's reports say when that is."""
    for _ in engine.new_reports():
        pass  # they are of some time ago
    into = stage.wait_until_playing(engine).beat / GRID % FRAMES
    time.sleep((FRAMES + AFTER - into) % FRAMES * GRID * 60 / TEMPO)


def _answers(listener: Listener, channel: int = 0) -> list[float]:
    """Seconds from each note of the player to the first that is struck on `channel`, the partner's, before the next
    tick, where one is."""
    listener.listen()
    answers, struck = [], -np.inf
    for at, message in listener.heard:
        if message[0] == NOTE_ON | CHANNEL and message[1] in MELODY:
            struck = at
        elif message[0] == NOTE_ON | channel and at - struck < ANSWERED * GRID * 60 / TEMPO:
            answers.append(at - struck)
            struck = -np.inf
    return answers
