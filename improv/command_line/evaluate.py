"""improv eval: how good a model is."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from improv.command_line.options import (
    add_cache,
    add_json,
    add_knob,
    add_seed,
    check_apart,
    check_places,
    knob_values,
    picture,
    whole,
)
from improv.command_line.reading import read_with_progress
from improv.errors import ImprovError
from improv.knobs import TEMPERATURE, Controls, K
from improv.music.pianoroll import PianoRoll
from improv.train.cache import default_folder
from improv.train.corpus import Corpus, Reading

SPLITS = ("train", "valid", "test")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("data", nargs="+", type=Path, metavar="DATA", help="MIDI files, folders of them, or .npz rolls")
    parser.add_argument("--model", type=Path, required=True, metavar="M.pt", help="the model, as `train` writes it")
    parser.add_argument(
        "--split", choices=SPLITS, help="which part of .npz files (default: test if there, else valid, else train)"
    )
    parser.add_argument(
        "--chains", type=whole(2, 10_000), default=16, metavar="N",
        help="particles per frame of the likelihood's estimate (AIS), 2 to 10000: more are more exact (default 16); "
        "the accuracy is theirs",
    )  # fmt: skip
    parser.add_argument(
        "--betas", type=whole(1, 1_000_000), default=300, metavar="N",
        help="annealing steps of that estimate, 1 to 1000000: more are more exact, too few flatter (default 300)",
    )  # fmt: skip
    parser.add_argument(
        "--free-frames", type=whole(1, 1_000_000), default=4000, metavar="N",
        help="frames that the model plays alone, in pieces as long as those of DATA, 1 to 1000000 (default 4000)",
    )  # fmt: skip
    for knob in (TEMPERATURE, K):
        add_knob(parser, knob)
    parser.add_argument(
        "--plot", type=picture, metavar="X.png",
        help="draw how the model plays alone, beside the music, into this picture",
    )  # fmt: skip
    add_cache(parser)
    add_seed(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Evaluates, and prints a table or JSON."""
    check_apart([args.model, *args.data], [args.plot])
    check_places([args.plot])
    import torch

    from improv.model import checkpoint
    from improv.train.evaluation import Effort, evaluate

    torch.set_num_threads(1)
    model, _ = checkpoint.load(args.model)
    config = model.config
    reading = Reading(config.grid, config.dt, config.normalised, config.rules, config.low, config.n_pitches)
    corpus = read_with_progress(args.data, reading, "midi", args.cache or default_folder())
    pieces, split = _chosen(corpus, args.split)
    if corpus.grid != model.config.grid:
        raise ImprovError(f"the .npz rolls have frames of {corpus.grid:g} beats, the model of {config.grid:g}: give "
                          "rolls of that grid, or MIDI files, which are read on any grid")  # fmt: skip
    if model.config.onsets and not corpus.articulated:
        print("note: .npz rolls do not tell held from repeated notes, which this model does", file=sys.stderr)
    effort = Effort(args.chains, args.betas, args.free_frames)
    controls, played = Controls.of(knob_values(args)), list[PianoRoll]()
    frames = sum(len(roll) for roll in pieces)
    with tqdm(total=frames, unit=" frames", desc="evaluating", leave=False, disable=None) as bar:
        figures = evaluate(model, pieces, effort, args.seed, bar.update, played.append, controls)
    figures |= {"model": str(args.model), "split": split, "k": controls.k}
    figures |= {"temperature": controls.temperature, "model_temperature": config.temperature * config.solo}
    figures["skipped"] = [{"path": path, "reason": reason} for path, reason in corpus.skipped]
    print(json.dumps(figures) if args.json else _table(figures, config.onsets and corpus.articulated))
    if args.plot:
        from improv.music.plot import save_figure
        from improv.train.comparison import comparison_figure

        in_seconds = config.dt is not None
        figure = comparison_figure(figures["free_run"], played[0], pieces, args.model.stem, in_seconds=in_seconds)
        save_figure(figure, args.plot)
        print(f"drew {args.plot}", file=sys.stderr)
    return 0


def _chosen(corpus: Corpus, split: str | None) -> tuple[list[PianoRoll], str]:
    """The pieces to evaluate on: those of MIDI files, and of .npz files the split asked for, which it names."""
    splits = {name: rolls for name in ("test", "valid", "train") if (rolls := corpus.splits.get(name))}
    loose = corpus.splits.get("midi", [])
    if not splits:
        if split:
            raise ImprovError(f"--split {split} is a part of .npz files, and there are none: leave it out")
        return loose, "files"
    name = split or next(iter(splits))
    if name not in splits:
        raise ImprovError(f"the .npz files have no split {name}, only {', '.join(splits)}")
    return loose + splits[name], name


def _table(figures: dict[str, Any], strikes: bool) -> str:
    """For a person; with `strikes` where both model and data tell struck from held notes."""
    free, split = figures["free_run"], figures["split"]
    knobs = (
        f"temperature {figures['temperature']:g} times the model's {figures['model_temperature']:g} when alone, "
        f"k {figures['k']}"
    )
    rows = [
        ("log-likelihood", f"{figures['log_likelihood']:.3f} ± {figures['log_likelihood_error']:.3f} nats/frame",
         figures["estimator"]),
        ("pseudo log-likelihood", f"{figures['pseudo_log_likelihood']:.3f} nats/frame", ""),
        ("accuracy", f"{100 * figures['accuracy']:.1f} %",
         f"repeating the previous frame: {100 * figures['copy_accuracy']:.1f} %"),
        ("frames", str(figures["frames"]), "" if split == "files" else f"split {split}"),
        ("playing alone:", "", knobs),
        ("  notes per frame", f"{free['notes_per_frame']:.2f}", f"data: {free['notes_per_frame_data']:.2f}"),
        ("  repeated frames", f"{100 * free['repeated']:.1f} %", f"data: {100 * free['repeated_data']:.1f} %"),
        ("  silent frames", f"{100 * free['silent']:.1f} %", f"data: {100 * free['silent_data']:.1f} %"),
    ]  # fmt: skip
    if "nade_log_likelihood" in figures:
        rows.insert(1, ("  of its NADE", f"{figures['nade_log_likelihood']:.3f} nats/frame", "exact"))
    if strikes:
        rows += [
            ("  notes struck", f"{100 * free['struck']:.1f} %", f"data: {100 * free['struck_data']:.1f} %"),
            (
                "  twice in a row",
                f"{100 * free['struck_again']:.1f} %",
                f"data: {100 * free['struck_again_data']:.1f} %",
            ),
        ]
    return "\n".join(f"{name:<22}{value:<28}{note}".rstrip() for name, value, note in rows)
