"""Real ports on a real JACK server, other processes at their ends, cables pulled, servers killed."""

import re
import time
from collections.abc import Callable, Iterator

import pytest
from jack_machine import JackServer, MidiPeer, eventually
from jam import sounding

from improv.errors import ImprovError
from improv.live.ports import Patchbay, Port, PortList
from improv.live.ports.backend import choose_backend, discard
from improv.live.ports.patchbay import POLL_SECONDS

pytestmark = pytest.mark.jack

Start = Callable[[str, str], MidiPeer]
ON, OFF, CLOCK = b"\x90\x3c\x40", b"\x80\x3c\x00", b"\xf8"
ALL_NOTES_OFF = b"\xb0\x7b\x00"


class Ear:
    """Keeps what an input heard."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.messages: list[bytes] = []

    def __call__(self, seconds: float, message: bytes) -> None:
        self.seconds.append(seconds)
        self.messages.append(message)


class Changes:
    """Keeps what a patchbay said."""

    def __init__(self) -> None:
        self.ports: list[tuple[str, bool]] = []
        self.lists: list[PortList] = []

    def on_change(self, port: Port, connected: bool) -> None:
        self.ports.append((port.kind, connected))

    def on_list(self, ports: PortList) -> None:
        self.lists.append(ports)


@pytest.fixture
def changes() -> Changes:
    return Changes()


@pytest.fixture
def patchbay(jack_server: JackServer, changes: Changes) -> Iterator[Patchbay]:
    with Patchbay(changes.on_change, changes.on_list) as patchbay:
        yield patchbay
    assert not [port for port in jack_server.ports() if port.startswith("improv")]


def notes(n: int) -> list[bytes]:
    """n different note-ons."""
    return [bytes([0x90, 1 + k % 127, 1 + k // 127]) for k in range(n)]


def test_a_keyboard_plugged_into_our_input_is_heard_in_order_and_in_time(
    jack_server: JackServer, patchbay: Patchbay, midi_peer: Start
) -> None:
    ear, keyboard = Ear(), midi_peer("play", "keyboard")
    port = patchbay.open_input("virtual", ear)
    jack_server.connect(keyboard.port, port.name)
    before = time.perf_counter()
    keyboard.send(*notes(300))
    assert eventually(lambda: len(ear.messages) >= 300)
    assert ear.messages == notes(300)
    assert ear.seconds == sorted(ear.seconds)
    assert before < ear.seconds[0] <= ear.seconds[-1] < time.perf_counter()


def test_what_we_send_arrives_exactly(jack_server: JackServer, patchbay: Patchbay, midi_peer: Start) -> None:
    recorder, output = midi_peer("record", "daw"), patchbay.open_output("virtual")
    jack_server.connect("improv:out", recorder.port)  # the name that DAW scripts rely on
    for message in notes(2000):
        output.send(message)
    assert eventually(lambda: len(recorder.received) >= 2000)
    assert recorder.received == notes(2000)


def test_what_is_sent_just_before_closing_still_arrives(patchbay: Patchbay, midi_peer: Start) -> None:
    recorder = midi_peer("record", "daw")
    output = patchbay.open_output("daw")
    output.send(ON)
    output.send(OFF)
    output.close()
    assert eventually(lambda: len(recorder.received) >= 2)
    assert recorder.received == [ON, OFF]


def test_other_programs_ports_are_listed_and_our_own_are_not(patchbay: Patchbay, midi_peer: Start) -> None:
    midi_peer("play", "keyboard")
    midi_peer("record", "daw")
    patchbay.open_input("virtual", Ear())
    patchbay.open_output("virtual")
    assert patchbay.list_ports() == PortList("JACK", ["keyboard:out"], ["daw:in"], virtual=True)


@pytest.mark.usefixtures("jack_server")
@pytest.mark.parametrize("kind", ["input", "output"])
def test_ports_are_listed_as_rtmidi_does_it_without_its_help(midi_peer: Start, kind: str) -> None:
    midi_peer("play", "keyboard")
    midi_peer("record", "daw")
    backend = choose_backend()
    pulse, lister = backend.pulse(), {"input": backend.new_input, "output": backend.new_output}[kind]("lister")
    eventually(lambda: pulse.ports(kind) is not None)
    assert pulse.ports(kind) == lister.get_ports()
    assert len(lister.get_ports()) >= 1
    discard(lister)


def test_cables_to_our_virtual_ports_are_listed_and_laid_again_for_the_next(
    jack_server: JackServer, patchbay: Patchbay, midi_peer: Start, changes: Changes
) -> None:
    keyboard, daw = midi_peer("play", "keyboard"), midi_peer("record", "daw")
    player, partner = patchbay.open_input("virtual", Ear()), patchbay.open_output("virtual")
    jack_server.connect(keyboard.port, player.name)
    jack_server.connect(partner.name, daw.port)
    cables = {"input": [keyboard.port], "output": [daw.port]}
    assert eventually(lambda: changes.lists and changes.lists[-1].cables == cables)
    player.close()
    partner.close()
    assert eventually(lambda: changes.lists[-1].cables == {})
    ear = Ear()
    with Patchbay(cables=cables) as another:
        another.open_input("virtual", ear)
        again = another.open_output("virtual")
        assert eventually(lambda: another.list_ports().cables == cables)
        keyboard.send(ON)
        again.send(OFF)
        assert eventually(lambda: ear.messages == [ON])
        assert eventually(lambda: OFF in daw.received)


def test_a_cable_whose_other_end_is_gone_is_not_laid(patchbay: Patchbay, midi_peer: Start) -> None:
    daw = midi_peer("record", "daw")
    with Patchbay(cables={"output": ["nobody:in", daw.port]}) as another:
        output = another.open_output("virtual")
        assert output.connected
        assert patchbay.list_ports().outputs == [daw.port]
        assert eventually(lambda: another.list_ports().cables == {"output": [daw.port]})


def test_a_port_opens_by_a_part_of_its_name(patchbay: Patchbay, midi_peer: Start) -> None:
    ear, keyboard = Ear(), midi_peer("play", "Grand Keyboard")
    port = patchbay.open_input("keyb", ear)
    assert (port.name, port.connected) == ("Grand Keyboard:out", True)
    keyboard.send(ON)
    assert eventually(lambda: ear.messages == [ON])


def test_a_keyboard_that_is_not_there_yet_is_told_in_one_line_and_heard_when_it_comes(
    patchbay: Patchbay, midi_peer: Start, changes: Changes
) -> None:
    midi_peer("play", "keyboard")
    ear = Ear()
    port = patchbay.open_input("organ", ear)
    assert (
        port.trouble == "no MIDI input is named 'organ'; there is 'keyboard:out'; it will be used as soon as it can be"
    )
    assert changes.ports == [("input", False)]
    organ = midi_peer("play", "organ")
    assert eventually(lambda: changes.ports == [("input", False), ("input", True)])
    organ.send(ON)
    assert eventually(lambda: ear.messages == [ON])


def test_a_name_that_several_ports_have_is_refused_in_one_line(patchbay: Patchbay, midi_peer: Start) -> None:
    midi_peer("play", "upper organ")
    midi_peer("play", "lower organ")
    with pytest.raises(ImprovError, match=r"'organ' could be any of .*'upper organ:out'.*: name more of it"):
        patchbay.open_input("organ", Ear())


@pytest.mark.parametrize("name", ["improv-nobody", "n" * 120], ids=["unknown", "too long"])
def test_without_a_midi_system_the_message_says_what_to_do(
    jack_server: JackServer,  # noqa: ARG001 - chooses JACK
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    monkeypatch.setenv("JACK_DEFAULT_SERVER", name)
    with Patchbay() as patchbay:
        assert patchbay.list_ports() == PortList("", [], [], virtual=False)
        trouble = patchbay.open_output("virtual").trouble
        assert re.match(r"no MIDI system is running \(tried JACK\): .*snd-seq.*jackd", trouble)


def test_an_unplugged_keyboard_is_noticed_and_plays_again_when_it_is_back(
    patchbay: Patchbay, midi_peer: Start, changes: Changes
) -> None:
    ear, keyboard = Ear(), midi_peer("play", "keyboard")
    port = patchbay.open_input("keyboard", ear)
    assert eventually(lambda: [ports.inputs for ports in changes.lists[-1:]] == [["keyboard:out"]])
    keyboard.close()
    assert eventually(lambda: changes.ports == [("input", False)])
    assert not port.connected
    assert eventually(lambda: changes.lists[-1].inputs == [])
    keyboard = midi_peer("play", "keyboard")
    assert eventually(lambda: changes.ports == [("input", False), ("input", True)])
    keyboard.send(ON)
    assert eventually(lambda: ear.messages == [ON])
    assert eventually(lambda: changes.lists[-1].inputs == ["keyboard:out"])


def test_a_killed_daw_is_noticed_and_played_to_again_when_it_is_back(
    patchbay: Patchbay, midi_peer: Start, changes: Changes
) -> None:
    daw = midi_peer("record", "daw")
    output = patchbay.open_output("daw")
    daw.kill()
    assert eventually(lambda: changes.ports == [("output", False)])
    output.send(ON)  # goes nowhere, harmlessly
    daw = midi_peer("record", "daw")
    assert eventually(lambda: changes.ports == [("output", False), ("output", True)])
    output.send(OFF)
    assert eventually(lambda: daw.received == [OFF])


def test_a_killed_jack_server_is_noticed_and_ports_return_with_it(
    jack_server: JackServer, patchbay: Patchbay, changes: Changes, capfd: pytest.CaptureFixture[str]
) -> None:
    ear = Ear()
    listener, output = patchbay.open_input("virtual", ear), patchbay.open_output("virtual")
    jack_server.kill()
    for _ in range(10_000):  # rtmidi would wait for ever when its ring is full
        output.send(ON)
    assert eventually(lambda: changes.ports == [("input", False), ("output", False)])
    assert eventually(lambda: [ports.backend for ports in changes.lists[-1:]] == [""])
    jack_server.restart()
    assert eventually(lambda: changes.ports[2:] == [("input", True), ("output", True)])
    jack_server.connect(output.name, listener.name)
    output.send(OFF)
    assert eventually(lambda: ear.messages == [OFF])
    assert capfd.readouterr().err == ""


def test_a_jack_server_restarted_at_once_is_noticed_too(
    jack_server: JackServer, patchbay: Patchbay, changes: Changes
) -> None:
    patchbay.open_output("virtual")
    jack_server.kill()
    jack_server.restart()
    assert eventually(lambda: changes.ports == [("output", False), ("output", True)])
    assert "improv:out" in jack_server.ports()


def test_a_patchbay_opened_before_the_server_finds_it(jack_server: JackServer, changes: Changes) -> None:
    jack_server.kill()
    with Patchbay(on_list=changes.on_list) as patchbay:
        jack_server.restart()
        assert eventually(lambda: [ports.backend for ports in changes.lists] == ["JACK"])
        assert patchbay.open_output("virtual").connected


def test_a_port_opened_before_the_server_is_there_when_that_is(jack_server: JackServer, changes: Changes) -> None:
    jack_server.kill()
    with Patchbay(changes.on_change) as patchbay:
        output = patchbay.open_output("virtual")
        assert not output.connected
        jack_server.restart()
        assert eventually(lambda: changes.ports == [("output", False), ("output", True)])
        assert "improv:out" in jack_server.ports()


def test_a_server_that_stalls_keeps_nobody_waiting_and_no_note_sounding(
    jack_server: JackServer, patchbay: Patchbay, midi_peer: Start, changes: Changes
) -> None:
    daw = midi_peer("record", "daw")
    output = patchbay.open_output("daw")
    output.send(ON)
    assert eventually(lambda: daw.received == [ON])
    with jack_server.stalled():
        for message in notes(10_000):  # rtmidi would wait when its ring is full
            output.send(message)
        output.send(OFF)
        assert eventually(lambda: changes.ports == [("output", False)])
        assert "JACK has stalled" in output.trouble
    assert eventually(lambda: changes.ports == [("output", False), ("output", True)])
    assert eventually(lambda: sounding(daw.received) == set())
    output.send(ON)
    assert eventually(lambda: daw.received[-1] == ON)


def test_what_sounded_when_the_synthesiser_was_unplugged_is_ended_when_it_is_back(
    patchbay: Patchbay, midi_peer: Start, changes: Changes
) -> None:
    expander = midi_peer("record", "expander")
    output = patchbay.open_output("expander")
    output.send(ON)
    assert eventually(lambda: expander.received == [ON])
    expander.close()
    assert eventually(lambda: changes.ports == [("output", False)])
    output.send(OFF)
    expander = midi_peer("record", "expander")
    assert eventually(lambda: expander.received == [OFF])


def test_ports_open_and_close_on_a_stalled_server_as_soon_as_it_goes_on(
    jack_server: JackServer, patchbay: Patchbay, changes: Changes
) -> None:
    old = patchbay.open_output("virtual")
    with jack_server.stalled():
        old.close()
        new = patchbay.open_input("virtual", Ear())
        assert "stalled" in new.trouble
    assert eventually(lambda: new.connected)
    assert eventually(lambda: "improv:out" not in jack_server.ports())
    assert changes.ports[-1] == ("input", True)


def test_bytes_that_make_no_sense_are_survived(jack_server: JackServer, patchbay: Patchbay, midi_peer: Start) -> None:
    ear, keyboard = Ear(), midi_peer("play", "keyboard")
    jack_server.connect(keyboard.port, patchbay.open_input("virtual", ear).name)
    keyboard.send(b"\x3c", b"\x90", b"\xf8", b"\xfe", b"\xf4", b"\xff", b"\xf7", b"\x3c\x40")
    keyboard.send(*[b"\xf0" + bytes(100) + b"\xf7"] * 50, ON)
    assert eventually(lambda: ear.messages[-1:] == [ON])


def test_a_sysex_that_never_ends_swallows_nothing(
    jack_server: JackServer, patchbay: Patchbay, midi_peer: Start
) -> None:
    ear, keyboard = Ear(), midi_peer("play", "keyboard")
    jack_server.connect(keyboard.port, patchbay.open_input("virtual", ear).name)
    keyboard.send(b"\xf0\x01\x02", ON, CLOCK, OFF)
    assert eventually(lambda: [message for message in ear.messages if message != CLOCK] == [ON, OFF])


def test_ports_close_and_open_under_a_flood(patchbay: Patchbay, midi_peer: Start) -> None:
    keyboard = midi_peer("play", "keyboard")
    for _ in range(10):
        ear = Ear()
        port = patchbay.open_input("keyboard", ear)
        keyboard.send(*notes(500))
        assert eventually(lambda ear=ear: len(ear.messages) > 10)
        port.close()


def test_a_keyboard_that_plays_and_goes_between_two_looks_lets_go_of_its_keys(
    patchbay: Patchbay, jack_server: JackServer, midi_peer: Start
) -> None:
    ear = Ear()
    port = patchbay.open_input("virtual", ear)
    with patchbay._lock:  # it looks afterwards
        keyboard = midi_peer("play", "keyboard")
        jack_server.connect(keyboard.port, port.name)
        keyboard.send(ON)
        assert eventually(lambda: ear.messages == [ON])
        keyboard.kill()
        assert eventually(lambda: keyboard.port not in jack_server.ports())
    assert eventually(lambda: ear.messages == [ON, ALL_NOTES_OFF])


def test_a_keyboard_that_stays_holds_its_keys(patchbay: Patchbay, jack_server: JackServer, midi_peer: Start) -> None:
    ear = Ear()
    port, keyboard = patchbay.open_input("virtual", ear), midi_peer("play", "keyboard")
    jack_server.connect(keyboard.port, port.name)
    assert eventually(lambda: patchbay.list_ports().cables.get("input"))
    for _ in range(3):
        keyboard.send(ON)
        time.sleep(2 * POLL_SECONDS)
    assert ear.messages == [ON] * 3
