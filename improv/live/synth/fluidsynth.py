"""FluidSynth as an instrument, where it and a soundfont are installed, driven through its command shell."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from improv.live.synth.midi import CHANNELS, CONTROL, NOTE_OFF, NOTE_ON, NOTES_OFF, PROGRAM_CHANGE, SOUND_OFF, SUSTAIN
from improv.live.synth.program import PRIORITY, READY, Program

DRIVERS = {"darwin": ("coreaudio",), "win32": ("wasapi", "dsound")}
LINUX_DRIVERS = ("jack", "pipewire", "pulseaudio", "alsa")
FOLDERS = (
    "~/.local/share/sounds/sf2",
    "~/.local/share/soundfonts",
    "~/Library/Audio/Sounds/Banks",
    "/usr/share/sounds/sf2",
    "/usr/share/sounds/sf3",
    "/usr/share/soundfonts",
    "/usr/local/share/soundfonts",
    "/opt/homebrew/share/soundfonts",
    "/opt/homebrew/share/sounds/sf2",
)
SMALLEST_FONT = 2_000_000  # bytes; below lie demonstration fonts that sound worse than the built-in instrument
GRAND_PIANO, ELECTRIC_PIANO = 0, 4
PAN = 10


def programs() -> Iterator[Program]:
    """FluidSynth with each audio driver of this platform, the best first; none where it or a soundfont is missing."""
    executable, font = shutil.which("fluidsynth"), soundfont()
    if executable is None or font is None:
        return
    for driver in DRIVERS.get(sys.platform, LINUX_DRIVERS):
        yield Program(
            label="FluidSynth",
            command=_command(executable, driver, font),
            encode=shell_command,
            environment={"JACK_NO_START_SERVER": "1"},
            greeting=_greeting(),
            farewell=_farewell(),
            lost="Lost the connection",
        )


def soundfont(folders: tuple[str, ...] = FOLDERS) -> Path | None:
    """The system's default soundfont, else the largest; None where there is none worth hearing."""
    fonts = [font for folder in folders for font in Path(folder).expanduser().glob("*.sf[23]")]
    sizes = {font: font.stat().st_size for font in fonts if os.access(font, os.R_OK)}
    good = [font for font, size in sizes.items() if size >= SMALLEST_FONT]
    return max(good, key=lambda font: (font.stem.startswith("default"), sizes[font]), default=None)


def shell_command(message: bytes) -> bytes:
    """A channel message as lines of FluidSynth's shell; empty for what the instrument has no use for."""
    kind, channel, values = message[0] & 0xF0, message[0] & 0x0F, message[1:]
    if kind == NOTE_OFF or (kind == NOTE_ON and values[1] == 0):
        return b"noteoff %d %d\n" % (channel, values[0])
    if kind == NOTE_ON:
        return b"noteon %d %d %d\n" % (channel, *values)
    if kind == PROGRAM_CHANGE:
        return b"prog %d %d\n" % (channel, values[0])
    if kind == CONTROL and values[0] in (SOUND_OFF, NOTES_OFF):
        return _control(channel, SUSTAIN, 0) + _control(channel, *values)  # a held pedal would keep the notes
    return _control(channel, *values) if kind == CONTROL else b""


def _command(executable: str, driver: str, font: Path) -> list[str]:
    settings = {
        "audio.jack.id": "improv-synth",
        "audio.jack.autoconnect": 1,
        "audio.realtime-prio": PRIORITY,
        "synth.chorus.active": 0,
        "synth.gain": 0.8,
    }
    options = [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]
    return [executable, "--quiet", "--no-midi-in", "--audio-driver", driver, *options, str(font)]


def _control(channel: int, controller: int, value: int) -> bytes:
    return b"cc %d %d %d\n" % (channel, controller, value)


def _greeting() -> bytes:
    player = b"prog 0 %d\n" % GRAND_PIANO + _control(0, PAN, 50)
    partner = b"prog 1 %d\n" % ELECTRIC_PIANO + _control(1, PAN, 78)
    return player + partner + f"echo {READY}\n".encode()


def _farewell() -> bytes:
    silence = b"".join(shell_command(bytes([CONTROL | channel, NOTES_OFF, 0])) for channel in range(CHANNELS))
    return silence + b"sleep 400\nquit\n"  # milliseconds in which the notes fade
