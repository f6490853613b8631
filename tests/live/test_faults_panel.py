"""The real panel, its engine and the ports between them: whichever is killed, the music survives what it can."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from jack_machine import JackServer, MidiPeer, eventually
from jam import INPUT, SLOW, Fault, Listener, kept_in, sounding
from processes import alive, children, runs
from timing import MANY, in_step, same_grid

from improv.live.process import Settings
from improv.music.midifile import read_score

pytestmark = pytest.mark.jack

OPEN = (
    "import sys; from improv.live.process import Settings; from ui.panel import open_panel;"
    "sys.exit(open_panel(Settings.from_json(sys.argv[1])))"
)


class Window:
    """The panel in a process of its own, playing from the start."""

    def __init__(self, model: Path, take: Path, **settings: object) -> None:
        chosen = {"mode": "solo", "outputs": ["virtual"], "take": str(take), "seed": 1, "autoplay": True, **settings}
        command = [sys.executable, "-c", OPEN, Settings(str(model), **chosen).to_json()]  # type: ignore[arg-type]
        self.process = subprocess.Popen(command, env={**os.environ, "QT_QPA_PLATFORM": "offscreen"})

    @property
    def engine(self) -> int | None:
        """Process id of its engine; None while there is none."""
        return next((pid for pid in children(self.process.pid) if runs(pid, "improv.live.engine_main")), None)

    def close(self) -> int:
        """Closes it; its exit status."""
        self.process.terminate()
        return self.process.wait(SLOW)


@pytest.fixture
def take(tmp_path: Path) -> Path:
    """Where the take goes."""
    return tmp_path / "take.mid"


@pytest.fixture
def open_window(jack_server: JackServer, tiny_model: Path, take: Path) -> Iterator[Callable[..., Window]]:  # noqa: ARG001
    """Opens the panel with the given settings."""
    windows: list[Window] = []

    def open_it(**settings: object) -> Window:
        windows.append(Window(tiny_model, take, **settings))
        return windows[-1]

    yield open_it
    for window in windows:
        if window.process.poll() is None:
            window.close()


def partner(take: Path) -> list[float]:
    """The beats of the partner's onsets."""
    return [note.onset for note in read_score(take).notes if note.track == 2]


def test_the_engine_is_killed_and_its_virtual_ports_with_it(
    open_window: Callable[..., Window],
    take: Path,
    jack_server: JackServer,
    midi_peer: Callable[[str, str], MidiPeer],
) -> None:
    keyboard = midi_peer("play", "keyboard")
    with Listener() as listener:
        window = open_window()
        listener.attach()
        jack_server.connect(keyboard.port, INPUT)
        assert listener.hears_more()
        time.sleep(1.0625)  # for the cable to be seen; and it dies between two ticks
        first = window.engine
        assert first is not None
        os.kill(first, signal.SIGKILL)
        assert eventually(lambda: window.engine not in (None, first), SLOW)
        assert eventually(lambda: listener.sounding == set(), SLOW)
        assert kept_in(partner(take), len(listener.onsets))
        assert listener.hears_more(), "the cable is there again"
        with Fault() as begun:
            keyboard.send(bytes([0x90, 100, 90]), bytes([0x80, 100, 0]))
        assert listener.hears_it_go_on(begun)
        assert window.close() == 0
        assert listener.sounding == set()
    second = take.with_name("take-2.mid")
    assert in_step(partner(second), 0.0)
    assert [note.pitch for note in read_score(second).notes if note.track == 1] == [100]


def n_onsets(expander: MidiPeer) -> int:
    """How many notes it has been sent."""
    return sum(message[0] & 0xF0 == 0x90 and message[2] > 0 for message in list(expander.received))


@pytest.mark.parametrize("keep_playing", [False, True])
def test_the_panel_is_killed(open_window: Callable[..., Window], take: Path, keep_playing: bool) -> None:
    with Listener() as listener:
        window = open_window(keep_playing=keep_playing)
        listener.attach()
        assert listener.hears_more(MANY)
        engine = window.engine
        assert engine is not None
        with Fault() as fault:
            window.process.kill()
            window.process.wait()
        if keep_playing:
            assert listener.hears_it_go_on(fault)
            os.kill(engine, signal.SIGTERM)
        assert eventually(lambda: not alive(engine))
        assert listener.sounding == set()
        assert len(partner(take)) == len(listener.onsets)
    if keep_playing:
        heard = listener.moments(until=fault.began)
        assert in_step(partner(take), partner(take)[len(heard) - 1])
        assert same_grid(heard, listener.moments(since=fault.settled))


def test_the_engine_is_killed(
    open_window: Callable[..., Window], take: Path, midi_peer: Callable[[str, str], MidiPeer]
) -> None:
    expander = midi_peer("record", "expander")
    window = open_window(outputs=["expander"])
    assert eventually(lambda: sounding(expander.received), SLOW)
    first = window.engine
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert eventually(lambda: sounding(expander.received) == set(), SLOW)
    assert eventually(take.exists, SLOW)
    assert eventually(lambda: window.engine not in (None, first), SLOW)
    assert "libjack" not in Path(f"/proc/{window.process.pid}/maps").read_text(), "the panel stays clear of it"
    before = n_onsets(expander)
    assert eventually(lambda: n_onsets(expander) >= before + 8 * MANY, SLOW)
    assert window.close() == 0
    assert eventually(lambda: sounding(expander.received) == set(), SLOW)
    assert partner(take)
    assert in_step(partner(take.with_name("take-2.mid")), 0.0)
