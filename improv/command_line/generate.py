"""improv generate: a MIDI file from nothing, or the continuation of a prompt."""

import argparse
import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

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
    whole,
)
from improv.knobs import TEMPERATURE, TEMPO, Controls, K
from improv.music.pianoroll import PianoRoll
from improv.music.score import COMMON_TIME
from improv.resources import bundled_model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument(
        "--out", type=midi_file, required=True, metavar="X.mid",
        help="the MIDI file to write, in the place of one that is there already",
    )  # fmt: skip
    parser.add_argument("--model", type=Path, metavar="M.pt", help="who plays (default: the bundled partner)")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--bars", type=whole(1, 10_000), metavar="N", help="bars to play, 1 to 10000 (default 16)")
    length.add_argument("--frames", type=whole(1, 1_000_000), metavar="N", help="frames to play instead, 1 to 1000000")
    parser.add_argument(
        "--prompt", type=Path, metavar="Y.mid",
        help="a piece to continue, in its time signature and tempo (default: none)",
    )  # fmt: skip
    parser.add_argument("--plot", type=picture, metavar="X.png", help="draw a labelled piano-roll into this picture")
    parser.add_argument(
        "--key", type=key_name, help="key to play in, as G or 'F# minor' (default: the prompt's, else C major)"
    )
    add_knob(parser, TEMPO, f"the prompt's, else {TEMPO.default:g}")
    add_knob(parser, TEMPERATURE)
    add_knob(parser, K)
    add_device(parser, "cpu")  # measuring may choose now this, now that: then a seed does not fix the notes
    add_seed(parser)


def run(args: argparse.Namespace) -> int:
    """Plays into the file."""
    check_apart([args.prompt, args.model], [args.out, args.plot])
    check_places([args.out, args.plot])
    import torch

    from improv.live.generate import generate
    from improv.live.improviser import Improviser
    from improv.model import checkpoint
    from improv.music.key import key_of, parse_key
    from improv.music.meter import accent, downbeat_of
    from improv.music.midifile import read_score, write_midi
    from improv.music.score import roll_to_notes, to_roll
    from improv.sampling.calibration import choose

    torch.set_num_threads(1)
    model, _ = checkpoint.load(args.model or bundled_model())
    config = model.config
    score = read_score(args.prompt) if args.prompt else None
    prompt = to_roll(score, config.grid, config.low, config.n_pitches) if score else None
    if prompt is not None:
        prompt = replace(prompt, downbeat=downbeat_of(prompt))
    signature = score.signature if score else COMMON_TIME
    tempo = args.tempo or (min(max(score.tempo, TEMPO.low), TEMPO.high) if score else TEMPO.default)
    key = parse_key(args.key) if args.key else key_of(prompt) if prompt is not None else parse_key("C")
    controls = Controls.of(knob_values(args))
    frames = args.frames or math.ceil((args.bars or 16) * signature.beats / config.grid)
    choice = choose(model, controls.k, args.device)
    if args.device == "auto":
        print(choice.why, file=sys.stderr)
    improviser = Improviser(model, args.seed, choice.sampler, key)
    improviser.forget(-prompt.downbeat if prompt is not None else 0, signature.beats)
    with tqdm(total=frames, desc="playing", unit=" frames", leave=False, disable=None) as bar:
        played = generate(improviser, frames, controls, prompt, bar.update)
    parts: dict[str, PianoRoll] = {"partner": played}
    if prompt is not None:
        parts = {"prompt": prompt, "partner": _after(prompt, played)}
    notes = {name: roll_to_notes(roll) for name, roll in parts.items()}
    first_bar = prompt.downbeat * config.grid if prompt is not None else 0.0
    notes["partner"] = [
        replace(note, velocity=note.velocity + accent(note.onset - first_bar, signature.beats))
        for note in notes["partner"]
    ]
    if args.key and not config.normalised:
        print("note: this model knows no keys, and --key changes nothing", file=sys.stderr)
    write_midi(args.out, notes, tempo, signature, key=key if args.key and config.normalised else None)
    print(f"wrote {args.out}", file=sys.stderr)
    if args.plot:
        from improv.music.plot import draw_roll

        draw_roll(parts, args.plot, args.out.stem, tempo, key.name, signature.beats)
        print(f"drew  {args.plot}", file=sys.stderr)
    return 0


def _after(prompt: PianoRoll, played: PianoRoll) -> PianoRoll:
    """`played` moved behind the prompt, so that both stand in one time."""
    rest = np.zeros_like(prompt.frames)
    return replace(prompt, frames=np.concatenate([rest, played.frames]))
