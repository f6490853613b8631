"""Training by contrastive divergence through time.

One update takes a batch of subsequences: the core runs over the frames, giving every frame's RBM its biases; CD-k draws
a negative sample in all of them at once, which is held constant; the gradient of F(v) - F(v*) flows through the biases
into the recurrent net (Boulanger-Lewandowski et al. 2012, section 4; Hinton 2002 for CD).
"""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from improv.errors import ImprovError
from improv.model import checkpoint, rbm
from improv.model.rnn_rbm import Config, RnnRbm
from improv.music.pianoroll import PianoRoll
from improv.train.likelihood import in_chunks
from improv.train.presets import Recipe

VALID_FRAMES, VALID_CHAINS, VALID_BETAS = 1000, 8, 100


@dataclass(frozen=True)
class Epoch:
    """What one pass over the training pieces came to.

    Attributes:
        number: from 1.
        monitor: mean log-probability of a training frame under its own CD reconstruction, the tutorial's curve.
        valid: log-likelihood of the validation frames in nats a frame, by a short AIS; NaN without any.
        seconds: time it took, validation included.
    """

    number: int
    monitor: float
    valid: float
    seconds: float


def last_path(out: Path) -> Path:
    """Where the state to resume from is kept, beside the best model `out`."""
    return out.with_name(f"{out.stem}.last{out.suffix}")


class Trainer:
    """Trains one model; keeps the best in `out` and the last, with all it needs to go on, beside it.

    Every random choice of an epoch is drawn from (seed, epoch), so that a run which was interrupted and resumed ends
    exactly where an uninterrupted one does.
    """

    def __init__(
        self,
        config: Config,
        recipe: Recipe,
        train: list[PianoRoll],
        valid: list[PianoRoll],
        out: Path,
        seed: int = 0,
        device: str = "cpu",
    ) -> None:
        recipe.check()
        torch.manual_seed(seed)
        self.config, self.recipe, self.out, self.seed = config, recipe, out, seed
        self.device = torch.device(device)
        self.model = RnnRbm(config)
        self.pieces = [self._encode(roll) for roll in train]
        self.valid = [self._encode(roll) for roll in valid]
        self._data = _fingerprint([*self.pieces, *self.valid])
        self.history: list[Epoch] = []
        self.best = -math.inf
        self.best_epoch = 0
        if recipe.base_rates:
            self._set_base_rates()
        self.model.to(self.device)
        self.optimiser = self._make_optimiser()

    @property
    def frames(self) -> int:
        """Frames in an epoch."""
        return sum(len(piece) for piece in self.pieces)

    def resume(self) -> int:
        """Goes on from the last checkpoint, if it is there and fits; returns the number of epochs already done.

        Raises:
            ImprovError: the checkpoint belongs to another configuration, recipe, seed or corpus, or is damaged.
        """
        path = last_path(self.out)
        if not path.exists():
            return 0
        model, state = checkpoint.load(path)
        try:
            recipe = {**state["recipe"], "epochs": self.recipe.epochs}  # more epochs may be asked for
            if model.config != self.config or recipe != asdict(self.recipe) or state["seed"] != self.seed:
                raise ImprovError(f"{path} was trained with other settings: give the same ones, or another --out")
            if state["data"] != self._data:
                raise ImprovError(f"{path} was trained on other data: give the same files, or another --out")
            self.optimiser.load_state_dict(state["optimiser"])
            self.history = [Epoch(**epoch) for epoch in state["history"]]
            self.best, self.best_epoch = state["best"], state["best_epoch"]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ImprovError(f"{path} does not hold what is needed to go on: train anew without --resume") from error
        self.model.load_state_dict(model.state_dict())
        return len(self.history)

    def run(self, on_frames: Callable[[int], None], on_epoch: Callable[[Epoch], None]) -> None:
        """Trains until the recipe's epochs are done. `on_frames` hears of progress, `on_epoch` of every result.

        Raises:
            ImprovError: the weights grew beyond all numbers, or a checkpoint cannot be written.
        """
        if not self.history and not self.out.exists():  # shows at once, not after an hour, whether it can be written
            self._save()
        for number in range(len(self.history) + 1, self.recipe.epochs + 1):
            started = time.perf_counter()
            torch.manual_seed(hash((self.seed, number)))
            monitor = self._train_epoch(number, on_frames)
            if not all(parameter.isfinite().all() for parameter in self.model.parameters()):
                raise ImprovError(f"training diverged in epoch {number}: give a smaller --learning-rate, or --clip 1")
            valid = self.validate()
            epoch = Epoch(number, monitor, valid, time.perf_counter() - started)
            self.history.append(epoch)
            self._keep(epoch)
            on_epoch(epoch)

    def validate(self) -> float:
        """Log-likelihood of up to VALID_FRAMES validation frames, nats a frame; NaN without any."""
        if not self.valid:
            return math.nan
        self.model.eval()
        with torch.no_grad():
            v, u = conditioning(self.model, self.valid)
            chosen = torch.linspace(0, len(v) - 1, min(VALID_FRAMES, len(v)), device=v.device).long()
            v, (b_v, b_h) = v[chosen], self.model.biases(u[chosen])
            generator = torch.Generator(self.device).manual_seed(self.seed)
            log_z = in_chunks(self.model.W, b_v, b_h, VALID_CHAINS, VALID_BETAS, generator).log_z
            return float((-rbm.free_energy(v, self.model.W, b_v, b_h) - log_z).mean())

    def _train_epoch(self, number: int, on_frames: Callable[[int], None]) -> float:
        self.model.train()
        windows = self._windows(number)
        updates = math.ceil(len(windows) / self.recipe.batch)
        total, frames = 0.0, 0
        for update in range(updates):
            progress = (number - 1 + update / updates) / self.recipe.epochs
            for group in self.optimiser.param_groups:
                group["lr"] = self.recipe.learning_rate * self._decay(progress)
            batch = windows[update * self.recipe.batch : (update + 1) * self.recipe.batch]
            inputs, mask = _pad([self.pieces[piece][start:end] for piece, start, end in batch])
            total += self._update(inputs.to(self.device), mask.to(self.device))
            frames += int(mask.sum())
            on_frames(int(mask.sum()))
        return total / frames

    def _update(self, inputs: Tensor, mask: Tensor) -> float:
        """One step on inputs [B, T, n_inputs], real where `mask` [B, T]; returns the sum of the monitor over frames."""
        v = inputs[..., : self.config.n_visible]
        u, _ = self.model.states(torch.cat([self._overheard(v), inputs[..., self.config.n_visible :]], dim=-1))
        b_v, b_h = self.model.biases(F.dropout(u, self.recipe.state_dropout)[mask])
        data = v[mask]
        weights = self.model.W
        start = self._chain_starts(v)[mask]
        sample, logits = rbm.gibbs(start, weights.detach(), b_v.detach(), b_h.detach(), self.recipe.cd_steps)
        cost = (rbm.free_energy(data, weights, b_v, b_h) - rbm.free_energy(sample, weights, b_v, b_h)).mean()
        self.optimiser.zero_grad()
        cost.backward()  # type: ignore[no-untyped-call]
        if self.recipe.clip:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip)
        self.optimiser.step()
        return float(rbm.reconstruction_log_likelihood(data, logits).sum())

    def _chain_starts(self, v: Tensor) -> Tensor:
        """Where the negative chains of v [B, T, V] start: see `elsewhere` of the recipe."""
        if not self.recipe.elsewhere:
            return v
        held = torch.cat([torch.zeros_like(v[:, :1]), v[:, :-1]], dim=1)
        held[..., self.config.n_pitches :] = 0  # nothing is struck
        chance = torch.rand(*v.shape[:2], 1, device=v.device)
        start = torch.where(chance < self.recipe.elsewhere, held, v)
        return torch.where(chance < self.recipe.elsewhere / 2, torch.zeros_like(v), start)

    def _overheard(self, v: Tensor) -> Tensor:
        """What the core hears of v [B, T, V] in training: see `alone` and `input_dropout` of the recipe."""
        batch, length, _ = v.shape
        if self.recipe.alone:
            ends = torch.rand(batch, 1, device=v.device) * length
            chosen = torch.rand(batch, 1, device=v.device) < self.recipe.alone
            alone = chosen & (torch.arange(length, device=v.device) < ends)
            v = torch.where(alone.unsqueeze(-1), v * self._top_voice(v), v)
        return F.dropout(v, self.recipe.input_dropout)

    def _top_voice(self, v: Tensor) -> Tensor:
        """One for the units of the highest sounding pitch of every frame, zero for all others, [B, T, V]."""
        n = self.config.n_pitches
        highest = n - 1 - v[..., :n].flip(-1).argmax(-1)
        return F.one_hot(highest, n).to(v.dtype).repeat(1, 1, self.config.n_visible // n)

    def _windows(self, number: int) -> list[tuple[int, int, int]]:
        """Subsequences (piece, first frame, end) of the epoch in random order.

        Where batches are shuffled anyway each piece is cut at a random phase; one at a time it is the tutorial's cuts.
        """
        rng = np.random.default_rng((self.seed, number))
        length = self.recipe.length
        windows = []
        for index, piece in enumerate(self.pieces):
            first = int(rng.integers(1, length + 1)) if self.recipe.batch > 1 else length
            cuts = [0, *range(first, len(piece), length), len(piece)]
            windows += [(index, start, end) for start, end in pairwise(cuts)]
        rng.shuffle(windows)
        return windows

    def _decay(self, progress: float) -> float:
        recipe = self.recipe
        if progress <= recipe.constant or recipe.constant >= 1:
            return 1.0
        return 1 - (1 - recipe.final) * (progress - recipe.constant) / (1 - recipe.constant)

    def _keep(self, epoch: Epoch) -> None:
        """Writes the last checkpoint, and the best where this epoch is it (the last one without validation)."""
        score = epoch.number if math.isnan(epoch.valid) else epoch.valid
        if score > self.best:
            self.best, self.best_epoch = score, epoch.number
        self._save()

    def _save(self) -> None:
        if self.best_epoch == len(self.history):
            checkpoint.save(self.out, self.model, **self._record())
        checkpoint.save(last_path(self.out), self.model, **self._record(), optimiser=self.optimiser.state_dict())

    def _record(self) -> dict[str, Any]:
        return {
            "recipe": asdict(self.recipe),
            "seed": self.seed,
            "data": self._data,
            "history": [asdict(epoch) for epoch in self.history],
            "best": self.best,
            "best_epoch": self.best_epoch,
        }

    def _encode(self, roll: PianoRoll) -> Tensor:
        if (roll.low, roll.n_pitches) != (self.config.low, self.config.n_pitches):
            raise ImprovError(f"a piece covers {roll.n_pitches} pitches from {roll.low}, "
                              f"the model {self.config.n_pitches} from {self.config.low}")  # fmt: skip
        return self.model.inputs(roll.frames, -roll.downbeat, roll.bar_beats)

    def _set_base_rates(self) -> None:
        """b_v at the log-odds of every unit's frequency, so that training need not first learn what never sounds."""
        count = torch.stack([piece.sum(0) for piece in self.pieces]).sum(0)
        rate = (count[: self.config.n_visible] + 0.5) / (self.frames + 1)
        self.model.b_v.data = torch.log(rate / (1 - rate))

    def _make_optimiser(self) -> torch.optim.Optimizer:
        parameters = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        if self.recipe.optimiser == "sgd":
            return torch.optim.SGD(parameters, lr=self.recipe.learning_rate)
        return torch.optim.AdamW(
            parameters, lr=self.recipe.learning_rate, betas=(0.9, 0.99), weight_decay=self.recipe.weight_decay
        )


def conditioning(model: RnnRbm, pieces: list[Tensor]) -> tuple[Tensor, Tensor]:
    """All frames of pieces of inputs [T_i, n_inputs] end to end, v [N, V], and the u of each, [N, recurrent]."""
    pieces = [piece.to(model.W.device) for piece in pieces]
    states = [model.states(piece.unsqueeze(0))[0][0] for piece in pieces]
    return torch.cat([piece[:, : model.config.n_visible] for piece in pieces]), torch.cat(states)


def _pad(pieces: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Pieces [T_i, n_inputs] as one batch [B, T, n_inputs] with the mask [B, T] of its real frames."""
    batch = torch.nn.utils.rnn.pad_sequence(pieces, batch_first=True)
    lengths = torch.tensor([len(piece) for piece in pieces])
    return batch, torch.arange(batch.shape[1]).unsqueeze(0) < lengths.unsqueeze(1)


def _fingerprint(pieces: list[Tensor]) -> int:
    """A number that tells this music from any other."""
    checksum = 0
    for piece in pieces:
        checksum = zlib.crc32(piece.numpy().tobytes(), checksum)
    return checksum
