"""Whether anything piles up: `python benchmarks/soak.py [--hours 8] [--minutes 10] [--model M.pt]`.

First hours of jamming on a virtual clock, as fast as this machine can; then, with JACK installed, real minutes with an
engine in its own process and a player and a listener at its ports. Prints JSON objects, one a line: how the jam and the
process that plays it stand, from time to time and at the end. Ends with status 1 where a note is left sounding.
"""

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from improv.bench import stage
from improv.bench.jack_server import PATIENT, jack_server
from improv.bench.listener import Listener
from improv.bench.musician import musician
from improv.bench.soak import Soak
from improv.bench.vitals import Vitals
from improv.live.messages import SetMode, Status
from improv.live.outputs import CONTROL, NOTE_OFF, NOTE_ON, SUSTAIN
from improv.live.priority import realtime_is_permitted
from improv.live.process import EngineProcess
from improv.music.midifile import read_score
from improv.resources import bundled_model

PERIOD = 64  # samples a cycle of JACK
SOLO_SECONDS = 30.0  # at both ends of the real minutes: its notes say where the grid is
FRAME = 0.125  # seconds, of the bundled model at 120 BPM
SETTLED_SECONDS = 3.0  # after which no answer to the player comes any more


def say(**figures: object) -> None:
    """Prints a line."""
    print(json.dumps(figures | {"load": round(os.getloadavg()[0], 2)}), flush=True)


def simulate(hours: float, model: Path) -> bool:
    """The hours on a virtual clock; whether all is well at their end."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        take = Path(folder, "take.mid")
        *_, state = Soak(model, take, hours, tell=lambda state: say(**asdict(state))).run()
        kept = sum(note.track == 2 for note in read_score(take).notes)
        say(kept=kept, struck=state.struck, real_seconds=round(time.perf_counter() - started, 1))
    return state.sounding == 0 and not state.problems and kept == state.struck


def jam(minutes: float) -> bool:
    """The real minutes: solo, with a player, and solo again; whether all is well at their end."""
    with (
        jack_server(PERIOD, *PATIENT, realtime=realtime_is_permitted()),
        stage.settings(mode="solo") as chosen,
        stage.jam(chosen) as played,
    ):
        engine, listener = played.engine, played.listener
        wait(engine, listener, SOLO_SECONDS)
        n_before = len(listener.notes())
        engine.send(SetMode("duet"))
        playing = threading.Thread(target=play, args=(played.keyboard, 60 * minutes - 2 * SOLO_SECONDS))
        playing.start()
        while playing.is_alive():
            say(status=wait(engine, listener, 60.0), **asdict(Vitals.of(engine.pid)))
        engine.send(SetMode("solo"))
        wait(engine, listener, SETTLED_SECONDS)
        n_after = len(listener.notes())
        wait(engine, listener, SOLO_SECONDS)
        status = engine.close()
        notes, sounding = listener.notes(), listener.sounding
    solos = [np.array([at for at, _, velocity in solo if velocity]) for solo in (notes[:n_before], notes[n_after:])]
    first, last = (phase(solo) for solo in solos)
    drift = (last - first + FRAME / 2) % FRAME - FRAME / 2
    say(notes=len(notes), sounding=len(sounding), status=status, drift_ms=round(1000 * drift, 3))
    return not sounding and status == 0


def play(keyboard: Any, seconds: float) -> None:
    """A musician's part, in real time, for so long; then every key is let go and the pedal."""
    start, down = time.perf_counter(), set[int]()
    for at, message in musician():
        if at > seconds:
            break
        time.sleep(max(0.0, start + at - time.perf_counter()))
        keyboard.send_message(list(message))
        if message[0] in (NOTE_ON, NOTE_OFF):
            (down.add if message[0] == NOTE_ON else down.discard)(message[1])
    for message in [(NOTE_OFF, pitch, 0) for pitch in down] + [(CONTROL, SUSTAIN, 0)]:
        keyboard.send_message(list(message))


def wait(engine: EngineProcess, listener: Listener, seconds: float) -> dict[str, float]:
    """Hears both out for so long; the ticks missed so far, and the worst lateness meanwhile in milliseconds."""
    missed, lateness, end = 0, 0.0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        listener.listen()
        for report in engine.new_reports():
            if isinstance(report, Status):
                missed, lateness = report.missed, max(lateness, report.lateness_ms)
        time.sleep(0.05)
    return {"missed": missed, "lateness_ms": round(lateness, 3)}


def phase(onsets: NDArray[np.float64]) -> float:
    """Where in a frame most notes begin, in seconds."""
    return float(np.angle(np.exp(2j * np.pi * onsets / FRAME).mean()) / (2 * np.pi) * FRAME)


def main() -> int:
    """Plays and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=8, help="on a virtual clock (default 8)")
    parser.add_argument("--minutes", type=float, default=10, help="real ones (default 10), none where 0")
    parser.add_argument("--model", type=Path, default=bundled_model())
    args = parser.parse_args()
    well = simulate(args.hours, args.model) if args.hours else True
    return 0 if (jam(args.minutes) if args.minutes else True) and well else 1


if __name__ == "__main__":
    sys.exit(main())
