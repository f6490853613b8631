"""How the partner plays along: `python benchmarks/jam.py TUNE.mid [--seconds 60] [--model M.pt]`, with JACK installed.

This process is the player: it plays the tune's first track in real time into `improv in`, over and over, and records
`improv:out`. It prints one JSON object: where the partner's notes lie in time and in the tune's key, and whether any
was left sounding.
"""

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rtmidi

from improv.bench.jack_server import PATIENT, RATE, jack_server
from improv.bench.listener import Listener, lateness
from improv.live.messages import Status
from improv.live.process import EngineProcess, Settings
from improv.live.tune import Tune
from improv.music.key import key_of
from improv.music.midifile import read_score, write_midi
from improv.music.score import Score, to_roll
from improv.resources import bundled_model

PERIOD = 64  # samples a cycle
GRID = 0.25  # beats per frame of the bundled model
ALL_NOTES_OFF = bytes([0xB0, 123, 0])  # the first thing heard of an engine that stops
BEFORE_STOP = 2.0  # seconds of rest, in which a player's last note must not be held for ever


@dataclass(frozen=True)
class Figures:
    """What is printed: times in milliseconds; the shares of notes in the key are 0..1."""

    notes: int
    late_p50: float
    late_p99: float
    late_max: float
    period: float
    unmatched: int
    after_stop: int
    key: str
    in_key: float
    in_key_by_chance: float
    polyphony_mean: float
    polyphony_max: int
    missed_ticks: int
    lateness_max: float
    compute_p50: float
    load: float


def _index(port: Any, name: str) -> int:
    while name not in port.get_ports():
        time.sleep(0.1)
    return int(port.get_ports().index(name))


def play(tune: Tune, keyboard: Any, seconds: float) -> None:
    """Plays the tune again and again for so long, then lets go of every key."""
    start = time.perf_counter()
    beats = np.ceil(tune.beats / tune.bar_beats) * tune.bar_beats
    events = ((n * beats + beat, pitch, velocity) for n in range(10**6) for beat, pitch, velocity in tune.events)
    down: set[int] = set()
    for beat, pitch, velocity in events:
        at = beat * 60 / tune.tempo
        if at > seconds:
            break
        time.sleep(max(0.0, start + at - time.perf_counter()))
        keyboard.send_message([0x90, pitch, velocity])
        (down.add if velocity else down.discard)(pitch)
    for pitch in down:
        keyboard.send_message([0x80, pitch, 0])


def melody(score: Score) -> Tune:
    """The first track of the score as the player."""
    notes = [note for note in score.notes if note.track == min(note.track for note in score.notes)]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "melody.mid")
        write_midi(file, {"melody": notes}, score.tempo_map, score.signature)
        return Tune.read(file)


def jam(tune: Tune, model: Path, seconds: float) -> tuple[Listener, list[Status]]:
    """Plays with a partner; returns what was heard, and its reports."""
    listener, keyboard = Listener(), rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name="keyboard")
    states: list[Status] = []
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            str(model), outputs=["virtual"], seed=1, take=str(Path(folder, "take.mid")), autoplay=True
        )  # fmt: skip
        settings.knobs["tempo"] = tune.tempo
        engine = EngineProcess(settings)
        listener.attach("improv:out")
        keyboard.open_port(_index(keyboard, "improv in:in"), "out")
        while not any(isinstance(report, Status) and report.state == "playing" for report in engine.new_reports()):
            time.sleep(0.05)
        listener.listen()
        listener.heard.clear()  # the silence an output begins with
        playing = threading.Thread(target=play, args=(tune, keyboard, seconds))
        playing.start()
        while playing.is_alive():
            listener.listen()
            states += [report for report in engine.new_reports() if isinstance(report, Status)]
            time.sleep(0.1)
        time.sleep(BEFORE_STOP)
        if engine.close():
            raise SystemExit("the engine failed")
    time.sleep(0.2)
    listener.listen()
    return listener, states


def figures(score: Score, tune: Tune, listener: Listener, states: list[Status]) -> Figures:
    """What the recording says."""
    notes = listener.notes()
    onsets = np.array([at for at, _, velocity in notes if velocity])
    late = 1000 * lateness(onsets, GRID * 60 / tune.tempo)
    sounding: set[int] = set()
    polyphony, last = [(0.0, 0)], 0.0
    for at, pitch, velocity in notes:
        polyphony.append((at - last, len(sounding)))
        (sounding.add if velocity else sounding.discard)(pitch)
        last = at
    time_of, voices = np.array(polyphony).T
    messages = [message for _, message in listener.heard]
    key = key_of(to_roll(score, GRID))
    return Figures(
        notes=len(onsets),
        late_p50=float(np.percentile(late, 50)),
        late_p99=float(np.percentile(late, 99)),
        late_max=float(late.max()),
        period=1000 * PERIOD / RATE,
        unmatched=len(sounding),
        after_stop=sum(m[0] & 0xF0 == 0x90 for m in messages[messages.index(ALL_NOTES_OFF) :]),
        key=key.name,
        in_key=float(np.mean([pitch % 12 in key.pitch_classes for _, pitch, velocity in notes if velocity])),
        in_key_by_chance=7 / 12,
        polyphony_mean=float((time_of * voices).sum() / time_of[voices > 0].sum()),
        polyphony_max=int(voices.max()),
        missed_ticks=max(state.missed for state in states),
        lateness_max=max(state.lateness_ms for state in states),
        compute_p50=float(np.median([state.compute_ms for state in states])),
        load=os.getloadavg()[0],
    )


def main() -> int:
    """Plays and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tune", type=Path)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--model", type=Path, default=bundled_model())
    args = parser.parse_args()
    score = read_score(args.tune)
    tune = melody(score)
    with jack_server(PERIOD, *PATIENT):
        result = figures(score, tune, *jam(tune, args.model, args.seconds))
    print(json.dumps({name: round(v, 3) if isinstance(v, float) else v for name, v in asdict(result).items()}))
    return 1 if result.unmatched or result.after_stop else 0


if __name__ == "__main__":
    sys.exit(main())
