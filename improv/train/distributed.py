"""One training shared among processes, on one machine or on several, as torchrun starts them.

Every process takes its rows of every batch, and the gradients of all are summed: all make the same update, the one that
a single process would have made, to rounding. That may tip a unit of an RBM's negative chain, after which the weights,
though learned from the same batches, part; NADE's stay together. The first process alone writes files and prints.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from improv.errors import ImprovError

Result = TypeVar("Result")

PATIENCE = timedelta(days=1)
"""So long one process waits for another: the first may read a large corpus meanwhile. One that has died is noticed."""


class OtherEnded(ImprovError):
    """Another process of the training ended before its time."""


@dataclass(frozen=True)
class World:
    """All processes of a training, as one of them sees them.

    Attributes:
        rank: the number of this process, from 0.
        size: how many there are.
        local_rank: the number of this process on its machine, from 0.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and prints."""
        return self.rank == 0

    @property
    def rows(self) -> slice:
        """This process's share of the rows of a batch; of a small batch it may be none."""
        return slice(self.rank, None, self.size)

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Gives every parameter the sum of its gradients in all processes; none where no process has one.

        Raises:
            OtherEnded: this and all that follow, where a process is gone.
        """
        if self.size == 1:
            return
        learned = [parameter for parameter in parameters if parameter.requires_grad]
        parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in learned]
        present = learned[0].new_tensor([p.grad is not None for p in learned])
        everything = torch.cat([part.flatten() for part in [*parts, present]])
        self._sum(everything)
        *sums, present = torch.split(everything, [part.numel() for part in [*parts, present]])
        for parameter, total, there in zip(learned, sums, present.tolist(), strict=True):
            parameter.grad = total.view_as(parameter) if there else None

    def total(self, value: float) -> float:
        """The sum of a number over all processes."""
        return self._sum(torch.tensor(value, dtype=torch.float64)).item()

    def of_first(self, value: Callable[[], float]) -> float:
        """A number that the first process works out for all."""
        return self.total(value() if self.first else 0.0)

    def gather_rows(self, rows: Tensor) -> None:
        """Fills in the rows [B, ...], of which every process has kept its own up to date, from the others."""
        own = torch.zeros_like(rows)
        own[self.rows] = rows[self.rows]
        rows.copy_(self._sum(own))

    def check_same(self, fact: int) -> None:
        """Waits for the others, which must know the same.

        Raises:
            ImprovError: they do not.
        """
        known = torch.zeros(self.size, dtype=torch.int64)
        known[self.rank] = fact % 2**63
        if len(set(self._sum(known).tolist())) > 1:
            raise ImprovError(
                "the processes do not see the same files: give DATA and --out where every machine has them"
            )

    def in_turn(self, work: Callable[[], Result]) -> Result:
        """`work`, done by the first process of every machine before the others, which find what it has kept."""
        if self.local_rank == 0:
            result = work()
        self.total(0)
        if self.local_rank:
            result = work()
        return result

    def _sum(self, values: Tensor) -> Tensor:
        if self.size > 1:
            try:
                dist.all_reduce(values)
            except RuntimeError as error:
                raise OtherEnded("another process of this training ended: the same command with --resume goes on after "
                                 "the last epoch") from error  # fmt: skip
        return values


ALONE = World()


@contextmanager
def join(device: str) -> Iterator[World]:
    """The processes that torchrun started with this one, or this one alone; all are there when the block begins.

    In all but the first, standard output and standard error are silent in the block.

    Args:
        device: `cpu` or `cuda`; with the latter the process computes on the GPU of its local rank.

    Raises:
        ImprovError: there are not enough GPUs, or the others cannot be reached.
    """
    size = int(os.environ.get("WORLD_SIZE", "1")) if dist.is_torchelastic_launched() else 1
    if size == 1:
        yield ALONE
        return
    world = World(int(os.environ["RANK"]), size, int(os.environ["LOCAL_RANK"]))
    _meet(world, device)
    if world.first:
        yield world
    else:
        with open(os.devnull, "w") as nowhere:
            try:
                with redirect_stdout(nowhere), redirect_stderr(nowhere):
                    yield world
            except (OtherEnded, KeyboardInterrupt):  # the first tells it
                raise SystemExit(1) from None
            except ImprovError as error:
                raise ImprovError(f"in process {world.rank}: {error}") from error
    dist.destroy_process_group()


def _meet(world: World, device: str) -> None:
    if device == "cuda":
        if torch.cuda.device_count() <= world.local_rank:
            raise ImprovError(f"there are {torch.cuda.device_count()} GPUs here: "
                              "give torchrun no more processes than that, or improv --device cpu")  # fmt: skip
        torch.cuda.set_device(world.local_rank)
    try:
        dist.init_process_group("cpu:gloo,cuda:nccl" if device == "cuda" else "gloo", timeout=PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise ImprovError(f"cannot reach the other processes: {str(error).splitlines()[0]}") from error
