"""How a model plays alone beside the music it is measured by, as a picture."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from improv.music.pianoroll import PianoRoll
from improv.music.plot import BAR_LINE, FAINT_TEXT, OTHERS, PARTNER, TEXT, Page, before_first_bar, draw_row, notes_from
from improv.music.score import Note

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.gridspec import GridSpec

SHOWN_BEATS = 32.0  # of a piano-roll
TITLE: dict[str, Any] = {"loc": "left", "fontsize": 11, "color": TEXT}
PITCH_CLASSES = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")


def comparison_figure(
    free_run: Mapping[str, Any], played: PianoRoll, pieces: Sequence[PianoRoll], title: str, *, in_seconds: bool = False
) -> Figure:
    """What `free_run` says (see evaluate), and some bars of what was played and of a piece of middling length.

    Time is told in bars, or `in_seconds` where frames last such.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14, 10), dpi=110, facecolor="white")
    _heading(figure, free_run, title)
    grid = figure.add_gridspec(3, 2, left=0.055, right=0.985, top=0.87, bottom=0.035, hspace=0.28, wspace=0.12)
    _histograms(figure, grid, free_run)
    piece = sorted(pieces, key=len)[len(pieces) // 2]
    rolls = {"partner": played, "data": piece}
    if in_seconds:  # where a beat is half a second
        rolls = {name: replace(roll, bar_beats=2.0, downbeat=0) for name, roll in rolls.items()}
    _stretches(figure, grid, rolls, "seconds" if in_seconds else "bars")
    return figure


def _heading(figure: Figure, free_run: Mapping[str, Any], title: str) -> None:
    from matplotlib.patches import Patch

    told = [
        f"notes per frame {free_run['notes_per_frame']:.2f} (data {free_run['notes_per_frame_data']:.2f})",
        f"repeated frames {100 * free_run['repeated']:.1f} % ({100 * free_run['repeated_data']:.1f} %)",
        f"silent frames {100 * free_run['silent']:.1f} % ({100 * free_run['silent_data']:.1f} %)",
    ]
    figure.text(0.055, 0.96, f"{title} playing alone", color=TEXT, fontsize=15, fontweight="bold", parse_math=False)
    figure.text(0.055, 0.933, "     ".join(told), color=FAINT_TEXT, fontsize=10)
    labels = [Patch(color=PARTNER, label="the model, alone"), Patch(color=OTHERS, label="the data")]
    figure.legend(handles=labels, loc="upper right", bbox_to_anchor=(0.985, 0.985), ncols=2, frameon=False,
                  borderaxespad=0)  # fmt: skip


def _histograms(figure: Figure, grid: GridSpec, free_run: Mapping[str, Any]) -> None:
    most = max(_most(free_run["polyphony"]), _most(free_run["polyphony_data"]))
    cut = len(free_run["polyphony"]) - 1  # stands for all that are more, too
    counts = [f"{count}+" if count == cut else str(count) for count in range(most + 1)]
    _histogram(figure.add_subplot(grid[0, 0]), "Notes at once", "of frames", counts, free_run, "polyphony")
    _histogram(figure.add_subplot(grid[0, 1]), "Pitch classes", "of notes", PITCH_CLASSES, free_run, "pitch_classes")


def _histogram(
    axes: Axes, title: str, unit: str, names: Sequence[str], free_run: Mapping[str, Any], figure: str
) -> None:
    """Two bars for every name: the shares of the model's own and the data's."""
    places = np.arange(len(names))
    for name, shift, colour in ((figure, -0.2, PARTNER), (f"{figure}_data", 0.2, OTHERS)):
        axes.bar(places + shift, 100 * np.array(free_run[name][: len(names)]), 0.38, color=colour)
    axes.set_title(title, **TITLE)
    axes.set_ylabel(f"% {unit}", color=FAINT_TEXT, fontsize=9)
    axes.set_ylim(bottom=0)
    axes.set_xticks(places, names)
    axes.tick_params(length=0, labelcolor=FAINT_TEXT, labelsize=9)
    axes.grid(axis="y", color=BAR_LINE, linewidth=0.5, alpha=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(BAR_LINE)


def _most(shares: Sequence[float]) -> int:
    """The last count that occurs."""
    return int(max(np.flatnonzero(shares), default=0))


@dataclass(frozen=True)
class _Stretch:
    """Bars `first` to `end`, counted from 0, of the `n_bars` of a roll, and the notes that sound there."""

    first: int
    end: int
    n_bars: int
    bar_beats: float
    notes: list[Note]


def _middle(roll: PianoRoll) -> _Stretch:
    """The middle of a roll, as long as is shown."""
    bar, upbeat = roll.bar_beats, before_first_bar(roll, roll.bar_beats)
    n_bars, n_shown = max(1, math.ceil((upbeat + len(roll) * roll.grid) / bar - 1e-9)), math.ceil(SHOWN_BEATS / bar)
    first = max(0, (n_bars - n_shown) // 2)
    end = first + n_shown
    notes = [note for note in notes_from(upbeat, roll) if note.onset < end * bar and note.end > first * bar]
    return _Stretch(first, end, n_bars, bar, notes)


def _stretches(figure: Figure, grid: GridSpec, rolls: Mapping[str, PianoRoll], unit: str) -> None:
    """The middle of every roll in a row of its own, all in the same pitches and the same measure of time."""
    stretches = {name: _middle(roll) for name, roll in rolls.items()}
    pitches = [note.pitch for stretch in stretches.values() for note in stretch.notes]
    low, high = min(pitches, default=60) - 1, max(pitches, default=71) + 2
    for row, (name, shown) in enumerate(stretches.items(), 1):
        axes = figure.add_subplot(grid[row, :])
        draw_row(
            axes,
            {name: shown.notes},
            shown.first,
            Page(shown.n_bars, shown.end - shown.first, shown.bar_beats, low, high),
        )
        told = "The model, alone" if name == "partner" else "A piece of the data"
        last = min(shown.end, shown.n_bars)
        axes.set_title(f"{told}: {unit} {shown.first + 1} to {last} of {shown.n_bars}", **TITLE)
