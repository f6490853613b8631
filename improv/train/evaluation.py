"""How good a model is: likelihood, accuracy, and how it plays when left alone."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from improv.errors import ImprovError
from improv.knobs import Controls
from improv.live.generate import generate
from improv.live.improviser import Improviser
from improv.model import rbm
from improv.model.core import Past
from improv.model.nade import log_probability
from improv.model.sequence_model import SequenceModel
from improv.music.pianoroll import PianoRoll
from improv.train.likelihood import Every, Stretch, nade_likelihood, rbm_likelihood, stretches

PSEUDO_CHUNK = 64  # frames whose every flip is weighed at once
NADE_PSEUDO_FRAMES = 300  # at most about so many, evenly spread: NADE must be run once for every flip
DEFAULTS = Controls()  # of the live partner
POLYPHONY = 12  # notes sounding at once that the histogram tells apart; more count as so many


@dataclass(frozen=True)
class Effort:
    """How much work an evaluation puts in: AIS particles per frame and annealing steps, frames of free running."""

    chains: int = 16
    betas: int = 300
    free_frames: int = 4000


@dataclass
class _Sums:
    """What is summed over frames."""

    log_p: float = 0.0
    variance: float = 0.0
    pseudo: float = 0.0
    nade: float = 0.0
    hits: int = 0
    union: int = 0
    copy_hits: int = 0
    copy_union: int = 0
    frames: int = 0
    pseudo_frames: int = 0


def evaluate(
    model: SequenceModel,
    pieces: list[PianoRoll],
    effort: Effort,
    seed: int = 0,
    on_frames: Callable[[int], None] = lambda _n: None,
    on_played: Callable[[PianoRoll], None] = lambda _roll: None,
    controls: Controls = DEFAULTS,
) -> dict[str, Any]:
    """All figures of `improv eval` over the pieces, by the names of the command line's contract.

    `log_likelihood` is the mean over all frames in nats, `log_likelihood_error` the standard error of its estimate,
    zero where it is exact; accuracies are in 0..1 (Bay et al. 2009). `on_frames` hears of progress, `on_played` of the
    longest piece that the model played alone, as `controls` say.

    Raises:
        ImprovError: a piece covers other pitches than the model.
    """
    config, n = model.config, model.config.n_pitches
    if any((roll.low, roll.n_pitches) != (config.low, n) for roll in pieces):
        raise ImprovError(f"the .npz rolls have other pitches than the model, which covers {n} from {config.low}: "
                          "give rolls of those, or MIDI files")  # fmt: skip
    sums, generator = _Sums(), torch.Generator().manual_seed(seed)
    total = sum(len(roll) for roll in pieces)
    stride = 1 if model.rbm is not None else max(1, total // NADE_PSEUDO_FRAMES)
    picked = Every(stride)
    for stretch in stretches(model, pieces):
        _add(sums, model, stretch, effort, generator)
        chosen = picked.of(len(stretch.v))
        if len(stretch.v[chosen]):
            _add_pseudo(sums, model, stretch.v[chosen], stretch.past.at(chosen))
        on_frames(len(stretch.v))
    frames = sums.frames
    played = _play(model, pieces, effort.free_frames, seed, controls)
    on_played(max(played, key=len))
    figures = {
        "log_likelihood": sums.log_p / frames,
        "log_likelihood_error": sums.variance**0.5 / frames,
        "estimator": _estimator(model, effort),
        "pseudo_log_likelihood": sums.pseudo / sums.pseudo_frames,
        "accuracy": sums.hits / sums.union if sums.union else 1.0,
        "copy_accuracy": sums.copy_hits / sums.copy_union if sums.copy_union else 1.0,
        "frames": frames,
        "free_run": _free_run(played, pieces),
    }
    if model.rbm is not None and model.nade is not None:
        figures["nade_log_likelihood"] = sums.nade / frames
    return figures


def _estimator(model: SequenceModel, effort: Effort) -> str:
    if model.rbm is None:
        return "exact"
    ais = f"AIS, {effort.chains} chains, {effort.betas} betas"
    return ais if model.nade is None else f"the lower of {ais}, and importance sampling by NADE"


@torch.no_grad()
def _add(sums: _Sums, model: SequenceModel, stretch: Stretch, effort: Effort, generator: torch.Generator) -> None:
    """Adds the figures of a stretch of frames."""
    (v, before, past), n = stretch, model.config.n_pitches
    if model.rbm is not None:
        found = rbm_likelihood(model, v, past, effort.chains, effort.betas, generator)
    else:
        found = nade_likelihood(model, v, past, effort.chains, generator)
    if model.nade is not None:
        sums.nade += float(log_probability(model.nade, v, past).sum())
    sums.log_p += float(found.log_p.sum())
    sums.variance += float(found.variance.sum())
    truth = v[:, :n].bool()
    hits, union = _overlap(found.particles[..., :n].bool(), truth.unsqueeze(1))
    copy_hits, copy_union = _overlap(torch.cat([before[:n].bool().unsqueeze(0), truth[:-1]]), truth)
    sums.hits, sums.union = sums.hits + hits, sums.union + union
    sums.copy_hits, sums.copy_union = sums.copy_hits + copy_hits, sums.copy_union + copy_union
    sums.frames += len(v)


@torch.no_grad()
def _add_pseudo(sums: _Sums, model: SequenceModel, v: Tensor, past: Past) -> None:
    """Adds the pseudo log-likelihood of frames v [N, V]: under NADE every unit is flipped in turn."""
    sums.pseudo_frames += len(v)
    if model.rbm is not None:
        b_v, b_h = model.rbm.biases(past)
        for part in (slice(start, start + PSEUDO_CHUNK) for start in range(0, len(v), PSEUDO_CHUNK)):
            sums.pseudo += float(rbm.pseudo_log_likelihood(v[part], model.rbm.W, b_v[part], b_h[part]).sum())
        return
    assert model.nade is not None
    as_is = log_probability(model.nade, v, past)
    for unit in range(v.shape[1]):
        flipped = v.clone()
        flipped[:, unit] = 1 - flipped[:, unit]
        sums.pseudo -= float(F.softplus(log_probability(model.nade, flipped, past) - as_is).sum())


def _overlap(predicted: Tensor, truth: Tensor) -> tuple[int, int]:
    """True positives, and these with all false positives and negatives, summed over frames and samples."""
    return int((predicted & truth).sum()), int((predicted | truth).sum())


def _play(model: SequenceModel, pieces: list[PianoRoll], frames: int, seed: int, controls: Controls) -> list[PianoRoll]:
    """What the model plays alone, from the live partner's chain start, `frames` frames in all.

    Each piece is as long as one of the data. One long one would say little: what it once falls into it stays in.
    """
    improviser, played, left = Improviser(model, seed), list[PianoRoll](), frames
    for roll in itertools.cycle(pieces):
        improviser.forget(-roll.downbeat, roll.bar_beats)
        played.append(generate(improviser, min(len(roll), left), controls))
        left -= len(played[-1])
        if left <= 0:
            break
    return played


def _free_run(played: list[PianoRoll], pieces: list[PianoRoll]) -> dict[str, Any]:
    """How the model plays alone, beside the data's own figures."""
    ours, data = (_texture(rolls) for rolls in (played, pieces))
    return {**ours, **{f"{name}_data": value for name, value in data.items()}}


def _texture(rolls: list[PianoRoll]) -> dict[str, Any]:
    """`struck` is the share of what sounds in a frame that is struck there, `struck_again` the share of these strikes
    that follow one of the same pitch in the frame before."""
    frames = sum(len(roll) for roll in rolls)
    repeated = sum(int((roll.sounding[1:] == roll.sounding[:-1]).all(axis=1).sum()) for roll in rolls)
    struck = sum(int(roll.struck.sum()) for roll in rolls)
    struck_again = sum(int((roll.struck[1:] & roll.struck[:-1]).sum()) for roll in rolls)
    notes = np.concatenate([roll.sounding.sum(axis=1) for roll in rolls])
    pitches = np.sum([roll.sounding.sum(axis=0, dtype=np.int64) for roll in rolls], axis=0)
    classes = np.bincount((np.arange(len(pitches)) + rolls[0].low) % 12, weights=pitches, minlength=12)
    return {
        "notes_per_frame": float(notes.mean()),
        "repeated": repeated / max(1, frames - len(rolls)),
        "silent": float((notes == 0).mean()),
        "struck": struck / max(1, int(notes.sum())),
        "struck_again": struck_again / max(1, struck),
        "polyphony": _shares(np.bincount(np.minimum(notes, POLYPHONY), minlength=POLYPHONY + 1)),
        "pitch_classes": _shares(classes),
    }


def _shares(counts: NDArray[Any]) -> list[float]:
    return [round(float(share), 4) for share in counts / max(1, counts.sum())]
