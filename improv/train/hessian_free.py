"""Hessian-free optimisation (Martens, ICML 2010; Martens & Sutskever, ICML 2011): Newton's method on the Gauss-Newton
matrix, which is never formed, only multiplied by vectors inside conjugate gradients.

With outputs z of the parameters, their Jacobian J and a convex loss L(z) of gradient g, an update solves

    (G + damping I) x = -g        G = J^T L''(z) J
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

Product = Callable[[Tensor], Tensor]

DECAY = 0.95  # of the last update's solution, where conjugate gradients start (Martens & Sutskever 2011)
PROBES = 8  # random vectors that estimate the diagonal of G
POWER = 0.75  # of the preconditioner (Martens 2010, section 4.7)
TOLERANCE = 0.0005  # mean gain of a step, as a share of all gained, at which conjugate gradients stop (section 4.4)
SPACING = 1.3  # ratio of the step numbers whose iterates are kept for backtracking (section 4.6)
BOOST = 1.5  # of the damping where the quadratic model proves wrong; its inverse where it proves right (section 4.1)
SLOPE, SHRINK, TRIALS = 0.01, 0.8, 40  # of the line search: sufficient decrease, and how it steps back


class HessianFree:
    """An optimiser that wants large batches: the whole training set where that is small.

    Args:
        parameters: what to train; those that require no gradient are left alone.
        damping: of the first update; it then adapts itself.
        cg_steps: most steps of conjugate gradients in an update.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], damping: float = 0.01, cg_steps: int = 100) -> None:
        self.parameters = [parameter for parameter in parameters if parameter.requires_grad]
        self.damping, self.cg_steps = damping, cg_steps
        self.direction = torch.zeros_like(_flat(self.parameters))
        self.rng = torch.Generator(self.direction.device).manual_seed(0)

    def step(self, outputs_of: Callable[[], Tensor], loss_of: Callable[[Tensor], Tensor]) -> float:
        """One update, after which the loss is never higher.

        Args:
            outputs_of: computes the outputs from the parameters as they are. It is called many times, so it must be
                free of chance (no dropout) and of caches (a model in training mode keeps none).
            loss_of: a scalar of such outputs, the sum of a convex function of each.

        Returns:
            The loss before the update.
        """
        with torch.backends.cudnn.flags(enabled=False):  # it cannot differentiate twice
            local = GaussNewton(self.parameters, outputs_of(), loss_of)
        origin = _flat(self.parameters).detach()

        @torch.no_grad()
        def loss_after(update: Tensor) -> float:
            self._set(origin + update)
            loss = float(loss_of(outputs_of()))
            return loss if math.isfinite(loss) else math.inf

        update, loss = backtrack(self._solve(local), loss_after)
        self._set(origin)
        self._adapt(loss - local.loss, local.change(update))
        self._set(origin + line_search(update, loss_after, local.loss, float(local.gradient @ update)))
        return local.loss

    def state_dict(self) -> dict[str, Any]:
        """What the next update depends on beside the parameters."""
        return {"damping": self.damping, "direction": self.direction, "rng": self.rng.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from what `state_dict` gave.

        Raises:
            ValueError: it belongs to other parameters.
        """
        if state["direction"].shape != self.direction.shape:
            raise ValueError("the state of the optimiser belongs to another model")
        self.damping = float(state["damping"])
        self.rng.set_state(state["rng"].cpu())
        self.direction = state["direction"].to(self.direction, copy=True)

    def _solve(self, local: "GaussNewton") -> list[Tensor]:
        """Ever better solutions of the damped system, of which the last is remembered as the next start."""
        scale = (local.diagonal(self.rng) + self.damping) ** POWER
        solutions = conjugate_gradients(
            lambda x: local.times(x) + self.damping * x,
            -local.gradient,
            DECAY * self.direction,
            lambda residual: residual / scale,
            self.cg_steps,
        )
        self.direction = solutions[-1]
        return solutions

    def _adapt(self, change: float, foretold: float) -> None:
        """Levenberg-Marquardt: the damping falls where the loss fell as the quadratic model foretold."""
        if foretold >= 0 or change > foretold / 4:
            self.damping *= BOOST
        elif change < foretold * 3 / 4:
            self.damping /= BOOST

    def _set(self, weights: Tensor) -> None:
        parts = torch.split(weights, [parameter.numel() for parameter in self.parameters])
        for parameter, part in zip(self.parameters, parts, strict=True):
            parameter.data.copy_(part.view_as(parameter))  # .data: the graph of the first outputs is needed again


class GaussNewton:
    """The quadratic model of a loss around the parameters that `outputs` were computed from.

    Attributes:
        loss, gradient: there; the gradient [N] over all parameters end to end.
    """

    def __init__(self, parameters: list[nn.Parameter], outputs: Tensor, loss_of: Callable[[Tensor], Tensor]) -> None:
        self.parameters, self.outputs = parameters, outputs
        z = outputs.detach().requires_grad_()
        loss = loss_of(z)
        (slope,) = torch.autograd.grad(loss, z, create_graph=True)
        (self.curvature,) = torch.autograd.grad(slope.sum(), z)  # L'' is diagonal
        self.loss, self.gradient = float(loss.detach()), self._pulled(slope.detach())
        self._cotangent = torch.zeros_like(z, requires_grad=True)
        self._pullback = self._pulled(self._cotangent, create_graph=True)

    def times(self, vector: Tensor) -> Tensor:
        """G vector, [N]."""
        return self._pulled(self.curvature * self._pushed(vector))

    def change(self, update: Tensor) -> float:
        """What an update [N] would add to the loss if the model were right."""
        moved = self._pushed(update)
        return float(self.gradient @ update + (moved * self.curvature * moved).sum() / 2)

    def diagonal(self, rng: torch.Generator) -> Tensor:
        """An estimate of the diagonal of G without bias, [N] (Chapelle & Erhan 2011)."""
        shape, device = self.curvature.shape, self.curvature.device
        signs = (torch.randint(2, shape, generator=rng, device=device) * 2.0 - 1 for _ in range(PROBES))
        return torch.stack([self._pulled(self.curvature.sqrt() * sign) ** 2 for sign in signs]).mean(0)

    def _pushed(self, vector: Tensor) -> Tensor:
        """J vector: J^T is linear, so its own gradient is J, which serves where forward mode lacks the LSTM."""
        return torch.autograd.grad(self._pullback, self._cotangent, vector, retain_graph=True)[0]

    def _pulled(self, cotangent: Tensor, create_graph: bool = False) -> Tensor:
        """J^T cotangent, [N]."""
        tensors = self.outputs, self.parameters, cotangent
        return _flat(torch.autograd.grad(*tensors, True, create_graph, materialize_grads=True))


def conjugate_gradients(times: Product, b: Tensor, x: Tensor, precondition: Product, steps: int) -> list[Tensor]:
    """Solves A x = b for a positive definite A, given as `times`, from the start `x`.

    Ends when the quadratic x.Ax / 2 - b.x hardly falls any more, which for a model of the loss is what matters.

    Returns:
        Some of the iterates, ever further apart, the solution last.
    """
    residual = b - times(x)
    conditioned = precondition(residual)
    direction, error = conditioned, residual @ conditioned
    values, kept, following = [float(-x @ (b + residual) / 2)], [], 1.0
    for step in range(1, steps + 1):
        if not error > 0:
            break
        turned = times(direction)
        length = error / (direction @ turned)
        x, residual = x + length * direction, residual - length * turned
        conditioned = precondition(residual)
        previous, error = error, residual @ conditioned
        direction = conditioned + error / previous * direction
        values.append(float(-x @ (b + residual) / 2))
        if step >= following:
            kept.append(x)
            following *= SPACING
        if _hardly_falls(values):
            break
    return kept if kept and kept[-1] is x else [*kept, x]


def backtrack(solutions: list[Tensor], loss_after: Callable[[Tensor], float]) -> tuple[Tensor, float]:
    """The update among `solutions` from which on, going back from the last, the loss rises; and the loss after it."""
    best, least = solutions[-1], loss_after(solutions[-1])
    for earlier in solutions[-2::-1]:
        loss = loss_after(earlier)
        if loss > least:
            break
        best, least = earlier, loss
    return best, least


def line_search(update: Tensor, loss_after: Callable[[Tensor], float], loss: float, slope: float) -> Tensor:
    """`update`, shortened until the loss falls enough for it (Armijo's condition); zero if it never does."""
    for trial in range(TRIALS):
        rate = SHRINK**trial
        if loss_after(rate * update) <= loss + min(0.0, SLOPE * rate * slope):
            return rate * update
    return torch.zeros_like(update)


def _hardly_falls(values: list[float]) -> bool:
    step = len(values) - 1
    span = max(10, step // 10)
    return step > span and values[-1] < 0 and values[-1] - values[-1 - span] > span * TOLERANCE * values[-1]


def _flat(tensors: Iterable[Tensor]) -> Tensor:
    return torch.cat([tensor.flatten() for tensor in tensors])
