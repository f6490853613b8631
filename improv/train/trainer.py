"""Training: epochs over the pieces, checkpoints, and going on where it stopped."""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Callable
from dataclasses import asdict, astuple, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from improv.errors import ImprovError
from improv.model import checkpoint
from improv.model.config import HEATS, Config
from improv.model.sequence_model import SequenceModel
from improv.music.pianoroll import PianoRoll
from improv.train.batches import Batches
from improv.train.distributed import ALONE, World
from improv.train.learner import Learner, Phase
from improv.train.likelihood import sketch
from improv.train.recipe import Recipe

DIFFERENCES = 3  # between two trainings' settings that are told at once
PRETRAINING = 1_000_000  # epochs of pretraining are numbered from here, so that their choices are their own


@dataclass(frozen=True)
class Epoch:
    """What one pass over the training pieces came to.

    Attributes:
        number: from 1.
        monitor: mean over the updates, in nats a frame, of what the estimator gives in passing: for the RBM the
            log-probability of a frame in the last step of its negative chain, the tutorial's curve where that starts
            at the data; for NADE alone the log-likelihood.
        valid: log-likelihood of validation frames in nats a frame (see likelihood.sketch); NaN without any.
        seconds: time it took, validation included.
        estimator: what was validated, `rbm` or `nade`; nothing in pretraining.
    """

    number: int
    monitor: float
    valid: float
    seconds: float
    estimator: str = "rbm"


@dataclass(frozen=True)
class Place:
    """Where a training stands: epochs done, pretraining included, updates of the next one, these updates' monitors."""

    epochs: int = 0
    updates: int = 0
    monitor: float = 0.0


def last_path(out: Path) -> Path:
    """Where the state to resume from is kept, beside the best model `out`."""
    return out.with_name(f"{out.stem}.last{out.suffix}")


def device_before(out: Path) -> str:
    """The device of the training whose best model is `out`, as its last checkpoint says; empty where that does not."""
    path = last_path(out)
    return str(checkpoint.load(path)[1].get("device", "")) if path.exists() else ""


class Trainer:
    """Trains one model; keeps the best in `out` and the last, with all it needs to go on, beside it.

    Every random choice of an epoch is drawn from (seed, epoch), so that a run which was interrupted and resumed ends
    exactly where an uninterrupted one does.

    Where the recipe averages the weights, it is the average that is validated and kept in `out`.

    Attributes:
        stopping: set it from a signal, and `run` ends after the update at hand, having kept where it is.
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
        world: World = ALONE,
    ) -> None:
        recipe.check(config.estimator)
        torch.manual_seed(seed)
        self.config, self.recipe, self.out, self.seed = config, recipe, out, seed
        self.device, self.world = torch.device(device), world
        self.model = SequenceModel(config)
        self.pieces, self.valid = train, valid
        for roll in [*train, *valid]:
            _check_pitches(roll, config)
        self._data = _fingerprint([*train, *valid])
        self.history: list[Epoch] = []
        self.best = -math.inf
        self.best_epoch = 0
        self.stopping = False
        self._place = Place()
        if recipe.base_rates:
            self._set_base_rates()
        self.model.to(self.device)
        self.batches = Batches(self.model, train, seed)
        self.learner = Learner(self.model, recipe, self.world)

    @property
    def frames(self) -> int:
        """Frames in an epoch."""
        return sum(len(piece) for piece in self.pieces)

    @property
    def epochs(self) -> int:
        """Epochs of the whole training, those of pretraining left out."""
        return sum(phase.epochs for phase in self.learner.phases if phase.estimator)

    @property
    def all_epochs(self) -> int:
        """Epochs of the whole training, pretraining included."""
        return len(self._schedule())

    @property
    def epochs_done(self) -> int:
        """How many of them are over."""
        return self._place.epochs

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
            last = self.recipe.last_epochs
            # What there was not yet when it was written is as if it had not been given. More epochs may be asked for,
            # and another temperature: no weight depends on it.
            then = asdict(Recipe()) | state["recipe"]
            then["rbm_constant"] = state["recipe"].get("rbm_constant", then["constant"])  # which once stood for both
            recipe = {**then, last: getattr(self.recipe, last)}
            config = replace(model.config, **{name: getattr(self.config, name) for name in HEATS})
            there = asdict(config) | recipe | {"seed": state["seed"]}
            here = asdict(self.config) | asdict(self.recipe) | {"seed": self.seed}
            if others := [name for name in here | there if here.get(name) != there.get(name)]:
                raise ImprovError(f"{path} was trained with other settings ({_named(others, there, here)}): give the "
                                  "same ones, or another --out")  # fmt: skip
            if state["data"] != self._data:
                raise ImprovError(f"{path} was trained on other data: give the same files, or another --out")
            self._place = Place(*state["place"])
            if self._place.epochs > self.all_epochs:
                raise ImprovError(f"{path} has {self._place.epochs} epochs already: give as many at least, not "
                                  f"{self.all_epochs}")  # fmt: skip
            begun = self._place.epochs if self._place.updates else self._place.epochs - 1
            self.learner.begin(self._schedule()[max(0, begun)][0])
            self.learner.load_state_dict(state)
            self.history = [Epoch(**epoch) for epoch in state["history"]]
            self.best, self.best_epoch = state["best"], state["best_epoch"]
            if self.best_epoch and not self.out.exists():
                raise ImprovError(f"{self.out}, the best model so far, is gone: put it back, or train anew with "
                                  "--overwrite")  # fmt: skip
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise ImprovError(f"{path} does not hold what is needed to go on: train anew without --resume") from error
        self.model.load_state_dict(model.state_dict())
        return len(self.history)

    def run(self, on_frames: Callable[[int], None], on_epoch: Callable[[Epoch], None]) -> None:
        """Trains until the recipe's epochs are done, patience is, or `stopping` is set. `on_frames` hears of progress,
        `on_epoch` of every result, of pretraining too.

        Raises:
            ImprovError: the weights grew beyond all numbers, or a checkpoint cannot be written.
        """
        self.world.check_same(zlib.crc32(repr((self._data, self.history, self._place)).encode()))
        if self._place == Place() and not self.out.exists():  # shows at once, not after an hour, whether it can be
            self._save()
        for phase, number, progress in self._schedule()[self._place.epochs :]:
            if self._out_of_patience(phase):
                self._place = Place(self._place.epochs + 1)
                continue
            if phase is not self.learner.phase:
                self._begin(phase)
            started = time.perf_counter()
            monitor = self._train_epoch(number, progress, on_frames)
            if monitor is None:
                return
            if phase.estimator:
                epoch = Epoch(number, monitor, self.validate(), time.perf_counter() - started, phase.estimator)
                self._keep(epoch)
            else:
                epoch = Epoch(number + 1 - PRETRAINING, monitor, math.nan, time.perf_counter() - started, "")
                self._save()
            on_epoch(epoch)
            if self.world.total(self.stopping):
                return

    def _schedule(self) -> list[tuple[Phase, int, float]]:
        """Every epoch of the training: its phase, its number, and where it stands in the phase, 0..1."""
        found, first = list[tuple[Phase, int, float]](), {True: PRETRAINING, False: 1}
        for phase in self.learner.phases:
            before = phase in self.learner.pretraining
            found += [(phase, first[before] + done, done / phase.epochs) for done in range(phase.epochs)]
            first[before] += phase.epochs
        return found

    def _begin(self, phase: Phase) -> None:
        """Goes over to `phase`; what follows the main one starts from the best that came before."""
        if phase is self.learner.polishing or phase is self.learner.settling:
            best, _ = checkpoint.load(self.out)
            self.model.load_state_dict(best.state_dict())
        self.learner.begin(phase)

    def _out_of_patience(self, phase: Phase) -> bool:
        """Whether what is left of `phase` is left out, as it got no better for so long."""
        first = min(number for scheduled, number, _ in self._schedule() if scheduled is phase)
        waited = sum(epoch.number > max(self.best_epoch, first - 1) for epoch in self.history)
        return bool(self.recipe.patience) and waited >= self.recipe.patience

    def validate(self) -> float:
        """The `valid` of an Epoch, now."""
        if not self.valid:
            return math.nan
        return self.world.of_first(
            lambda: sketch(self.learner.averaged.eval(), self.valid, self.seed, self.learner.phase.estimator)
        )

    def _train_epoch(self, number: int, progress: float, on_frames: Callable[[int], None]) -> float | None:
        """One pass over the pieces, at `progress` of its phase, or what is left of it; the mean of the monitor, None
        where it was stopped."""
        self.model.train()
        recipe, rows, place = self.learner.phase.recipe, self.world.rows, self._place
        batches = self.batches.epoch(number, recipe)
        for index in range(place.updates, len(batches)):
            windows = batches[index]
            batch = self.batches.make(number, windows, recipe, rows) if windows[rows] else None
            frames = sum(window.end - window.start for window in windows)
            done = progress + index / len(batches) / self.learner.phase.epochs
            monitor = self.learner.update(batch.to(self.device) if batch else None, frames, done)
            place = Place(place.epochs, index + 1, place.monitor + self.world.total(monitor) / frames)
            on_frames(frames)
            if self.world.total(self.stopping) and index + 1 < len(batches):
                self._place = place
                self._save()
                return None
        if not all(parameter.isfinite().all() for parameter in self.model.parameters()):
            raise ImprovError(f"training diverged in epoch {number}: give a smaller --learning-rate, or --clip 1")
        self._place = Place(place.epochs + 1)
        return place.monitor / len(batches)

    def _keep(self, epoch: Epoch) -> None:
        """Writes the last checkpoint, and the best where this epoch is it (the last one without validation, the first
        one that validates the RBM)."""
        begins = bool(self.history) and self.history[-1].estimator != epoch.estimator  # another thing is validated
        self.history.append(epoch)
        score = epoch.valid if self.valid else epoch.number
        if begins or score > self.best:
            self.best, self.best_epoch = score, epoch.number
        self._save()

    def _save(self) -> None:
        state = self.learner.state_dict()
        if not self.world.first:
            return
        latest = self.history[-1].number if self.history else 0
        if self.best_epoch == latest and not self._place.updates:
            checkpoint.save(self.out, self.learner.averaged, **self._record())
        checkpoint.save(last_path(self.out), self.model, **self._record(), **state)

    def _record(self) -> dict[str, Any]:
        return {
            "recipe": asdict(self.recipe),
            "seed": self.seed,
            "device": self.device.type,
            "data": self._data,
            "history": [asdict(epoch) for epoch in self.history],
            "place": list(astuple(self._place)),
            "best": self.best,
            "best_epoch": self.best_epoch,
        }

    def _set_base_rates(self) -> None:
        """b_v at the log-odds of every unit's frequency, so that training need not first learn what never sounds."""
        count = sum(self.model.encode(piece.frames.sum(axis=0, dtype=np.int64)) for piece in self.pieces)
        rate = torch.from_numpy((count + 0.5) / (self.frames + 1)).float()
        for estimator in (self.model.rbm, self.model.nade):
            if estimator is not None:
                estimator.b_v.data = torch.log(rate / (1 - rate))


def _named(others: list[str], there: dict[str, Any], here: dict[str, Any]) -> str:
    """The first of these settings, and how many more there are."""
    named = [f"{name.replace('_', '-')} {there.get(name)}, not {here.get(name)}" for name in others[:DIFFERENCES]]
    return "; ".join([*named, f"and {len(others) - DIFFERENCES} more"] if len(others) > DIFFERENCES else named)


def _check_pitches(roll: PianoRoll, config: Config) -> None:
    if (roll.low, roll.n_pitches) != (config.low, config.n_pitches):
        theirs = f"--low {roll.low} --n-pitches {roll.n_pitches}"
        raise ImprovError(f"a piece covers {roll.n_pitches} pitches from {roll.low}, the model {config.n_pitches} "
                          f"from {config.low}: give {theirs}, or MIDI files")  # fmt: skip


def _fingerprint(pieces: list[PianoRoll]) -> int:
    """A number that tells this music from any other."""
    checksum = 0
    for piece in pieces:
        checksum = zlib.crc32(np.ascontiguousarray(piece.frames).data, checksum)
        checksum = zlib.crc32(repr((len(piece), piece.bar_beats, piece.downbeat)).encode(), checksum)
    return checksum
