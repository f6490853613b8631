"""The output `synth` as it is used: a real process, a real JACK server, what sounds recorded and measured."""

import os
import signal
import subprocess
import sys
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from jack_machine import JackServer, eventually
from numpy.typing import NDArray

from improv.errors import ImprovError
from improv.live.messages import Notice, Problem
from improv.live.synth import SynthOutput, builtin_program, fluidsynth, open_synth
from improv.live.synth.output import FIRST_PAUSE
from improv.live.synth.program import Program

RATE = 48000
ON, OFF = bytes([0x90, 69, 100]), bytes([0x80, 69, 0])
DEAF = Program("a deaf instrument", [sys.executable, "-c", "import time; print('ready', flush=True); time.sleep(100)"])


@pytest.fixture
def without_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    """No JACK server to be found."""
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "improv-nobody")


def program(label: str) -> Program:
    if label == "builtin":
        return builtin_program.PROGRAM
    first = next(fluidsynth.programs(), None)
    if first is None:
        why = "fluidsynth or a soundfont is not installed: fluidsynth, timgm6mb-soundfont"
        pytest.fail(why) if os.environ.get("CI") else pytest.skip(why)
    return first


@pytest.fixture(params=["builtin", "fluidsynth"])
def open_output(request: pytest.FixtureRequest, jack_server: JackServer) -> Iterator[Callable[..., SynthOutput]]:
    """Opens the instrument under test; closes it at the end."""
    opened = []

    def open_it(tell: Callable[[Problem | Notice], object] = pytest.fail) -> SynthOutput:
        opened.append(SynthOutput(program(request.param), tell))
        return opened[-1]

    yield open_it
    for output in opened:
        output.close()
    assert eventually(lambda: not sources(jack_server))


def sources(server: JackServer) -> list[str]:
    """The ports whose sound reaches the sound card, left and right."""
    return server.connections("system:playback_1") + server.connections("system:playback_2")


def recorder(server: JackServer, path: Path, seconds: int) -> subprocess.Popen[bytes]:
    """Starts to record what the sound card is being sent."""
    ports = sources(server)
    command = ["jack_rec", "-f", str(path), "-d", str(seconds), "-b", "16", *ports]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert eventually(lambda: all(len(server.connections(port)) == 2 for port in ports))  # sound card and recorder
    return process


def recorded(path: Path) -> NDArray[np.float32]:
    """The recording, [n, 2]."""
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    return samples.reshape(-1, 2).astype(np.float32) / 32768


def exists(pid: int) -> bool:
    """Whether there is such a process, even one that has ended and was not waited for."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.jack
def test_a_note_sounds_in_tune_and_ends(
    open_output: Callable[..., SynthOutput], jack_server: JackServer, tmp_path: Path
) -> None:
    output = open_output()
    take = recorder(jack_server, tmp_path / "a.wav", 3)
    output.send(ON)
    time.sleep(0.9)
    output.send(OFF)
    take.wait()
    sound = recorded(tmp_path / "a.wav")
    level = np.abs(sound).max(axis=1)
    onset = int((level > 0.002).argmax())
    note = sound[onset + RATE // 10 : onset + RATE * 8 // 10].mean(axis=1)
    spectrum = np.abs(np.fft.rfft(note * np.hanning(len(note)), 8 * len(note)))
    low = len(spectrum) * 600 * 2 // RATE  # strong overtones may be stronger than the fundamental
    assert abs(1200 * np.log2(spectrum[:low].argmax() * RATE / (8 * len(note)) / 440)) < 5
    assert 0.01 < np.sqrt(np.square(note).mean()) < 0.3
    assert level.max() < 0.9
    assert level[-RATE // 4 :].max() < 1e-3


@pytest.mark.jack
def test_closing_fades_out_what_sounds_and_leaves_no_process(
    open_output: Callable[..., SynthOutput], jack_server: JackServer, tmp_path: Path
) -> None:
    output = open_output()
    take = recorder(jack_server, tmp_path / "a.wav", 3)
    for pitch in (48, 55, 64):
        output.send(bytes([0x91, pitch, 100]))
    time.sleep(0.5)
    output.close()
    assert not output.connected
    assert not exists(output.pid)
    output.send(ON)  # a loop that has not noticed yet
    output.close()
    take.wait()
    level = np.abs(recorded(tmp_path / "a.wav")).max(axis=1)
    last = level[: np.flatnonzero(level)[-1] + 1][-RATE // 100 :]
    assert level.max() > 0.05
    assert last.max() < 0.05 * level.max()


def test_an_instrument_that_dies_is_begun_again_and_both_are_told_once() -> None:
    told: list[Problem | Notice] = []
    output = SynthOutput(DEAF, told.append)
    first = output.pid
    os.kill(first, signal.SIGKILL)
    assert eventually(lambda: told)
    for _ in range(1000):
        output.send(ON)
    assert eventually(lambda: len(told) == 2)
    assert output.connected
    assert output.pid != first
    output.close()
    assert not exists(output.pid)
    silent, sounds = told
    assert isinstance(silent, Problem)
    assert silent.text.startswith("synth is silent")
    assert sounds == Notice("synth sounds again", about=silent.about)


@pytest.mark.jack
def test_it_sounds_again_when_a_sound_server_that_died_is_back(
    open_output: Callable[..., SynthOutput], jack_server: JackServer
) -> None:
    told: list[Problem | Notice] = []
    output = open_output(told.append)
    output.send(ON)
    jack_server.kill()
    assert eventually(lambda: told)
    assert not output.connected
    jack_server.restart()
    assert eventually(lambda: told[1:] == [Notice("synth sounds again", about="synth")], 60)
    assert output.connected
    assert sources(jack_server)


def test_closing_while_it_is_silent_begins_nothing_again() -> None:
    told: list[Problem | Notice] = []
    output = SynthOutput(DEAF, told.append)
    os.kill(output.pid, signal.SIGKILL)
    assert eventually(lambda: told)
    output.close()
    time.sleep(2 * FIRST_PAUSE)
    assert len(told) == 1
    assert not output.connected


def test_neither_sending_nor_closing_waits_for_ever_for_an_instrument_that_hangs() -> None:
    output = SynthOutput(DEAF, pytest.fail)
    for _ in range(200_000):  # far more than a pipe holds
        output.send(ON)
    output.close()
    assert not exists(output.pid)


@pytest.mark.jack
@pytest.mark.parametrize("label", ["builtin", "fluidsynth"])
def test_the_instrument_ends_with_a_killed_engine(label: str, jack_server: JackServer) -> None:
    program(label)
    code = f"""
import os, signal
from improv.live.synth import SynthOutput, builtin_program, fluidsynth
chosen = builtin_program.PROGRAM if {label!r} == "builtin" else next(fluidsynth.programs())
output = SynthOutput(chosen, print)
output.send({ON!r})
print("sounding" if output.connected else "", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    engine = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "sounding" in engine.stdout
    assert eventually(lambda: not sources(jack_server))


@pytest.mark.jack
@pytest.mark.usefixtures("jack_server")
def test_the_built_in_instrument_plays_where_fluidsynth_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    output = open_synth(pytest.fail)
    try:
        assert (output.label, output.connected) == ("the built-in instrument", True)
    finally:
        output.close()


@pytest.mark.jack
@pytest.mark.usefixtures("jack_server")
def test_fluidsynth_is_preferred_where_it_is_installed() -> None:
    program("fluidsynth")
    output = open_synth(pytest.fail)
    try:
        assert (output.label, output.connected) == ("FluidSynth", True)
    finally:
        output.close()


@pytest.mark.usefixtures("without_sound")
def test_where_no_sound_can_be_played_one_line_says_why() -> None:
    if Path("/dev/snd").exists() or sys.platform != "linux":
        pytest.skip("this machine has a sound card")
    with pytest.raises(ImprovError, match=r"^no sound can be played here: [^\n]+$"):
        open_synth(pytest.fail)


def test_importing_it_stays_light() -> None:
    code = "import sys, improv.live.synth; print(*{'numpy', 'sounddevice', 'torch'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"


@pytest.mark.parametrize(
    ("message", "lines"),
    [
        (bytes([0x90, 60, 80]), b"noteon 0 60 80\n"),
        (bytes([0x91, 60, 0]), b"noteoff 1 60\n"),
        (bytes([0x81, 60, 64]), b"noteoff 1 60\n"),
        (bytes([0xB0, 64, 127]), b"cc 0 64 127\n"),
        (bytes([0xB1, 123, 0]), b"cc 1 64 0\ncc 1 123 0\n"),
        (bytes([0xC1, 11]), b"prog 1 11\n"),
        (bytes([0xE0, 0, 64]), b""),
    ],
)
def test_messages_in_the_words_of_fluidsynth(message: bytes, lines: bytes) -> None:
    assert fluidsynth.shell_command(message) == lines


def test_the_default_soundfont_goes_before_a_larger_one_and_small_ones_do_not_count(tmp_path: Path) -> None:
    for name, megabytes in (("demo.sf2", 1), ("default-GM.sf2", 3), ("other.sf3", 5)):
        with (tmp_path / name).open("wb") as file:
            file.truncate(megabytes * 1_000_000)
    assert fluidsynth.soundfont((str(tmp_path),)) == tmp_path / "default-GM.sf2"
    (tmp_path / "default-GM.sf2").unlink()
    assert fluidsynth.soundfont((str(tmp_path),)) == tmp_path / "other.sf3"
    (tmp_path / "other.sf3").unlink()
    assert fluidsynth.soundfont((str(tmp_path),)) is None
