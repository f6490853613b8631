"""How a model is trained."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from improv.errors import ImprovError


@dataclass(frozen=True)
class Recipe:
    """How a model is trained.

    Attributes:
        epochs: passes over the training pieces.
        patience: epochs without a better validation after which it goes over to what comes next, or stops; 0 for never.
        pretrain_frames: epochs before on single frames drawn in random order, conditioned on nothing.
        pretrain_core: epochs before in which the cores predict the next frame.
        polish_epochs: epochs afterwards without dropout. A model that has music enough needs none to generalise, and
            holds on more surely to what it plays when it has learned without.
        rbm_epochs: epochs after these in which the RBM alone learns, on the cores as NADE has taught them. Gradients of
            contrastive divergence are noisy and biased: they make worse cores than NADE's exact ones. 0 trains both at
            once.
        cd_steps: Gibbs steps of the negative sample (CD-k).
        persistent: whether the negative chains go on from update to update (PCD) rather than start at the data.
        elsewhere: share of the negative chains that start not at the data but, half each, at silence and at the frame
            before held on. From the data alone a short chain never meets the model's other modes, and nothing keeps
            them from growing: such a partner freezes when it plays alone.
        batch: subsequences per update.
        rbm_batch: the same for the `rbm_epochs`.
        length: frames of a subsequence at most.
        optimiser: `sgd`, `adam`, `adamw` or `hf` (Hessian-free, for NADE alone).
        pretrain_optimiser: of the pretraining; `hf` may pretrain the cores of any model.
        momentum, nesterov: of SGD.
        learning_rate: the rate at its height.
        polish_rate, rbm_rate: the same for the `polish_epochs` and the `rbm_epochs`.
        warm_up: share of the updates over which rate and momentum rise to it.
        constant: share of the updates after which the rate falls, to `final` of it.
        rbm_constant: the same for the `rbm_epochs`. As the rate falls an RBM grows sharp: likelier, but its modes part,
            and one that plays alone may stay in the quiet ones. With averaged weights it need not fall.
        decay: how it falls: `linear` or `cosine`.
        clip: gradient norm at most; 0 does not clip.
        input_dropout, state_dropout: share of zeroed units, of the core's input and of u; of what every pitch has to
            itself in a tied core, half that share.
        transpose: semitones up or down by which every subsequence is moved at random, at most.
        alone: share of subsequences that begin with nothing but their top voice in the core's ear, as a partner hears a
            player who has begun alone; what is learned is the whole frame all the same.
        weight_decay: the optimiser's.
        rbm_decay: the same for the `rbm_epochs`. Without it W grows until the chains no longer leave the data, and
            modes that no chain visits take over.
        average: how much of the averaged weights an update keeps (Polyak); 0 does not average.
        valid_share: share of the pieces held out to choose the best epoch by, where no others are given for it.
        base_rates: whether b_v starts at the log-odds of the note frequencies.
    """

    epochs: int = 30
    patience: int = 0
    pretrain_frames: int = 0
    pretrain_core: int = 0
    polish_epochs: int = 0
    rbm_epochs: int = 0
    cd_steps: int = 5
    persistent: bool = False
    elsewhere: float = 0.0
    batch: int = 32
    rbm_batch: int = 4
    length: int = 128
    optimiser: str = "adamw"
    pretrain_optimiser: str = "adamw"
    momentum: float = 0.0
    nesterov: bool = False
    learning_rate: float = 0.01
    polish_rate: float = 0.002
    rbm_rate: float = 0.02
    warm_up: float = 0.0
    constant: float = 0.4
    rbm_constant: float = 0.4
    final: float = 0.02
    decay: str = "linear"
    clip: float = 1.0
    input_dropout: float = 0.1
    state_dropout: float = 0.1
    transpose: int = 0
    alone: float = 0.0
    weight_decay: float = 0.0001
    rbm_decay: float = 0.05
    average: float = 0.0
    valid_share: float = 0.1
    base_rates: bool = True

    @property
    def plain_sgd(self) -> bool:
        """Whether updates are nothing but the gradient of one subsequence at the rate, as in the tutorial."""
        extras = (self.momentum, self.weight_decay, self.clip, self.input_dropout, self.state_dropout, self.average,
                  self.alone, self.elsewhere, self.persistent)  # fmt: skip
        return self.optimiser == "sgd" and self.batch == 1 and not any(extras)

    @property
    def last_epochs(self) -> str:
        """Which epochs come last, by the name of their field."""
        return "rbm_epochs" if self.rbm_epochs else "polish_epochs" if self.polish_epochs else "epochs"

    @property
    def only_hessian_free(self) -> bool:
        """Whether no update is of first order."""
        pretraining = self.pretrain_frames or (self.pretrain_core and self.pretrain_optimiser != "hf")
        return self.optimiser == "hf" and not pretraining

    def with_rbm_updates(self, least: int, lengths: Iterable[int]) -> "Recipe":
        """The same with `rbm_epochs` enough for `least` updates or so on pieces of such lengths, in frames."""
        subsequences = sum(1 + (length - 1) / self.length for length in lengths)  # on average: see Batches.epoch
        batches = max(1.0, subsequences / self.rbm_batch)
        return replace(self, rbm_epochs=max(self.rbm_epochs, math.ceil(least / batches)))

    def check(self, estimator: str) -> None:
        """Raises ImprovError where a value is outside its range, or does not go with the `estimator` of a model."""
        for name, (low, high) in RANGES.items():
            if not low <= getattr(self, name) <= high:
                raise ImprovError(f"{name} must lie in {low:g}..{high:g}, got {getattr(self, name):g}")
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise ImprovError(f"{name} must be one of {', '.join(choices)}, got {getattr(self, name)}")
        if self.optimiser == "hf" and estimator != "nade":
            raise ImprovError("hf needs an exact likelihood: give --estimator nade, or another --optimiser")
        if self.rbm_epochs and estimator != "both":
            raise ImprovError("the RBM can only learn after a NADE: give --estimator both, or --rbm-epochs 0")
        for name in ("momentum", "nesterov"):
            if getattr(self, name) and self.optimiser != "sgd":
                raise ImprovError(f"--{name} is of --optimiser sgd, not of {self.optimiser}: leave it out")
        if self.nesterov and not self.momentum:
            raise ImprovError("--nesterov is a kind of momentum: give --momentum too, as 0.9")


OPTIMISERS = ("sgd", "adam", "adamw", "hf")
CHOICES = {"optimiser": OPTIMISERS, "pretrain_optimiser": OPTIMISERS, "decay": ("linear", "cosine")}
RANGES = {
    "epochs": (1, 100_000), "patience": (0, 100_000), "pretrain_frames": (0, 100_000), "pretrain_core": (0, 100_000),
    "polish_epochs": (0, 100_000), "rbm_epochs": (0, 100_000), "polish_rate": (0, 10), "rbm_rate": (0, 10),
    "rbm_batch": (1, 4096), "cd_steps": (1, 10_000), "elsewhere": (0, 1), "batch": (1, 4096), "length": (2, 100_000),
    "momentum": (0, 0.9999), "learning_rate": (0, 10), "warm_up": (0, 1), "constant": (0, 1),
    "rbm_constant": (0, 1), "final": (0, 1),
    "clip": (0, 1e6), "input_dropout": (0, 0.95), "state_dropout": (0, 0.95), "transpose": (0, 12), "alone": (0, 1),
    "weight_decay": (0, 1), "rbm_decay": (0, 1), "average": (0, 0.99999), "valid_share": (0, 0.99),
}  # fmt: skip
