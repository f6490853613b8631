"""Playing in step with another program's MIDI clock, over real cables."""

import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from jack_machine import JackServer, MidiPeer, eventually
from jam import INPUT, Jam, Listener
from numpy.typing import NDArray

from improv.live.sync import PULSES, Kind
from improv.music.midifile import read_score

pytestmark = pytest.mark.jack

PULSE, START, STOP = (bytes([kind]) for kind in (Kind.PULSE, Kind.START, Kind.STOP))
BAR_VELOCITY = 86  # how loud the partner is on the first beat of a bar, and nowhere else
JITTER = 0.004


class Sequencer:
    """A program whose clock jitters; what it sent is heard by the listener, on the same clock as the partner."""

    def __init__(self, peer: MidiPeer, listener: Listener) -> None:
        self.peer, self._listener, self._chance = peer, listener, random.Random(1)

    def roll(self, tempo: float, beats: int) -> "Rolled":
        """Sends its pulses; each is late by chance, none drifts."""
        first = len(self._sent())
        start, period = time.monotonic(), 60 / tempo / PULSES
        for number in range(beats * PULSES):
            time.sleep(max(0.0, start + number * period + self._chance.uniform(0, JITTER) - time.monotonic()))
            self.peer.send(PULSE)
        assert eventually(lambda: len(self._sent()) >= first + beats * PULSES)
        return Rolled(np.array(self._sent()[first:]), period, self._listener)

    def _sent(self) -> list[float]:
        return [at for at, message in list(self._listener.heard) if message == PULSE]


class Rolled:
    """One stretch of its song at one tempo, and what the partner played in it."""

    def __init__(self, pulses: NDArray[np.float64], period: float, listener: Listener) -> None:
        # Pulses may be late, on a busy machine by much, but never early: the first beat is where most agree it was.
        self._frame = 6 * period
        self._start = float(np.median(pulses - period * np.arange(len(pulses))))
        notes = [(at, velocity) for at, _, velocity in listener.notes if velocity]
        self._notes = [(at, velocity) for at, velocity in notes if pulses[0] - self._frame / 2 <= at <= pulses[-1]]

    def frames(self, bars_only: bool = False) -> NDArray[np.float64]:
        """The partner's onsets, in frames since the stretch began; of those that begin a bar, where asked."""
        onsets = [at for at, velocity in self._notes if velocity == BAR_VELOCITY or not bars_only]
        return (np.array(onsets) - self._start) / self._frame


@pytest.fixture
def take(tmp_path: Path) -> Path:
    return tmp_path / "take.mid"


@pytest.fixture
def jam(jack_server: JackServer, tiny_model: Path, take: Path) -> Iterator[Jam]:  # noqa: ARG001 - must run first
    """A partner that plays alone, when the clock says so."""
    options = ("--model", tiny_model, "--output", "virtual", "--record", take, "--seed", 1)
    with Jam(*options, "--mode", "solo", "--sync", "midi") as running:
        yield running


def test_the_partner_plays_in_step_with_the_clock(jack_server: JackServer, jam: Jam, take: Path) -> None:
    with Listener() as listener:
        listener.attach()
        assert jam.says("waiting for the start message of the MIDI clock")
        peer = MidiPeer("play", "sequencer")
        jack_server.connect(peer.port, INPUT)
        jack_server.connect(peer.port, "listener:in")
        sequencer = Sequencer(peer, listener)
        peer.send(START)
        slow = sequencer.roll(97, 16)
        fast = sequencer.roll(140, 16)
        peer.send(STOP)
        assert eventually(lambda: STOP in [message for _, message in list(listener.heard)])
        time.sleep(1.0)
        at_stop = len(listener.onsets)
        assert listener.sounding == set()
        time.sleep(1.0)
        assert len(listener.onsets) == at_stop, "it plays on after the stop"
        status = jam.end(signal.SIGINT)
        peer.close()
    assert status == 0
    assert jam.says("playing: solo, sync midi")
    for stretch, settled in ((slow, 4), (fast, 8)):
        frames = stretch.frames()
        away = frames[frames > settled] - np.round(frames[frames > settled])
        assert len(away) > 30
        assert np.median(np.abs(away)) < 0.15  # frames; 0.25 is what chance would give
        bars = stretch.frames(bars_only=True)
        assert len(bars) > 3
        assert np.median(np.abs(bars / 16 - np.round(bars / 16))) < 0.03  # bars; 0.25 would be chance
    assert len(read_score(take).notes) == len(listener.onsets)
