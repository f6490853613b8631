"""Playing: `improv play` with real processes at the ends of real MIDI cables."""

import subprocess
import time
import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from jack_machine import JackServer, MidiPeer, eventually
from jam import INPUT, SLOW, Jam, Listener
from numpy.typing import NDArray
from shadow import DOUBLED, PLAYED, save_shadow
from timing import away_from_a_grid

from improv.live.outputs import CONTROL
from improv.music.midifile import read_score
from improv.music.score import Note

pytestmark = pytest.mark.jack

GRID_SECONDS = 0.125  # a sixteenth note at 120 BPM


@pytest.fixture(scope="module")
def shadow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A partner that doubles the player."""
    path = tmp_path_factory.mktemp("shadow") / "shadow.pt"
    save_shadow(path)
    return path


@dataclass(frozen=True)
class Played:
    """What came of a performance.

    Attributes:
        status: improv's exit status.
        before: what was heard before the player's first note.
        listener: what was heard in all.
        held, repeated, short: how often the notes were doubled that the player held, repeated and merely touched.
        player, partner: the tracks of the take.
    """

    status: int
    before: list[tuple[float, int, int]]
    listener: Listener
    held: int
    repeated: int
    short: int
    player: list[Note]
    partner: list[Note]


N_REPEATED, N_SHORT = 15, 12


@pytest.fixture(scope="module")
def played(_jack_server: JackServer, shadow: Path, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """One performance in duet: a held note, a note repeated without a gap, and very short ones."""
    take = tmp_path_factory.mktemp("take") / "take.mid"
    with pytest.MonkeyPatch.context() as patch:
        _jack_server.start()
        for name in ("JACK_DEFAULT_SERVER", "JACK_NO_START_SERVER", "IMPROV_MIDI"):
            patch.setenv(name, _jack_server.env[name])
        keyboard = MidiPeer("play", "keyboard")
        options = ("--model", shadow, "--output", "virtual", "--record", take, "--tempo", 120, "--seed", 1)
        with Listener() as listener, Jam(*options) as jam:
            listener.attach()
            _jack_server.connect(keyboard.port, INPUT)
            assert jam.says("playing")
            time.sleep(1.0)
            before = listener.notes
            _strike(keyboard, 60, 1.0, rest=3 * GRID_SECONDS)
            _repeat(keyboard, 64)
            for _ in range(N_SHORT):
                _strike(keyboard, 67, 0.01, rest=0.26)
            _strike(keyboard, 71, 3 * GRID_SECONDS, note_off=False)
            assert eventually(lambda: _doubled(listener, 71), SLOW)
            status = jam.end()
        keyboard.close()
        listener.close()
    notes = read_score(take).notes
    tracks = [[note for note in notes if note.track == track] for track in (1, 2)]
    held, repeated, short = (_doubled(listener, pitch) for pitch in (60, 64, 67))
    return Played(status, before, listener, held, repeated, short, *tracks)


def _doubled(listener: Listener, pitch: int) -> int:
    """How often the partner has doubled the player's note `pitch`."""
    doubled = DOUBLED[PLAYED.index(pitch)]
    return sum(heard == doubled for _, heard in listener.onsets)


def _strike(keyboard: MidiPeer, pitch: int, seconds: float, rest: float = 0.0, note_off: bool = True) -> None:
    keyboard.send(bytes([0x90, pitch, 90]))
    time.sleep(seconds)
    if note_off:
        keyboard.send(bytes([0x80, pitch, 64]))
    time.sleep(rest)


def _repeat(keyboard: MidiPeer, pitch: int) -> None:
    for _ in range(N_REPEATED):
        keyboard.send(bytes([0x90, pitch, 0]), bytes([0x90, pitch, 90]))
        time.sleep(1.2 * GRID_SECONDS)
    keyboard.send(bytes([0x80, pitch, 64]))


def test_the_partner_waits_for_the_player(played: Played) -> None:
    assert played.before == []
    first = min(note.onset for note in played.player)
    assert min(note.onset for note in played.partner) >= first - 0.13  # an onset belongs to the nearest tick


def test_a_held_note_is_doubled_once(played: Played) -> None:
    assert played.held == 1


def test_a_note_repeated_without_a_gap_is_struck_again(played: Played) -> None:
    assert 3 <= played.repeated <= N_REPEATED


def test_a_very_short_note_is_answered(played: Played) -> None:
    assert 1 <= played.short <= N_SHORT


def test_onsets_lie_on_the_grid(played: Played) -> None:
    onsets = [at for at, _ in played.listener.onsets]
    assert len(onsets) > 20
    assert away_from_a_grid(onsets, GRID_SECONDS) < 0.15


def test_every_note_ends_and_none_begins_after_the_end(played: Played) -> None:
    assert played.status == 0
    assert played.listener.sounding == set()
    assert played.listener.heard[-1][1][0] & 0xF0 == CONTROL  # what silences everything is the last thing sent


def test_the_take_holds_both_parts(played: Played) -> None:
    player = [note.pitch for note in played.player]
    assert player == [60] + [64] * N_REPEATED + [67] * N_SHORT + [71]
    assert len(played.partner) == len(played.listener.onsets)
    assert sorted(note.pitch for note in played.partner) == sorted(pitch for _, pitch in played.listener.onsets)


@pytest.mark.usefixtures("jack_server")
def test_trading_alternates(shadow: Path, tmp_path: Path) -> None:
    take = tmp_path / "take.mid"
    options = ("--model", shadow, "--output", "virtual", "--record", take, "--mode", "trade", "--tempo", 180)
    with Listener() as listener, Jam(*options, "--seconds", 12) as jam:  # a frame that no busy machine misses
        listener.attach()
        assert jam.wait() == 0
    assert listener.onsets
    assert listener.sounding == set()
    beats = np.array([note.onset for note in read_score(take).notes])
    assert set((beats + 0.06) // 8 % 2) == {1.0}  # two bars of four beats
    assert len(set((beats + 0.06) // 16)) == 2


def test_the_synth_sounds_and_falls_silent(
    jack_server: JackServer, midi_peer: Callable[[str, str], MidiPeer], shadow: Path, tmp_path: Path
) -> None:
    keyboard, sound = midi_peer("play", "keyboard"), tmp_path / "sound.wav"
    options = ("--model", shadow, "--output", "synth", "--record", tmp_path / "take.mid")
    with Jam(*options) as jam:
        assert jam.says("playing")
        jack_server.connect(keyboard.port, INPUT)
        sources = [port for port in jack_server.ports() if port.startswith("improv-synth:")]
        assert sources, jack_server.ports()
        recorder = subprocess.Popen(["jack_rec", "-f", sound, "-d", "4", "-b", "16", sources[0]])
        try:
            time.sleep(1.0)
            keyboard.send(bytes([0x90, 60, 100]))
            time.sleep(1.0)
            assert jam.end() == 0
            assert recorder.wait(SLOW) == 0
        finally:
            recorder.kill()
    assert not [port for port in jack_server.ports() if port.startswith("improv")]
    levels = _levels(sound)
    assert levels.max() > 0.003
    assert levels[0] < 0.01 * levels.max()
    assert levels[-1] < 0.01 * levels.max()


def _levels(sound: Path) -> NDArray[np.float64]:
    """The loudness of each tenth of a second, 0..1."""
    with wave.open(str(sound)) as file:
        frames, rate = file.readframes(file.getnframes()), file.getframerate()
    samples = np.frombuffer(frames, np.int16).astype(float) / 2**15
    tenths = samples[: len(samples) // (rate // 10) * (rate // 10)].reshape(-1, rate // 10)
    return np.sqrt((tenths**2).mean(axis=1))
