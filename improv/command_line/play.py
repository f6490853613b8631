"""improv play: jam."""

import argparse
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from improv.command_line.options import (
    add_device,
    add_knob,
    add_seed,
    check_apart,
    check_places,
    key_name,
    knob_values,
    midi_file,
    picture,
    positive,
)
from improv.errors import ImprovError, UsageError
from improv.knobs import KNOBS, TEMPERATURE, TEMPO, K
from improv.live.messages import TAKE, Notice, Problem, Status, TakeKept
from improv.live.modes import MODES
from improv.live.process import EngineProcess, Settings
from improv.live.sync import SYNCS
from improv.live.tune import Tune, is_midi_file
from improv.resources import bundled_model

POLL_SECONDS = 0.05


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    port = "`virtual`, a port's name or a unique part of it, or a MIDI file"
    parser.add_argument("--model", type=Path, metavar="M.pt", help="who plays (default: the bundled partner)")
    parser.add_argument("--input", metavar="P", help=f"the player: {port} (default virtual)")
    parser.add_argument(
        "--output", action="append", metavar="P",
        help=f"the partner: {port}, or `synth`; may be repeated (default virtual, and synth where sound can be had)",
    )  # fmt: skip
    parser.add_argument(
        "--headless", action="store_true", help="no panel: play at once, until the tune is over, --seconds or Ctrl+C"
    )
    parser.add_argument("--seconds", type=positive, metavar="N", help="stop after so many seconds (default: play on)")
    parser.add_argument(
        "--record", type=midi_file, metavar="TAKE.mid",
        help="where the take is kept (default: in the folder `improv` of your music folder)",
    )  # fmt: skip
    parser.add_argument(
        "--plot",
        type=picture,
        metavar="TAKE.png",
        help="with --headless: draw the take as a piano-roll into this picture",
    )
    parser.add_argument(
        "--keep-playing", action="store_true",
        help="play on should the panel die, or with --headless this command: until a signal comes, the tune or the "
        "--seconds are over (default: stop, every note released, the take kept)",
    )  # fmt: skip
    modes = "; ".join(f"{name}: {mode.help}" for name, mode in MODES.items())
    parser.add_argument("--mode", choices=MODES, default="duet", help=f"{modes} (default duet)")
    syncs = "; ".join(f"{name}: {meaning}" for name, meaning in SYNCS.items())
    parser.add_argument("--sync", choices=SYNCS, default="internal", help=f"{syncs} (default internal)")
    parser.add_argument(
        "--key", type=_key, default="auto", help="a key such as G or 'F# minor' (default auto: the key that is heard)"
    )
    add_knob(parser, TEMPO, f"the tune's where --input is a MIDI file, else {TEMPO.default:g}")
    add_knob(parser, TEMPERATURE)
    add_knob(parser, K)
    add_device(parser, "auto")
    add_seed(parser, default=None)


def _key(text: str) -> str:
    return text if text == "auto" else key_name(text)


def run(args: argparse.Namespace) -> int:
    """Opens the panel, or plays without one."""
    if args.plot and not args.headless:
        raise UsageError("--plot draws the take of --headless: give both")
    import improv.live.ports.backend  # noqa: F401 - where MIDI cannot be used, it says so before an engine meets it

    settings = _settings(args)
    if args.headless:
        return _play_headless(settings, args.plot)
    try:
        from ui.panel import open_panel
    except ImportError as error:
        raise ImprovError(f"the panel cannot be loaded ({error}): play without it, with `--headless`") from error
    return open_panel(settings)


def _settings(args: argparse.Namespace) -> Settings:
    if args.sync == "midi" and args.input and is_midi_file(args.input):
        raise UsageError("--sync midi follows the clock at a port: name one as --input, not a file")
    if args.input == "synth":
        raise UsageError("synth is an output: where your notes come from is `virtual`, a port or a MIDI file")
    if args.input and not is_midi_file(args.input) and Path(args.input).is_file():
        raise UsageError(f"{args.input} is no MIDI file: name one that ends in .mid, or a port")
    outputs = [Path(name) for name in args.output or [] if is_midi_file(name)]
    writes = [*outputs, args.record, args.plot]
    check_apart([args.model, Path(args.input) if args.input else None], writes)
    check_places(writes)
    values = knob_values(args)
    if args.input and is_midi_file(args.input) and args.tempo is None:
        values["tempo"] = min(max(Tune.read(Path(args.input)).tempo, KNOBS["tempo"].low), KNOBS["tempo"].high)
    model = args.model or bundled_model()
    if not model.exists():
        raise ImprovError(f"there is no model {model}: give one that `improv train` has written")
    return Settings(
        model=str(model),
        input=args.input,
        outputs=args.output,
        mode=args.mode,
        key=args.key,
        sync=args.sync,
        knobs=values,
        seed=args.seed,
        take=str(args.record) if args.record else None,
        autoplay=args.headless,
        seconds=args.seconds,
        keep_playing=args.keep_playing,
        device=args.device,
    )


def _play_headless(settings: Settings, plot: Path | None) -> int:
    """Plays until the tune or the time is over, or a signal comes."""
    engine = EngineProcess(settings)
    stopped: list[int] = []
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda number, _frame: stopped.append(number))
    teller = Teller(settings)
    while not engine.ended and not stopped:
        time.sleep(POLL_SECONDS)
        teller.tell(engine)
    status = engine.close()
    teller.tell(engine)
    if stopped and not teller.played:
        print("stopped before the first note could be played", file=sys.stderr)
    if status and not teller.failed:
        print("improv: the engine was killed", file=sys.stderr)
    if plot and teller.take:
        draw_take(teller.take, plot)
    return 1 if status or teller.failed or teller.displaced else 0


class Teller:
    """Tells on standard error what the engine reports, as far as a person without a panel wants to know it."""

    def __init__(self, settings: Settings) -> None:
        self.take: Path | None = None
        self._settings = settings
        self.failed = False
        self.displaced = False  # whether what was played is not where it was to be
        self.played = False
        self._state = self._chosen = ""

    def tell(self, engine: EngineProcess) -> None:
        """Takes the reports that have come."""
        for report in engine.new_reports():
            match report:
                case Problem(text, fatal, about):
                    self.failed |= fatal
                    self.displaced |= about == TAKE
                    print(f"improv: {text}", file=sys.stderr)
                case Notice(text):
                    print(text, file=sys.stderr)
                case TakeKept(path, empty):
                    print(
                        f"nothing was played: no take in {path}" if empty else f"take kept in {path}", file=sys.stderr
                    )
                    self.take = self.take or (None if empty else Path(path))  # the take comes before output files
                case Status(state):
                    if report.chosen and report.chosen != self._chosen:
                        self._chosen = report.chosen
                        print(report.chosen, file=sys.stderr)
                    if state == "playing" and state != self._state:
                        self._say_playing(report)
                        self.played = True
                    self._state = state

    def _say_playing(self, status: Status) -> None:
        asked = self._settings.outputs or []
        files = [name for name in asked if is_midi_file(name)]
        ends = f"from {_ends(status.inputs) or self._settings.input} to {_ends(status.outputs, files)}"
        knobs = ", ".join(f"{name} {KNOBS[name].text(value)}" for name, value in status.knobs.items())
        how = f"{status.mode}, sync {status.sync}, {knobs}"
        print(f"playing: {how}; {ends}; {status.priority} priority; Ctrl+C stops", file=sys.stderr)


def _ends(connected: Mapping[str, bool], files: Sequence[str] = ()) -> str:
    """Ports, with those that are waited for named as such, and files."""
    return ", ".join([*(name if there else f"{name} (not there yet)" for name, there in connected.items()), *files])


def draw_take(take: Path, path: Path) -> None:
    """Draws both parts of the take into the picture `path`.

    Raises:
        ImprovError: the take cannot be read, or the picture not be written.
    """
    from improv.music.midifile import read_score
    from improv.music.pianoroll import PianoRoll
    from improv.music.plot import draw_roll
    from improv.music.score import to_roll

    score = read_score(take)

    def part(track: int) -> PianoRoll:
        return to_roll(replace(score, notes=[n for n in score.notes if n.track == track]), 0.25, keep_silence=True)

    parts = {"player": part(1), "partner": part(2)}
    draw_roll(parts, path, take.stem, score.tempo, bar_beats=score.bar_beats)
    print(f"drew {path}", file=sys.stderr)
