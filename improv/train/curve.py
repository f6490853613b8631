"""The training curve as a picture."""

import io
import math
from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from improv.files import replace_file
from improv.train.trainer import Epoch

MONITOR = "#0072b2"  # told apart by any eye (Okabe & Ito)
VALID = {"rbm": ("#d55e00", "RBM, estimate"), "nade": ("#009e73", "NADE, exact")}


def draw_curve(history: list[Epoch], path: Path, published: Mapping[int, float] | None = None) -> None:
    """Draws the monitor and the validation log-likelihood of every epoch into the PNG `path`.

    Args:
        published: the monitor after some epochs, as others have published it.

    Raises:
        ImprovError: it cannot be written.
    """
    buffer = io.BytesIO()
    curve_figure(history, published or {}).savefig(buffer, format="png", dpi=120)
    replace_file(path, buffer.getvalue())


def curve_figure(history: list[Epoch], published: Mapping[int, float]) -> Figure:
    """The same as a figure."""
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    numbers = [epoch.number for epoch in history]
    for estimator in dict.fromkeys(epoch.estimator for epoch in history):  # whose monitors are of different kinds
        told = [(epoch.number, epoch.monitor) for epoch in history if epoch.estimator == estimator]
        label = "monitor (training)" if estimator == history[0].estimator else None
        axes.plot(*zip(*told, strict=True), ".-", color=MONITOR, label=label)
    if published:
        axes.plot(*zip(*published.items(), strict=True), "k+", ms=10, label="monitor, as published")
    estimators = list(dict.fromkeys(epoch.estimator for epoch in history if not math.isnan(epoch.valid)))
    for estimator in estimators:
        validated = [epoch for epoch in history if epoch.estimator == estimator]
        color, name = VALID[estimator]
        curve = [epoch.number for epoch in validated], [epoch.valid for epoch in validated]
        axes.plot(*curve, ".-", color=color, label=f"log-likelihood (validation, {name})")
        best = max(validated, key=lambda epoch: epoch.valid)
        place = best.number, best.valid
        kept = estimator == estimators[-1]  # once the RBM is validated, a NADE's best is not
        fill, label = (color, "kept") if kept else ("none", None)
        axes.plot(*place, "o", ms=9, color=color, mfc=fill, label=label)
        axes.annotate(f"{best.valid:.3f}", place, (0, 8), textcoords="offset points", ha="center")
    axes.set_ylim(_range(history, published))
    axes.set(xlabel="epoch", ylabel="nats per frame", title="Training curve")
    last = max([numbers[-1], *published])
    edge = max(0.5, 0.05 * last)
    axes.set_xlim(numbers[0] - edge, last + edge)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(alpha=0.25)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def _range(history: list[Epoch], published: Mapping[int, float]) -> tuple[float, float]:
    """What the picture shows: everything, with room for a label, but the monitor of a validated RBM that learns after a
    NADE.

    That falls far below in its first epochs, and would leave but a line of all the rest.
    """
    shown = [*published.values(), *(epoch.valid for epoch in history)]
    first = history[0].estimator
    shown += [epoch.monitor for epoch in history if epoch.estimator == first or math.isnan(epoch.valid)]
    shown = [value for value in shown if math.isfinite(value)]
    low, high = min(shown, default=0.0), max(shown, default=0.0)
    room = max(0.15 * (high - low), 0.1)
    return low - room, high + room
