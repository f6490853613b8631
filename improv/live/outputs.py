"""Everything the music goes out to: MIDI ports, and the instrument that sounds here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from threading import Thread
from typing import Protocol

from improv.errors import ImprovError
from improv.live.clock import Inbox

NOTE_OFF, NOTE_ON, CONTROL = 0x80, 0x90, 0xB0
SUSTAIN, ALL_SOUND_OFF, ALL_NOTES_OFF = 64, 120, 123
PLAYER_CHANNEL, PARTNER_CHANNEL = 0, 1
VIRTUAL, SYNTH = "virtual", "synth"


class Output(Protocol):
    """One end: a port of improv.live.ports, or the synth."""

    @property
    def connected(self) -> bool:
        """Whether what is sent arrives."""

    def send(self, message: bytes) -> None:
        """Sends one MIDI message; never blocks, never raises."""

    def close(self) -> None:
        """Lets go of it."""


def note_message(channel: int, pitch: int, velocity: int) -> bytes:
    """A note-on, or a note-off where `velocity` is 0."""
    return bytes([(NOTE_ON if velocity else NOTE_OFF) | channel, pitch, velocity])


@dataclass(frozen=True)
class Opened:
    """An output could be opened."""

    name: str
    output: Output


@dataclass(frozen=True)
class Unopened:
    """The port `name` could not be opened; `text` says why in one line."""

    name: str
    text: str


def silence_output(output: Output) -> None:
    """Ends every note on every channel of `output`."""
    for channel in range(16):
        for controller in (SUSTAIN, ALL_NOTES_OFF, ALL_SOUND_OFF):
            output.send(bytes([CONTROL | channel, controller, 0]))


class Outputs:
    """The open outputs by the name they were asked for. The synth sounds both parts, a port the partner's alone.

    Opening and closing take their time (a synth starts a process), so that is done in threads, and what was opened
    arrives in the loop's inbox.

    Args:
        open_one: opens the output of a name, or raises ImprovError.
        inbox: where Opened and Unopened go.
        in_background: runs a function beside the loop.
    """

    def __init__(
        self, open_one: Callable[[str], Output], inbox: Inbox, in_background: Callable[[Callable[[], None]], None]
    ) -> None:
        self._open_one, self._inbox, self._in_background = open_one, inbox, in_background
        self._open: dict[str, Output] = {}
        self._wanted: set[str] = set()

    @property
    def waiting(self) -> bool:
        """Whether an output is still being opened."""
        return self._wanted > self._open.keys()

    def set(self, names: list[str]) -> None:
        """Has exactly `names` open, soon; what is open already is left alone."""
        for name in [name for name in self._open if name not in names]:
            output = self._open.pop(name)
            silence_output(output)
            self._in_background(output.close)
        for name in set(names) - self._wanted:
            self._in_background(partial(self._open_beside, name))
        self._wanted = set(names)

    def _open_beside(self, name: str) -> None:
        try:
            self._inbox.put(Opened(name, self._open_one(name)))
        except ImprovError as error:
            self._inbox.put(Unopened(name, str(error)))
        except Exception as error:  # whatever it is, nobody may wait for this output any longer
            self._inbox.put(Unopened(name, f"cannot open {name}: {str(error) or type(error).__name__}"))

    def opened(self, item: Opened) -> None:
        """Uses what was opened, unless it is not wanted any more."""
        if item.name not in self._wanted or item.name in self._open:
            self._in_background(item.output.close)
            return
        self._open[item.name] = item.output
        silence_output(item.output)  # whatever an earlier session may have left sounding there

    def unopened(self, item: Unopened) -> None:
        """Goes on without it."""
        self._wanted.discard(item.name)

    def states(self) -> dict[str, bool]:
        """Whether each is connected."""
        return {name: output.connected for name, output in self._open.items()}

    def partner(self, pitch: int, velocity: int) -> None:
        """A note of the partner begins, or ends where velocity is 0."""
        for name, output in self._open.items():
            output.send(note_message(PARTNER_CHANNEL if name == SYNTH else 0, pitch, velocity))

    def player(self, pitch: int, velocity: int) -> None:
        """A note of the player, heard through the synth alone."""
        if SYNTH in self._open:
            self._open[SYNTH].send(note_message(PLAYER_CHANNEL, pitch, velocity))

    def pedal(self, value: int) -> None:
        """The player's sustain pedal, 0..127, heard through the synth alone."""
        if SYNTH in self._open:
            self._open[SYNTH].send(bytes([CONTROL | PLAYER_CHANNEL, SUSTAIN, value]))

    def silence(self) -> None:
        """Ends every note on every channel of every output."""
        for output in self._open.values():
            silence_output(output)

    def close(self) -> None:
        """Silences and closes them all, each beside the others; returns when that is done."""
        self.silence()
        closing = [Thread(target=output.close, name="closing", daemon=True) for output in self._open.values()]
        for thread in closing:
            thread.start()
        for thread in closing:
            thread.join()
        self._open.clear()
        self._wanted.clear()
