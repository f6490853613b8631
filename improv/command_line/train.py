"""improv train: a folder of MIDI files becomes m.pt."""

import argparse
import json
import math
import signal
import sys
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from improv.command_line.options import add_grid, add_json, add_seed, at_least_one, read_with_progress
from improv.errors import ImprovError
from improv.train.cache import default_folder
from improv.train.corpus import Corpus, Reading, hold_out
from improv.train.presets import PRESETS, Recipe

MODEL_OPTIONS = {"hidden": int, "recurrent": int, "core": str}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options; every field of the recipe and the sizes of the model are options of that name."""
    parser.add_argument("data", nargs="+", type=Path, metavar="DATA", help="MIDI files, folders of them, or .npz rolls")
    parser.add_argument("--out", type=Path, required=True, metavar="M.pt", help="where the best model is written")
    parser.add_argument("--valid", nargs="+", type=Path, default=[], metavar="DATA", help="music to validate on")
    parser.add_argument("--valid-share", type=_share, default=0.1, help="else this share of the pieces (default 0.1)")
    parser.add_argument("--preset", choices=PRESETS, default="partner", help="a whole recipe (default partner)")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint beside --out")
    parser.add_argument(
        "--device", choices=["auto", "cpu", "cuda"], default="auto", help="default: a GPU where there is one"
    )
    parser.add_argument(
        "--threads", type=at_least_one, default=1, help="CPU threads (default 1, the fastest for small models)"
    )
    parser.add_argument(
        "--onsets", action=argparse.BooleanOptionalAction, help="a second unit per pitch tells struck from held notes"
    )
    parser.add_argument(
        "--cache", type=Path, metavar="FOLDER",
        help="where what was read is kept, to be read from there next time (default: the user's cache folder)",
    )  # fmt: skip
    add_grid(parser, default=None)
    add_seed(parser)
    add_json(parser)
    model = parser.add_argument_group("the model (default: the preset's)")
    for name, kind in MODEL_OPTIONS.items():
        model.add_argument(f"--{name}", type=kind, choices=["tanh", "gru", "lstm"] if name == "core" else None)
    model.add_argument(
        "--bars", action=argparse.BooleanOptionalAction, help="tell the core the place in the bar of the frame to come"
    )
    model.add_argument("--learn-u0", action="store_true", default=None, help="learn the initial state")
    recipe = parser.add_argument_group("the recipe (default: the preset's)")
    for item in fields(Recipe):
        if item.type is bool or item.type == "bool":
            recipe.add_argument(f"--{item.name.replace('_', '-')}", action=argparse.BooleanOptionalAction)
        else:
            choices = ["sgd", "adamw"] if item.name == "optimiser" else None
            recipe.add_argument(f"--{item.name.replace('_', '-')}", type=type(item.default), choices=choices)


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"must lie in 0..1, got {text}")
    return value


def run(args: argparse.Namespace) -> int:
    """Trains, and says what came of it."""
    if args.out.is_dir():
        raise ImprovError(f"{args.out} is a folder: name a file in it, as {args.out / 'm.pt'}")
    preset = PRESETS[args.preset]
    recipe = replace(preset.recipe, **_given(args, [item.name for item in fields(Recipe)]))
    recipe.check()
    reading = Reading(**{**preset.reading, **_reading_given(args)})
    corpus = _gather(args, reading)

    import torch

    torch.set_num_threads(args.threads)
    from improv.model.config import Config
    from improv.train.trainer import Trainer

    chosen = {**preset.model, **_given(args, [*MODEL_OPTIONS, "onsets", "bars", "learn_u0"])}
    if not corpus.articulated:  # .npz rolls tell neither onsets nor bars
        chosen.update(onsets=False, bars=False)
    chosen.update(grid=corpus.grid, dt=reading.dt if corpus.articulated else None, normalised=reading.normalise)
    try:
        config = Config(**chosen)
        config.check()
    except ValueError as error:
        raise ImprovError(str(error)) from error
    device = ("cuda" if torch.cuda.is_available() else "cpu") if args.device == "auto" else args.device
    if device == "cuda" and not torch.cuda.is_available():
        raise ImprovError("there is no CUDA GPU here: leave --device out, or give --device cpu")
    trainer = Trainer(
        config, recipe, corpus.splits["train"], corpus.splits.get("valid", []), args.out, args.seed, device
    )
    done = trainer.resume() if args.resume else 0
    if args.resume:
        told = f"resuming after epoch {done}" if done else "there is nothing to resume beside --out: training anew"
        print(told, file=sys.stderr)
    return _train(trainer, corpus, args)


def _gather(args: argparse.Namespace, reading: Reading) -> Corpus:
    cache = args.cache or default_folder()
    corpus = read_with_progress(args.data, reading, "train", cache)
    if args.valid:
        held = read_with_progress(args.valid, reading, "valid", cache)
        if held.grid != corpus.grid:
            raise ImprovError("the validation files have another grid than the training files")
        corpus.splits["valid"] = held.splits.get("valid") or held.splits["train"]
        corpus.skipped += held.skipped
    else:
        hold_out(corpus, args.valid_share, args.seed)
    if not corpus.splits.get("train"):
        raise ImprovError("there is nothing to train on: the files hold only other splits")
    return corpus


def _train(trainer: Any, corpus: Corpus, args: argparse.Namespace) -> int:
    from improv.train.curve import draw_curve
    from improv.train.trainer import Epoch, last_path

    started = time.perf_counter()
    done = len(trainer.history)
    bar = tqdm(
        total=trainer.frames * trainer.recipe.epochs, initial=trainer.frames * done, unit=" frames", unit_scale=True
    )
    picture = args.out.with_suffix(".png")

    def on_epoch(epoch: Epoch) -> None:
        valid = "" if math.isnan(epoch.valid) else f"   valid {epoch.valid:8.3f} nats/frame"
        bar.write(
            f"epoch {epoch.number:4d}   monitor {epoch.monitor:8.3f}{valid}   {epoch.seconds:6.1f} s", file=sys.stderr
        )
        draw_curve(trainer.history, picture)

    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        trainer.run(bar.update, on_epoch)
        interrupted = False
    except KeyboardInterrupt:
        interrupted = True
    finally:
        bar.close()
    summary = {
        "model": str(args.out),
        "epochs": len(trainer.history),
        "frames": trainer.frames,
        "seconds": round(time.perf_counter() - started, 3),
        "best_epoch": trainer.best_epoch,
        "valid": trainer.best if trainer.valid and trainer.history else None,
        "skipped": [{"path": path, "reason": reason} for path, reason in corpus.skipped],
        "interrupted": interrupted,
    }
    if args.json:
        print(json.dumps(summary))
    _say(summary, picture, last_path(args.out))
    return 130 if interrupted else 0


def _say(summary: dict[str, Any], picture: Path, last: Path) -> None:
    valid = "" if summary["valid"] is None else f", valid {summary['valid']:.3f} nats/frame"
    stopped = "stopped after" if summary["interrupted"] else "trained"
    lines = [
        f"{stopped} {summary['epochs']} epochs of {summary['frames']} frames in {summary['seconds']:.0f} s",
        f"best    {summary['model']}  (epoch {summary['best_epoch']}{valid})",
        f"last    {last}  (to go on: the same command with --resume)",
        f"curve   {picture}",
    ]
    if summary["skipped"]:
        lines.append(f"left out {len(summary['skipped'])} files that could not be read, listed above")
    print("\n".join(lines), file=sys.stderr)


def _given(args: argparse.Namespace, names: list[str]) -> dict[str, Any]:
    return {name: getattr(args, name) for name in names if getattr(args, name) is not None}


def _reading_given(args: argparse.Namespace) -> dict[str, Any]:
    given = _given(args, ["grid", "dt", "normalise"])
    if args.grid is not None and args.dt is None:
        given["dt"] = None  # --grid overrides a preset that samples in seconds
    return given
