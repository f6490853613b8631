"""What goes wrong on a stage: the music survives what it can, no note is left sounding, and the take is kept."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from jack_machine import JackServer, MidiPeer, eventually, missing
from jam import INPUT, SLOW, Fault, Jam, Listener, kept_in, sounding
from processes import alive
from timing import MANY, TEMPO, burst, in_step, same_grid

from improv.music.journal import journal_of
from improv.music.midifile import read_score
from improv.music.score import Note

pytestmark = pytest.mark.jack

Peers = Callable[[str, str], MidiPeer]
CROWD = 20  # notes at once, which only a burst can be: a frame has two or three, two seconds have sixteen frames
TOUCHED = bytes([0x90, 100, 101])  # a note that nobody else plays


@pytest.fixture
def take(tmp_path: Path) -> Path:
    """Where the take goes."""
    return tmp_path / "take.mid"


@pytest.fixture
def jam(jack_server: JackServer, tiny_model: Path, take: Path) -> Iterator[Jam]:  # noqa: ARG001 - must run first
    """A partner that plays alone, on and on."""
    options = ("--model", tiny_model, "--output", "virtual", "--record", take, "--seed", 1)
    with Jam(*options, "--mode", "solo", "--tempo", TEMPO) as running:
        yield running


@pytest.fixture
def listener(jam: Jam) -> Iterator[Listener]:
    """One who hears it, and has heard it begin."""
    with Listener() as hearing:
        hearing.attach()
        assert jam.says("playing")
        assert hearing.hears_more(MANY)
        yield hearing


@pytest.fixture
def keyboard(jack_server: JackServer, listener: Listener, midi_peer: Peers) -> MidiPeer:  # noqa: ARG001 - comes later
    """A keyboard plugged into it."""
    peer = midi_peer("play", "keyboard")
    jack_server.connect(peer.port, INPUT)
    return peer


@pytest.fixture
def clock_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file by whose seconds the wall clock of every program is moved that is started from here on."""
    compiler, library, file = shutil.which("cc"), tmp_path / "clock_step.so", tmp_path / "step"
    if compiler is None or sys.platform != "linux":
        missing("there is no C compiler to build what moves the clock")
    source = Path(__file__).with_name("clock_step.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True, timeout=60)
    monkeypatch.setenv("CLOCK_STEP", str(file))
    monkeypatch.setenv("LD_PRELOAD", str(library))
    file.write_text("86400")
    told = subprocess.run([sys.executable, "-c", "import time; print(time.time())"], capture_output=True, check=True)
    assert float(told.stdout) > time.time() + 86000
    file.write_text("0")
    return file


def touch(keyboard: MidiPeer) -> None:
    """Marks this moment in the take."""
    keyboard.send(TOUCHED, bytes([0x80, TOUCHED[1], 0]))


def noted(take: Path, pitch: int, velocity: int = 0) -> bool:
    """Whether the last that is known of the player is that note; without a velocity, its end."""
    lines = [json.loads(line) for line in journal_of(take).read_bytes().split(b"\n")[:-1]]
    return [line[2:4] for line in lines if line[:2] == ["note", "player"]][-1:] == [[pitch, velocity]]


def part(take: Path, track: int) -> list[Note]:
    """The notes of the player (1) or the partner (2)."""
    return [note for note in read_score(take).notes if note.track == track]


def onsets(take: Path) -> list[float]:
    """The beats at which the partner's notes begin."""
    return [note.onset for note in part(take, 2)]


def in_step_since_touched(take: Path) -> bool:
    """Whether by the take the partner was on the grid a bar after the player's last note, and stayed there."""
    return in_step(onsets(take), part(take, 1)[-1].onset)


def in_step_since(heard: int, take: Path) -> bool:
    """Whether by the take the partner was on the grid a bar after its onset number `heard`, and stayed there."""
    return in_step(onsets(take), onsets(take)[heard])


def stayed_in_step(listener: Listener, fault: Fault, take: Path) -> bool:
    """Whether a bar after the fault had begun the partner was on the grid and stayed there, by the take, and by the
    listener's clock on the same as before."""
    heard = len(listener.moments(until=fault.began))
    return in_step_since(heard - 1, take) and on_the_same_grid(listener, fault)


def on_the_same_grid(listener: Listener, fault: Fault) -> bool:
    """Whether by the listener's clock the partner, a bar after the fault, was on the grid that it was on before."""
    return same_grid(listener.moments(until=fault.began), listener.moments(since=fault.settled))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_in_good_order(jam: Jam, listener: Listener, take: Path, number: signal.Signals) -> None:
    assert jam.end(number) == 0
    assert listener.sounding == set()
    assert len(part(take, 2)) == len(listener.onsets)
    assert jam.said[-1] == f"take kept in {take}"


def test_the_front_is_killed(jam: Jam, listener: Listener, take: Path) -> None:
    engine = jam.engine
    jam.process.kill()
    assert eventually(lambda: not alive(engine))
    assert listener.sounding == set()
    assert len(part(take, 2)) == len(listener.onsets)
    assert jam.says(f"take kept in {take}")


@pytest.mark.usefixtures("jack_server")
def test_the_front_is_killed_and_the_partner_plays_on(tiny_model: Path, take: Path) -> None:
    options = ("--model", tiny_model, "--output", "virtual", "--record", take, "--mode", "solo", "--keep-playing")
    with Listener() as listener, Jam(*options) as jam:
        listener.attach()
        assert listener.hears_more(MANY)
        engine = jam.engine
        with Fault() as fault:
            jam.process.kill()
        try:
            assert jam.says(f"playing on alone, in process {engine}")
            assert listener.hears_it_go_on(fault)
        finally:
            os.kill(engine, signal.SIGTERM)
        assert eventually(lambda: not alive(engine))
        assert jam.says(f"take kept in {take}")
        assert listener.sounding == set()
    assert len(part(take, 2)) == len(listener.onsets)
    assert stayed_in_step(listener, fault, take)


def test_the_engine_is_killed(jam: Jam, listener: Listener, take: Path) -> None:
    os.kill(jam.engine, signal.SIGKILL)
    assert jam.wait() == 1
    assert jam.said[-2:] == [f"take kept in {take}", "improv: the engine was killed"]
    assert kept_in([note.onset for note in part(take, 2)], len(listener.onsets))
    assert eventually(lambda: listener.sounding == set()), "what was connected to the port that is gone"


def test_the_front_stalls(jam: Jam, listener: Listener, keyboard: MidiPeer, take: Path) -> None:
    with Fault() as fault:
        jam.process.send_signal(signal.SIGSTOP)
        try:
            keyboard.send(*[bytes([0x90, 100, velocity]) for velocity in (0, 1)] * 2000)  # more than a pipe can hold
            time.sleep(1.0)
            assert listener.hears_more()
        finally:
            jam.process.send_signal(signal.SIGCONT)
    assert listener.hears_it_go_on(fault)
    assert jam.end() == 0
    assert listener.sounding == set()
    assert stayed_in_step(listener, fault, take)


def test_the_engine_stalls(jam: Jam, listener: Listener, keyboard: MidiPeer, take: Path) -> None:
    engine = jam.engine
    with Fault() as fault:
        os.kill(engine, signal.SIGSTOP)
        time.sleep(2.0)
        os.kill(engine, signal.SIGCONT)
    assert listener.hears_more()  # JACK keeps nothing for a client that stands still
    touch(keyboard)
    assert listener.hears_it_go_on(fault)
    assert jam.end() == 0
    assert listener.sounding == set()
    assert burst(onsets(take)) < CROWD
    assert in_step_since_touched(take)
    assert on_the_same_grid(listener, fault)


@pytest.mark.parametrize("seconds", [4, pytest.param(60, marks=pytest.mark.slow)])
def test_the_machine_is_suspended(
    jack_server: JackServer, jam: Jam, listener: Listener, keyboard: MidiPeer, take: Path, seconds: float
) -> None:
    """As far as a test can suspend it: all that plays stands still, JACK and improv, but the clock goes on.

    In a real suspend Linux's CLOCK_MONOTONIC stands still as well, and improv does not even notice; elsewhere, and by
    CLOCK_BOOTTIME, it goes on as here. Both are in test_engine, on a virtual clock.
    """
    family = jam.family
    with Fault() as fault, jack_server.stalled():
        for pid in family:
            os.kill(pid, signal.SIGSTOP)
        touch(keyboard)
        time.sleep(seconds)
        for pid in family:
            os.kill(pid, signal.SIGCONT)
    assert listener.hears_more()
    touch(keyboard)
    assert listener.hears_it_go_on(fault)
    assert jam.end() == 0
    assert listener.sounding == set()
    assert burst(onsets(take)) < CROWD
    assert in_step_since_touched(take)
    assert on_the_same_grid(listener, fault)
    assert max(onsets(take)) > seconds * TEMPO / 60, "the beat has gone on meanwhile"


def test_the_clock_of_the_system_is_set(
    jack_server: JackServer, tiny_model: Path, take: Path, midi_peer: Peers, clock_step: Path
) -> None:
    options = ("--model", tiny_model, "--output", "virtual", "--record", take, "--mode", "solo", "--tempo", TEMPO)
    with Listener() as listener, Jam(*options) as jam:
        listener.attach()
        keyboard = midi_peer("play", "keyboard")
        jack_server.connect(keyboard.port, INPUT)
        assert listener.hears_more(MANY)
        assert "clock_step" in Path(f"/proc/{jam.engine}/maps").read_text()
        faults = [Fault() for _ in range(3)]
        for fault, hours in zip(faults, (1, -24, 0), strict=True):
            with fault:
                clock_step.write_text(str(3600 * hours))
            touch(keyboard)
            assert listener.hears_it_go_on(fault)
        assert jam.end() == 0
        assert listener.sounding == set()
    assert all(stayed_in_step(listener, fault, take) for fault in faults)
    assert len(part(take, 2)) == len(listener.onsets)
    marks, end = [note.onset for note in part(take, 1)], part(take, 2)[-1].onset
    assert 0 < marks[0] < marks[1] < marks[2] < end, "the player's notes, too, are stamped as if nothing had been"


def test_the_jack_server_is_killed(jack_server: JackServer, jam: Jam, listener: Listener, take: Path) -> None:
    with Fault() as fault:
        heard = len(listener.onsets)
        jack_server.kill()
        assert jam.says("virtual is gone")
        time.sleep(1.0)
        jack_server.restart()
        assert jam.says("virtual is connected")
    with Listener("another") as another:
        another.attach()
        assert INPUT in jack_server.ports()
        assert another.hears_it_go_on(fault)
        assert jam.end() == 0
        assert another.sounding == set()
    assert len(part(take, 2)) >= heard + len(another.onsets)
    assert in_step_since(heard - 1, take)
    assert same_grid(listener.moments(until=fault.began), another.moments(since=fault.settled))
    assert len([line for line in jam.said if "virtual" in line and "playing" not in line]) == 2


def test_the_jack_server_stalls(jack_server: JackServer, jam: Jam, listener: Listener, take: Path) -> None:
    with Fault() as fault:
        with jack_server.stalled():
            assert jam.says("virtual is silent: JACK has stalled")
            time.sleep(1.0)
        assert jam.says("virtual is connected")
    assert listener.hears_it_go_on(fault)
    assert jam.end() == 0
    assert listener.sounding == set()
    assert len(part(take, 2)) > len(listener.onsets)  # it played on meanwhile
    assert stayed_in_step(listener, fault, take)


def test_it_is_stopped_while_the_jack_server_stalls(jack_server: JackServer, tiny_model: Path, take: Path) -> None:
    options = ("--model", tiny_model, "--output", "virtual", "--output", "synth", "--record", take, "--mode", "solo")
    with Jam(*options) as jam:
        assert jam.says("playing")
        with jack_server.stalled():
            assert jam.says("virtual is silent: JACK has stalled")
            assert jam.end() == 0
    assert jam.said[-1] == f"take kept in {take}"


def test_the_jack_server_comes_late(jack_server: JackServer, tiny_model: Path, take: Path) -> None:
    jack_server.kill()
    with Jam("--model", tiny_model, "--output", "virtual", "--record", take, "--mode", "solo") as jam:
        assert jam.says("no MIDI system is running")
        assert jam.says("playing")
        jack_server.restart()
        assert jam.says("virtual is connected")
        with Listener() as listener:
            listener.attach()
            assert listener.hears_more()
            assert jam.end() == 0
            assert listener.sounding == set()
    assert len([line for line in jam.said if "no MIDI system is running" in line]) == 1


@pytest.mark.usefixtures("jack_server")
def test_the_keyboard_comes_late(tiny_model: Path, take: Path, midi_peer: Peers) -> None:
    options = ("--model", tiny_model, "--output", "virtual", "--record", take)
    with Jam(*options, "--input", "organ") as jam:
        assert jam.says("no MIDI input is named 'organ'")
        assert jam.says("playing")
        organ = midi_peer("play", "organ")
        assert jam.says("organ is connected")
        touch(organ)
        assert eventually(lambda: noted(take, TOUCHED[1]))
        assert jam.end() == 0
    assert [note.pitch for note in part(take, 1)] == [TOUCHED[1]]


@pytest.mark.usefixtures("jack_server")
def test_the_engine_is_killed_while_a_synthesiser_sounds(tiny_model: Path, take: Path, midi_peer: Peers) -> None:
    expander = midi_peer("record", "expander")
    options = ("--model", tiny_model, "--output", "expander", "--record", take, "--mode", "solo")
    with Jam(*options, "--tempo", 30) as jam:
        assert eventually(lambda: sounding(expander.received), SLOW)
        os.kill(jam.engine, signal.SIGKILL)
        assert jam.wait() == 1
    assert eventually(lambda: sounding(expander.received) == set())


def test_the_keyboard_is_killed_with_a_key_down(
    jack_server: JackServer, jam: Jam, listener: Listener, keyboard: MidiPeer, midi_peer: Peers, take: Path
) -> None:
    keyboard.send(TOUCHED)
    assert eventually(lambda: noted(take, *TOUCHED[1:]))
    time.sleep(3.0)  # for the keyboard to be seen, which is looked for twice a second
    with Fault() as fault:
        keyboard.kill()
        assert eventually(lambda: noted(take, TOUCHED[1])), "the key that was down"
        again = midi_peer("play", "keyboard")
        jack_server.connect(again.port, INPUT)
    again.send(bytes([0x90, 99, 80]), bytes([0x80, 99, 0]))
    assert listener.hears_it_go_on(fault)
    assert jam.end() == 0
    assert listener.sounding == set()
    assert stayed_in_step(listener, fault, take)
    assert [note.pitch for note in part(take, 1)] == [100, 99]
    held, later = part(take, 1)
    assert held.end < later.onset


@pytest.mark.usefixtures("jack_server")
def test_the_keyboard_is_unplugged_with_a_key_down_and_plugged_in_again(
    tiny_model: Path, take: Path, midi_peer: Peers
) -> None:
    organ = midi_peer("play", "organ")
    options = ("--model", tiny_model, "--output", "virtual", "--record", take, "--input", "organ")
    with Listener() as listener, Jam(*options, "--mode", "solo", "--tempo", TEMPO) as jam:
        listener.attach()
        assert listener.hears_more(MANY)
        organ.send(TOUCHED)
        assert eventually(lambda: noted(take, *TOUCHED[1:]))
        with Fault() as fault:
            organ.close()
            assert jam.says("organ is gone")
            again = midi_peer("play", "organ")
            assert jam.says("organ is connected")
        again.send(bytes([0x90, 99, 80]), bytes([0x80, 99, 0]))
        assert listener.hears_it_go_on(fault)
        assert jam.end() == 0
        assert listener.sounding == set()
    held, later = part(take, 1)
    assert (held.pitch, later.pitch) == (TOUCHED[1], 99)
    assert held.end < later.onset
    assert stayed_in_step(listener, fault, take)


def test_any_bytes_arrive(jam: Jam, listener: Listener, keyboard: MidiPeer, take: Path) -> None:
    chance = random.Random(1)
    noise = [bytes(chance.randrange(256) for _ in range(chance.randint(1, 3))) for _ in range(1000)]
    noise += [b"\xf0" + bytes(chance.randrange(256) for _ in range(chance.randint(1, 400))) for _ in range(50)]
    noise += [b"\xf8", b"\xfe", b"\xff", b"\xfa"] * 250
    chance.shuffle(noise)
    with Fault() as fault:
        keyboard.send(*noise)
        keyboard.send(*[bytes([0x90, chance.randrange(128), chance.randrange(128)]) for _ in range(3000)])
        keyboard.send(*[bytes([0x80, pitch, 0]) for pitch in range(128)])
        time.sleep(1.0)
        touch(keyboard)
        assert eventually(lambda: noted(take, TOUCHED[1]))
    assert listener.hears_it_go_on(fault)
    assert jam.end() == 0
    assert listener.sounding == set()
    last = part(take, 1)[-1]
    assert (last.pitch, last.velocity) == (TOUCHED[1], TOUCHED[2])
    assert in_step_since_touched(take)
    assert on_the_same_grid(listener, fault)


def on_a_small_disk(folder: Path) -> list[str]:
    """What runs a command for which `folder` is a disk of its own, with room for 4 kB."""
    script = 'mount -t tmpfs -o size=64k improv "$0" && head -c 60k /dev/zero > "$0/ballast" && exec "$@"'
    command = ["unshare", "--mount", "sh", "-c", script, str(folder)]
    if sys.platform != "linux":
        pytest.skip("only Linux gives one program a disk that no other sees")
    tried = subprocess.run([*command, "true"], capture_output=True, text=True, timeout=SLOW, check=False)
    if tried.returncode:
        pytest.skip(f"no disk can be mounted here: {tried.stderr.strip()}")
    return command


@pytest.mark.usefixtures("jack_server")
def test_the_disk_is_full(tiny_model: Path, tmp_path: Path, music_folder: Path) -> None:
    disk, kept = tmp_path / "disk", music_folder / "improv" / "take.mid"
    disk.mkdir()
    options = ("--model", tiny_model, "--output", "virtual", "--record", disk / "take.mid", "--mode", "solo")
    with Listener() as listener, Jam(*options, within=on_a_small_disk(disk)) as jam:
        listener.attach()
        assert listener.hears_more(MANY)
        with Fault() as fault:
            assert jam.says("cannot record")
        assert listener.hears_it_go_on(fault)
        assert jam.end() == 1
        assert listener.sounding == set()
    problem = f"improv: cannot write {disk / 'take.mid'}: No space left on device; this take goes to {kept}"
    assert jam.said[-2:] == [problem, f"take kept in {kept}"]
    assert len([line for line in jam.said if "cannot record" in line]) == 1
    assert len(part(kept, 2)) == len(listener.onsets), "nothing is lost"
    assert stayed_in_step(listener, fault, kept)


@pytest.mark.usefixtures("jack_server")
@pytest.mark.parametrize(
    "wrong",
    [("--input", "nosuch.mid"), ("--model", "nosuch.pt")],
    ids=" ".join,
)
def test_a_wrong_name_is_told_in_one_line(tiny_model: Path, take: Path, wrong: tuple[str, str]) -> None:
    with Jam("--model", tiny_model, "--output", "virtual", "--record", take, *wrong) as jam:
        assert jam.wait() == 1
    assert len(jam.said) == 1
    assert "nosuch" in jam.said[0]


def test_there_is_no_midi_at_all(
    monkeypatch: pytest.MonkeyPatch, jack_server: JackServer, tiny_model: Path, take: Path
) -> None:
    monkeypatch.setenv("JACK_DEFAULT_SERVER", f"{jack_server.name}-is-not-there")
    demo = Path(__file__).parents[2] / "assets" / "demo.mid"
    with Jam("--model", tiny_model, "--input", demo, "--record", take, "--seconds", 3) as jam:
        assert jam.wait() == 0
    assert part(take, 1)
    assert part(take, 2)
    assert any("no MIDI system is running" in line for line in jam.said)
