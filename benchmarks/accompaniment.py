"""How models accompany: `python benchmarks/accompaniment.py M.pt [M2.pt ...] --data TUNES... [--k 1 5 100]`.

The melody, a tune's highest voice, is the player's; everything else is the partner's. Twice over every tune: once the
partner is told after every frame what the tune really has, which shows how often it would have played that; once it
hears itself, as in a jam, several times, which shows whether it stays in key and moves. Prints a line for every model
and k, after one for what the tunes themselves have.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from improv.knobs import Controls
from improv.live.improviser import Improviser
from improv.live.modes import Turn
from improv.model import checkpoint
from improv.model.sequence_model import SequenceModel
from improv.music.key import Key, key_of
from improv.music.pianoroll import SOUNDING, Frame, PianoRoll, top_voice
from improv.train.corpus import Reading, read_corpus

DUET = Turn(partner_plays=True, clamped=True, whose="both")


def play(
    model: SequenceModel, roll: PianoRoll, key: Key | None, controls: Controls, seed: int, told: bool
) -> NDArray[np.uint8]:
    """What the partner sounds with the tune's melody, [T, n_pitches]; where `key` is None it follows what it hears."""
    improviser = Improviser(model, seed, key=key)
    improviser.forget(-roll.downbeat, roll.bar_beats)
    melody, played = top_voice(roll.frames), list[Frame]()
    for tune, player in zip(roll.frames, melody, strict=True):
        played.append(improviser.answer(player, DUET, controls))
        rest = tune.copy()
        rest[:, player[SOUNDING] == 1] = 0
        improviser.hear(player, rest if told else played[-1])
    return np.stack(played)[:, SOUNDING]


def texture(parts: list[NDArray[np.uint8]], rolls: list[PianoRoll]) -> dict[str, float]:
    """Of accompaniments [T, n_pitches] of the tunes `rolls`: the shares in key and repeated, and notes per frame."""
    in_key = notes = repeated = frames = 0
    for part, roll in zip(parts, rolls, strict=True):
        scale = np.isin((np.arange(part.shape[1]) + roll.low) % 12, list(key_of(roll).pitch_classes))
        in_key, notes = in_key + int(part[:, scale].sum()), notes + int(part.sum())
        repeated += int((part[1:] == part[:-1]).all(axis=1).sum())
        frames += len(part)
    return {"in key": in_key / max(1, notes), "notes per frame": notes / frames, "repeated": repeated / frames}


def accuracy(told: list[NDArray[np.uint8]], truth: list[NDArray[np.uint8]]) -> float:
    """Of accompaniments [T, n_pitches] each (Bay et al. 2009)."""
    pairs = list(zip(told, truth, strict=True))
    return sum(int((a & b).sum()) for a, b in pairs) / max(1, sum(int((a | b).sum()) for a, b in pairs))


def told(figures: dict[str, float]) -> str:
    """One line of the table."""
    return "  ".join(f"{name} {value:.3f}" for name, value in figures.items())


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--data", nargs="+", type=Path, required=True)
    parser.add_argument("--every", type=int, default=6, help="only every so-manieth tune (default 6)")
    parser.add_argument("--k", nargs="+", type=int, default=[Controls().k])
    parser.add_argument("--temperature", type=float, default=Controls().temperature)
    parser.add_argument("--hear-key", action="store_true", help="let the partner hear the key from the melody alone")
    parser.add_argument("--seeds", type=int, default=3, help="jams with each (default 3)")
    parser.add_argument("--frames", type=int, default=512, help="of each tune at most (default 512)")
    args = parser.parse_args()
    torch.set_num_threads(1)
    corpus = read_corpus(args.data, Reading(), "valid")
    whole = corpus.splits["valid"][:: args.every]
    rolls = [replace(roll, frames=roll.frames[: args.frames]) for roll in whole]
    keys = [None if args.hear_key else Key(0, key_of(roll).minor) for roll in whole]  # in C, as they have been read
    tunes = list(zip(rolls, keys, strict=True))
    truth = [(roll.frames & (1 - top_voice(roll.frames)))[:, SOUNDING] for roll in rolls]
    print(f"the {len(rolls)} tunes themselves  {told(texture(truth, rolls))}", flush=True)
    for path in args.models:
        model, _ = checkpoint.load(path)
        for k in args.k:
            controls = Controls(temperature=args.temperature, k=k)
            right = accuracy([play(model, *tune, controls, 0, told=True) for tune in tunes], truth)
            jammed = [play(model, *tune, controls, seed, told=False) for seed in range(args.seeds) for tune in tunes]
            figures = {"accuracy": right, **texture(jammed, rolls * args.seeds)}
            print(f"{path.name}  k {k:4d}  {told(figures)}", flush=True)


if __name__ == "__main__":
    main()
