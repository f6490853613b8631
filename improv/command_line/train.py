"""improv train: a folder of MIDI files becomes m.pt."""

import argparse
import json
import math
import signal
import sys
import time
from collections.abc import Iterable
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from improv.command_line.idle_options import idle_options
from improv.command_line.options import add_cache, add_grid, add_json, add_seed, check_apart, whole
from improv.command_line.reading import read_with_progress
from improv.command_line.train_options import MODEL_OPTIONS, add_model, add_recipe
from improv.errors import ImprovError, UsageError
from improv.model.config import Config
from improv.train.cache import default_folder
from improv.train.corpus import SUFFIXES, Corpus, Reading, hold_out
from improv.train.presets import PRESETS
from improv.train.recipe import Recipe

if TYPE_CHECKING:
    from improv.train.distributed import World
    from improv.train.trainer import Trainer

READING_OPTIONS = ("grid", "dt", "normalise", "rules")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options; every field of the recipe and the sizes of the model are options of that name."""
    parser.add_argument("data", nargs="+", type=Path, metavar="DATA", help="MIDI files, folders of them, or .npz rolls")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="M.pt",
        help="where the best model is written; beside it M.last.pt, to go on from, and M.png, the training curve",
    )  # fmt: skip
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument("--resume", action="store_true", help="go on where an earlier training into --out stopped")
    existing.add_argument("--overwrite", action="store_true", help="train anew even where --out is there already")
    parser.add_argument(
        "--valid", nargs="+", type=Path, default=[], metavar="DATA",
        help="music to choose the best model by (default: --valid-share of DATA)",
    )  # fmt: skip
    presets = "; ".join(f"{name}: {preset.help}" for name, preset in PRESETS.items())
    parser.add_argument("--preset", choices=PRESETS, default="partner", help=f"{presets} (default partner)")
    parser.add_argument(
        "--device", choices=["auto", "cpu", "cuda"], default="auto",
        help="what computes: the processor or a CUDA GPU (default auto: where there is a GPU, the faster of both, as "
        "measured at the start)",
    )  # fmt: skip
    parser.add_argument(
        "--threads", type=whole(1, 1024), default=1, metavar="N",
        help="threads of the processor, 1 to 1024 (default 1, the fastest for small models)",
    )  # fmt: skip
    add_cache(parser)
    add_grid(parser)
    add_seed(parser)
    add_json(parser)
    add_model(parser)
    add_recipe(parser)


def run(args: argparse.Namespace) -> int:
    """Trains, and says what came of it."""
    preset = PRESETS[args.preset]
    given = _given(args, [item.name for item in fields(Recipe)])
    if (args.estimator or preset.model.get("estimator")) != "both":
        given.setdefault("rbm_epochs", 0)  # a preset's, where there is no RBM beside a NADE
    recipe, model = replace(preset.recipe, **given), Config(**{**preset.model, **_given(args, MODEL_OPTIONS)})
    try:
        model.check()
        recipe.check(model.estimator)
    except (ImprovError, ValueError) as error:
        raise UsageError(str(error)) from error
    reading = Reading(**{**preset.reading, **_reading_given(args), "low": model.low, "n_pitches": model.n_pitches})
    from improv.train import distributed

    devices = _devices(args)
    with distributed.join(devices[-1]) as world:
        if world.first:
            _check_out(args)
        corpus = world.in_turn(lambda: _gather(args, reading))
        own_valid = bool(corpus.splits.get("valid"))
        hold_out(corpus, recipe.valid_share, args.seed)
        if "rbm_epochs" not in given:
            recipe = recipe.with_rbm_updates(preset.rbm_updates, map(len, corpus.splits["train"]))
        if world.first:
            _note_idle(args, model, recipe, corpus, own_valid=own_valid)
        trainer = _trainer(args, model, recipe, reading, corpus, devices, world)
        _stop_on_signals(trainer)
        if not world.first:
            trainer.run(lambda _frames: None, lambda _epoch: None)
            return 0
        return _train(trainer, corpus, args)


def _note_idle(args: argparse.Namespace, model: Config, recipe: Recipe, corpus: Corpus, *, own_valid: bool) -> None:
    """Says which options that were given change nothing."""
    given = _given(args, [*(item.name for item in fields(Recipe)), *MODEL_OPTIONS, *READING_OPTIONS])
    rolls, validated = not corpus.articulated, bool(corpus.splits.get("valid"))
    idle = idle_options(given, model, recipe, rolls=rolls, validated=validated, own_valid=own_valid)
    for name, why in idle.items():
        if given[name] is not False:
            print(f"note: --{name.replace('_', '-')} changes nothing, as {why}", file=sys.stderr)


def _trainer(
    args: argparse.Namespace, model: Config, recipe: Recipe, reading: Reading, corpus: Corpus, devices: list[str],
    world: "World",
) -> "Trainer":  # fmt: skip
    """What is to train, on one of `devices`, where an earlier training stopped if so asked."""
    from improv.train.calibration import choose_device
    from improv.train.trainer import Trainer, device_before, last_path

    before = device_before(args.out) if args.resume else ""
    if before in devices:
        devices = [before]  # on another the result would not be the same
    elif before:
        print(f"it was trained on {before} so far: the result will differ a little from there on", file=sys.stderr)
    config = replace(model, grid=corpus.grid, normalised=reading.normalise, rules=reading.rules)
    if corpus.articulated:
        config = replace(config, dt=reading.dt)
    else:
        config = replace(config, onsets=False)  # which .npz rolls do not tell
        if args.grid not in (None, corpus.grid):
            raise ImprovError(f"the .npz rolls have frames of {corpus.grid:g} beats: leave --grid out")
    pieces, valid = corpus.splits["train"], corpus.splits.get("valid", [])
    device, why = choose_device(devices, config, recipe, pieces, world)
    if why:
        print(why, file=sys.stderr)
    trainer = Trainer(config, recipe, pieces, valid, args.out, args.seed, device, world)
    if args.resume:
        trainer.resume()
        place = f"resuming after {trainer.epochs_done} of {trainer.all_epochs} epochs"
        there = last_path(args.out).exists()
        print(place if there else "there is nothing to resume beside --out: training anew", file=sys.stderr)
    return trainer


def _check_out(args: argparse.Namespace) -> None:
    """Refuses to write over anything by accident, before any work is done."""
    from improv.music.plot import SUFFIXES as PICTURES
    from improv.train.trainer import last_path

    reads = [*args.data, *args.valid]
    check_apart(reads, [args.out])
    last, picture = last_path(args.out), args.out.with_suffix(".png")
    if args.out.suffix.lower() in (*SUFFIXES, *PICTURES):
        raise UsageError(f"{args.out} is no name for a model: give {args.out.with_suffix('.pt')}")
    check_apart(reads, [last, picture])
    if args.overwrite or (args.resume and last.exists()):
        return
    for path in (args.out, last, picture):
        if path.is_file():
            resume = "--resume goes on with it, " if last.exists() else ""
            raise ImprovError(f"{path} is there already: {resume}--overwrite trains anew, or give another --out")


def _devices(args: argparse.Namespace) -> list[str]:
    """What may compute: `cpu`, `cuda` or both."""
    import torch

    torch.set_num_threads(args.threads)
    if args.device == "auto":
        return ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    if args.device == "cuda" and not torch.cuda.is_available():
        raise ImprovError("there is no CUDA GPU here: leave --device out, or give --device cpu")
    return [str(args.device)]


def _gather(args: argparse.Namespace, reading: Reading) -> Corpus:
    cache = args.cache or default_folder()
    corpus = read_with_progress(args.data, reading, "train", cache)
    if args.valid:
        held = read_with_progress(args.valid, reading, "valid", cache)
        if held.grid != corpus.grid:
            raise ImprovError("the validation files have another grid than the training files")
        corpus.splits["valid"] = held.splits.get("valid") or held.splits.get("train") or []
        if not corpus.splits["valid"]:
            raise ImprovError("there is nothing to validate on: those files hold only a test split")
        corpus.skipped += held.skipped
    if not corpus.splits.get("train"):
        raise ImprovError("there is nothing to train on: the files hold only other splits")
    return corpus


def _stop_on_signals(trainer: "Trainer") -> None:
    """Lets Ctrl+C end the training after the update at hand; where several processes share it all of them hear it."""

    def stop(number: int, _frame: object) -> None:
        trainer.stopping = True
        signal.signal(number, signal.default_int_handler)  # a second time ends at once, and loses this epoch

    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, stop)


def _train(trainer: "Trainer", corpus: Corpus, args: argparse.Namespace) -> int:
    from improv.train.curve import draw_curve
    from improv.train.trainer import Epoch, last_path

    started = time.perf_counter()
    total, initial = trainer.frames * trainer.all_epochs, trainer.frames * trainer.epochs_done
    if not trainer.epochs_done:
        pieces, held = _count(len(trainer.pieces), "piece"), _count(len(trainer.valid), "piece")
        music = f"{trainer.frames} frames of {pieces} an epoch, {held} to validate on"
        print(f"to train: {_plan(trainer.recipe)}; {music}", file=sys.stderr)
    bar = tqdm(total=total, initial=initial, unit=" frames", unit_scale=True, disable=None)
    picture, last = args.out.with_suffix(".png"), last_path(args.out)
    published = PRESETS[args.preset].published
    older = args.out.exists()  # which the first epoch will replace

    def on_epoch(epoch: Epoch) -> None:
        valid = "" if math.isnan(epoch.valid) else f"   valid {epoch.estimator.upper()} {epoch.valid:8.3f} nats/frame"
        kind = "epoch" if epoch.estimator else "pretraining"
        bar.write(
            f"{kind} {epoch.number:4d}   monitor {epoch.monitor:8.3f}{valid}   {epoch.seconds:6.1f} s", file=sys.stderr
        )
        if trainer.history:
            draw_curve(trainer.history, picture, published)

    with bar:
        trainer.run(bar.update, on_epoch)
    interrupted = trainer.stopping and len(trainer.history) < trainer.epochs
    if not trainer.history:
        if not older:  # a model that has learned nothing must not lie there as if it had
            args.out.unlink(missing_ok=True)
        raise ImprovError(f"interrupted before the first epoch was over: what is done is in {last}; the same command "
                          "with --resume goes on")  # fmt: skip
    draw_curve(trainer.history, picture, published)
    summary: dict[str, Any] = {
        "model": str(args.out),
        "epochs": len(trainer.history),
        "frames": trainer.frames,
        "seconds": round(time.perf_counter() - started, 3),
        "best_epoch": trainer.best_epoch,
        "valid": trainer.best if trainer.valid else None,
        "estimator": next(epoch.estimator for epoch in trainer.history if epoch.number == trainer.best_epoch),
        "skipped": [{"path": path, "reason": reason} for path, reason in corpus.skipped],
        "interrupted": interrupted,
    }
    if args.json:
        print(json.dumps(summary))
    if interrupted:
        told = f"best in {_best(summary)}, last in {last}; the same command with --resume goes on"
        raise ImprovError(f"interrupted after {_count(summary['epochs'], 'epoch')}: {told}")
    if left_out := trainer.epochs - len(trainer.history):
        patience = f"{_count(trainer.recipe.patience, 'epoch')} without a better validation (--patience)"
        print(f"left out {_count(left_out, 'epoch')}, after {patience}", file=sys.stderr)
    _say(summary, picture, last, f"--{trainer.recipe.last_epochs.replace('_', '-')}")
    return 0


def _plan(recipe: Recipe) -> str:
    """The epochs of every kind, in their order."""
    kinds = {
        "of pretraining on frames": recipe.pretrain_frames,
        "of pretraining the memory": recipe.pretrain_core,
        "": recipe.epochs,
        "without dropout": recipe.polish_epochs,
        "of the RBM alone": recipe.rbm_epochs,
    }
    return ", then ".join(f"{_count(epochs, 'epoch')} {kind}".rstrip() for kind, epochs in kinds.items() if epochs)


def _say(summary: dict[str, Any], picture: Path, last: Path, more: str) -> None:
    lines = [
        f"trained {_count(summary['epochs'], 'epoch')} of {summary['frames']} frames in {summary['seconds']:.0f} s",
        f"best    {_best(summary)}",
        f"last    {last} (the same command with --resume and more {more} goes on)",
        f"curve   {picture}",
    ]
    if summary["skipped"]:
        lines.append(f"left out {_count(len(summary['skipped']), 'file')} that could not be read, named above")
    print("\n".join(lines), file=sys.stderr)


def _best(summary: dict[str, Any]) -> str:
    valid = (
        "" if summary["valid"] is None else f", valid {summary['estimator'].upper()} {summary['valid']:.3f} nats/frame"
    )
    return f"{summary['model']} (epoch {summary['best_epoch']}{valid})"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _given(args: argparse.Namespace, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(args, name) for name in names if getattr(args, name) is not None}


def _reading_given(args: argparse.Namespace) -> dict[str, Any]:
    given = _given(args, READING_OPTIONS)
    if args.grid is not None:
        given["dt"] = None  # --grid overrides a preset that samples in seconds
    return given
