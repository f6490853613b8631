"""How good a model is: likelihood, accuracy, and how it plays when left alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from improv.errors import ImprovError
from improv.knobs import Controls
from improv.live.generate import generate
from improv.live.improviser import Improviser
from improv.model import rbm
from improv.model.rnn_rbm import RnnRbm
from improv.music.pianoroll import PianoRoll
from improv.train.likelihood import in_chunks
from improv.train.trainer import conditioning

PSEUDO_CHUNK = 64  # frames whose every flip is weighed at once


@dataclass(frozen=True)
class Effort:
    """How much work an evaluation puts in: AIS particles per frame and annealing steps, frames of free running."""

    chains: int = 16
    betas: int = 300
    free_frames: int = 2000


def evaluate(
    model: RnnRbm,
    pieces: list[PianoRoll],
    effort: Effort,
    seed: int = 0,
    on_frames: Callable[[int], None] = lambda _n: None,
) -> dict[str, Any]:
    """All figures of `improv eval` over the pieces, by the names of the command line's contract.

    `log_likelihood` is the mean over all frames in nats, `log_likelihood_error` the standard error that AIS adds to it;
    accuracies are in 0..1 (Bay et al. 2009).

    Raises:
        ImprovError: a piece covers other pitches than the model.
    """
    config, n = model.config, model.config.n_pitches
    if any((roll.low, roll.n_pitches) != (config.low, n) for roll in pieces):
        raise ImprovError(f"the data has other pitches than the model, which covers {n} from {config.low}")
    encoded = [model.inputs(roll.frames, -roll.downbeat, roll.bar_beats) for roll in pieces]
    with torch.no_grad():
        v, u = conditioning(model, encoded)
        b_v, b_h = model.biases(u)
        generator = torch.Generator().manual_seed(seed)
        z = in_chunks(model.W, b_v, b_h, effort.chains, effort.betas, generator, on_frames)
        log_likelihood = -rbm.free_energy(v, model.W, b_v, b_h) - z.log_z
    previous = torch.cat([torch.cat([torch.zeros(1, n), piece[:-1, :n]]) for piece in encoded])
    return {
        "log_likelihood": float(log_likelihood.mean()),
        "log_likelihood_error": float(z.variance.sum().sqrt() / len(v)),
        "estimator": f"AIS, {effort.chains} chains, {effort.betas} betas",
        "pseudo_log_likelihood": _pseudo(model, v, b_v, b_h),
        "accuracy": _accuracy(z.particles[..., :n], v[:, :n].unsqueeze(1)),
        "copy_accuracy": _accuracy(previous, v[:, :n]),
        "frames": len(v),
        "free_run": _free_run(model, pieces, effort.free_frames, seed),
    }


def _pseudo(model: RnnRbm, v: Tensor, b_v: Tensor, b_h: Tensor) -> float:
    with torch.no_grad():
        total = sum(
            float(rbm.pseudo_log_likelihood(v[part], model.W, b_v[part], b_h[part]).sum())
            for part in (slice(start, start + PSEUDO_CHUNK) for start in range(0, len(v), PSEUDO_CHUNK))
        )
    return total / len(v)


def _accuracy(predicted: Tensor, truth: Tensor) -> float:
    """True positives over true positives, false positives and false negatives, summed over all frames and samples."""
    predicted, truth = predicted.bool(), truth.bool()
    hits, union = (predicted & truth).sum(), (predicted | truth).sum()
    return float(hits / union) if union else 1.0


def _free_run(model: RnnRbm, pieces: list[PianoRoll], frames: int, seed: int) -> dict[str, float]:
    """How the model plays alone, at the live partner's default k and chain start, beside the data's own figures."""
    played = generate(Improviser(model, seed), frames, Controls()).sounding
    ours = _texture([played])
    data = _texture([roll.sounding for roll in pieces])
    return {**ours, **{f"{name}_data": value for name, value in data.items()}}


def _texture(rolls: list[NDArray[np.uint8]]) -> dict[str, float]:
    frames = sum(len(roll) for roll in rolls)
    repeated = sum(int((roll[1:] == roll[:-1]).all(axis=1).sum()) for roll in rolls)
    return {
        "notes_per_frame": sum(int(roll.sum()) for roll in rolls) / frames,
        "repeated": repeated / max(1, frames - len(rolls)),
        "silent": sum(int((~roll.any(axis=1)).sum()) for roll in rolls) / frames,
    }
