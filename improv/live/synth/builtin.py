"""The process of the built-in instrument: raw MIDI on standard input, sound on the default device.

It says READY when it sounds, or FAILED and why; it fades out and ends when its input closes or its device is gone.
"""

import contextlib
import gc
import os
import sys
import threading
import time
from collections import deque
from types import ModuleType
from typing import Any

from improv.errors import ImprovError
from improv.live.synth.instrument import Synth
from improv.live.synth.midi import CHANNELS, CONTROL, NOTES_OFF, split
from improv.live.synth.program import FAILED, PRIORITY, READY
from improv.live.synth.voices import Audio

BLOCK = 256  # frames
PREFERRED = ("JACK Audio Connection Kit", "Windows WASAPI")  # lower latency than the platform's default
STALLED_SECONDS, FADE_SECONDS = 1.5, 1.5
INAUDIBLE = 1e-3


class Player:
    """A Synth that plays on a device. Messages come from one thread and are rendered in another.

    Args:
        sounddevice: the module.
        device: as sounddevice describes it.

    Raises:
        sounddevice.PortAudioError: the device can't be opened.
    """

    def __init__(self, sounddevice: ModuleType, device: dict[str, Any]) -> None:
        self.peak = 0.0
        self.blocks = 0
        self._messages: deque[bytes] = deque()
        self._synth = Synth(device["default_samplerate"])
        _hurry()
        self._stream = sounddevice.OutputStream(
            samplerate=device["default_samplerate"],
            blocksize=BLOCK,
            device=device["index"],
            channels=min(2, device["max_output_channels"]),
            dtype="float32",
            latency="low",
            callback=self._render,
        )
        self._stream.start()

    def send(self, message: bytes) -> None:
        """Play one whole channel message from the next block on."""
        self._messages.append(message)

    def fade(self) -> None:
        """Release every note and wait until none can be heard."""
        for channel in range(CHANNELS):
            self.send(bytes([CONTROL | channel, NOTES_OFF, 0]))
        end, begun = time.monotonic() + FADE_SECONDS, self.blocks
        while time.monotonic() < end and (self.blocks < begun + 2 or self.peak > INAUDIBLE):
            time.sleep(0.01)

    def _render(self, out: Audio, n_frames: int, _time: Any, _status: Any) -> None:
        while self._messages:
            self._synth.send(self._messages.popleft())
        sound = self._synth.render(n_frames)
        out[:] = sound if out.shape[1] == 2 else sound.mean(axis=1, keepdims=True)
        self.peak = float(abs(sound).max())
        self.blocks += 1


def open_player() -> Player:
    """A player on the first output device that opens, those of the preferred sound systems first.

    Raises:
        ImprovError: there is none.
    """
    try:
        import sounddevice
    except OSError as error:  # the module has no PortAudio of its own on Linux
        raise ImprovError("PortAudio is missing; on Debian and Ubuntu: sudo apt-get install libportaudio2") from error
    reason = "there is no sound device"
    systems = sounddevice.query_hostapis()
    defaults = [system["default_output_device"] for system in sorted(systems, key=_preference)]
    for index in (index for index in defaults if index >= 0):
        try:
            return Player(sounddevice, sounddevice.query_devices(index))
        except sounddevice.PortAudioError as error:
            reason = str(error)
    raise ImprovError(reason)


def main() -> int:
    """Play until the input closes (0) or the device is gone (1)."""
    try:
        player = open_player()
    except ImprovError as error:
        print(f"{FAILED}{error}", flush=True)
        return 1
    gc.freeze()
    gc.disable()  # nothing here makes cycles, and a collection could be heard
    print(READY, flush=True)
    ended = threading.Event()
    threading.Thread(target=_listen, args=(player, ended), daemon=True).start()
    blocks = -1
    while not ended.wait(STALLED_SECONDS):
        if player.blocks == blocks:
            os._exit(1)  # an orderly exit would wait in PortAudio for ever once its JACK server has died
        blocks = player.blocks
    player.fade()
    return 0


def _hurry() -> None:
    """Take real-time priority where that is allowed; PortAudio's threads inherit it."""
    if hasattr(os, "sched_setscheduler"):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))


def _preference(system: dict[str, Any]) -> int:
    return PREFERRED.index(system["name"]) if system["name"] in PREFERRED else len(PREFERRED)


def _listen(player: Player, ended: threading.Event) -> None:
    stream = b""
    while data := os.read(sys.stdin.fileno(), 4096):
        messages, stream = split(stream + data)
        for message in messages:
            player.send(message)
    ended.set()


if __name__ == "__main__":
    raise SystemExit(main())
