"""Pictures of piano-rolls."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from improv.files import replace_file
from improv.music.pianoroll import PianoRoll
from improv.music.score import DEFAULT_BAR_BEATS, Note, roll_to_notes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg", ".pdf")
"""The kinds of picture that can be drawn."""

# Blue and vermilion of the palette of M. Okabe and K. Ito (2008), which every kind of colour vision tells apart. The
# partner is blue wherever it is drawn.
PARTNER, OTHERS = "#0072B2", "#D55E00"
TEXT, FAINT_TEXT, BAR_LINE, _BEAT_LINE, _PITCH_LINE = "#222222", "#666666", "#b8b8b8", "#ededed", "#d4d4d4"
_WIDTH, _LEFT, _RIGHT, _ABOVE, _BELOW = 14.0, 0.6, 0.25, 0.75, 0.4  # inches
_SEMITONE, _LOWEST_ROW, _HIGHEST_ROW = 0.09, 1.4, 3.6  # inches
_BARS_IN_A_ROW, _MOST_ROWS = 16, 12
_HELD_ALPHA = 0.4


@dataclass(frozen=True)
class Page:
    """How the picture is divided: `n_bars` in rows of `row_bars`, pitches from `low` up to, not including, `high`."""

    n_bars: int
    row_bars: int
    bar_beats: float
    low: int
    high: int

    @property
    def n_rows(self) -> int:
        """Rows of bars."""
        return math.ceil(self.n_bars / self.row_bars)

    @property
    def row_height(self) -> float:
        """In inches, without the margin below."""
        return min(max((self.high - self.low) * _SEMITONE, _LOWEST_ROW), _HIGHEST_ROW)

    @property
    def height(self) -> float:
        """In inches."""
        return _ABOVE + self.n_rows * (self.row_height + _BELOW)


def draw_roll(
    parts: Mapping[str, PianoRoll],
    path: Path | str,
    title: str,
    tempo: float | None = None,
    key: str = "",
    bar_beats: float = DEFAULT_BAR_BEATS,
) -> None:
    """Draw parts, by name, as one piano-roll: pale while held, full colour where struck.

    A long piece is wrapped into rows, like a printed score. `tempo` (BPM) and `key` stand beside the title.
    Bars begin where the rolls' downbeats are: before an upbeat the first one is empty. The suffix of `path`, one of
    SUFFIXES, says what kind of picture it becomes.

    Raises:
        ImprovError: the picture cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    upbeat = max((before_first_bar(roll, bar_beats) for roll in parts.values()), default=0.0)
    notes = {name: notes_from(upbeat, roll) for name, roll in parts.items()}
    beats = upbeat + max((len(roll) * roll.grid for roll in parts.values()), default=0.0)
    page = _page(beats, [note.pitch for part in notes.values() for note in part], bar_beats)
    figure = Figure(figsize=(_WIDTH, page.height), dpi=110, facecolor="white")
    FigureCanvasAgg(figure)
    facts = [f"{tempo:.4g} BPM" if tempo else "", key]
    _heading(figure, list(parts), page, title, ", ".join(filter(None, facts)))
    for row in range(page.n_rows):
        bottom = page.height - _ABOVE - row * (page.row_height + _BELOW) - page.row_height
        width = _WIDTH - _LEFT - _RIGHT
        box = (_LEFT / _WIDTH, bottom / page.height, width / _WIDTH, page.row_height / page.height)
        axes = figure.add_axes(box)
        draw_row(axes, notes, row * page.row_bars, page)
        axes.text(-0.012, -0.012, "bar", transform=axes.transAxes, ha="right", va="top", fontsize=9, color=FAINT_TEXT)
    save_figure(figure, Path(path))


def save_figure(figure: Figure, path: Path) -> None:
    """Writes a figure; the suffix of `path`, one of SUFFIXES, says what kind of picture it becomes.

    Raises:
        ImprovError: it cannot be written.
    """
    picture = io.BytesIO()
    figure.savefig(picture, format=path.suffix[1:].lower())
    replace_file(path, picture.getvalue())


def before_first_bar(roll: PianoRoll, bar_beats: float) -> float:
    """How far into a bar the roll begins, in beats, for its downbeat to be on a bar line."""
    return -roll.downbeat * roll.grid % bar_beats


def notes_from(beat: float, roll: PianoRoll) -> list[Note]:
    """The notes of a roll that begins at `beat`."""
    return [replace(note, onset=note.onset + beat, end=note.end + beat) for note in roll_to_notes(roll)]


def _page(beats: float, pitches: list[int], bar_beats: float) -> Page:
    n_bars = max(math.ceil(beats / bar_beats - 1e-9), 1)
    row_bars = n_bars
    if n_bars > _BARS_IN_A_ROW:
        rows = min(math.ceil(n_bars / _BARS_IN_A_ROW), _MOST_ROWS)
        row_bars = math.ceil(n_bars / rows / 4) * 4  # phrases have multiples of four bars
    low, high = min(pitches, default=60) - 1, max(pitches, default=60) + 2
    missing = max(14 - (high - low), 0)
    return Page(n_bars, row_bars, bar_beats, low - missing // 2, high + missing - missing // 2)


def _heading(figure: Figure, names: list[str], page: Page, title: str, subtitle: str) -> None:
    from matplotlib.patches import Patch

    y = 1 - 0.38 / page.height
    left = _LEFT / _WIDTH
    figure.text(left, y, title, color=TEXT, fontsize=15, fontweight="bold", va="center", parse_math=False)
    if subtitle:
        figure.text(left, y - 0.22 / page.height, subtitle, color=FAINT_TEXT, fontsize=10, va="center")
    labels = [Patch(color=_colour(name), label=name) for name in names]
    figure.legend(
        handles=labels,
        loc="center right",
        bbox_to_anchor=(1 - _RIGHT / _WIDTH, y),
        ncols=max(len(labels), 1),
        frameon=False,
        borderaxespad=0,
    )


def draw_row(axes: Axes, parts: Mapping[str, list[Note]], first_bar: int, page: Page) -> None:
    """One row of a piano-roll: the notes of `parts`, by name, in the bars from `first_bar` on."""
    begin, end = first_bar * page.bar_beats, (first_bar + page.row_bars) * page.bar_beats
    axes.set_xlim(begin, end)
    axes.set_ylim(page.low - 0.5, page.high - 0.5)
    _ruling(axes, first_bar, page)
    onset_width = (end - begin) / 450
    for index, (name, part) in enumerate(parts.items()):
        shown = [note for note in part if note.onset < end and note.end > begin]
        height = 0.92 if index == 0 else 0.6  # slimmer, so that both are seen where they share a pitch
        _blocks(axes, shown, math.inf, height, _colour(name), _HELD_ALPHA)
        _blocks(axes, shown, onset_width, height, _colour(name), 1)


def _blocks(axes: Axes, notes: list[Note], longest: float, height: float, colour: str, alpha: float) -> None:
    from matplotlib.collections import PolyCollection

    left = np.array([note.onset for note in notes])
    right = np.array([min(note.end, note.onset + longest) for note in notes])
    bottom = np.array([note.pitch - height / 2 for note in notes])
    corners = [(left, bottom), (left, bottom + height), (right, bottom + height), (right, bottom)]
    blocks = np.array(corners).transpose(2, 0, 1)  # [n, 4, 2]
    axes.add_collection(
        PolyCollection(list(blocks), facecolor=colour, alpha=alpha, linewidth=0, snap=False, zorder=3), autolim=False
    )


def _ruling(axes: Axes, first_bar: int, page: Page) -> None:
    step = math.ceil(page.row_bars / 24)
    bars = range(first_bar, min(first_bar + page.row_bars, page.n_bars) + 1)
    lines = [bar * page.bar_beats for bar in bars[::step]]
    axes.vlines(lines, page.low - 0.5, page.high - 0.5, color=BAR_LINE, linewidth=0.8, zorder=1)
    if step == 1:
        beats = [bar * page.bar_beats + beat for bar in bars[:-1] for beat in range(1, math.ceil(page.bar_beats))]
        axes.vlines(beats, page.low - 0.5, page.high - 0.5, color=_BEAT_LINE, linewidth=0.6, zorder=0)
    names = [(pitch, f"C{pitch // 12 - 1}") for pitch in range(page.low, page.high) if pitch % 12 == 0]
    axes.set_yticks([pitch for pitch, _ in names], [name for _, name in names], color=TEXT, fontsize=9)
    axes.set_xticks([bar * page.bar_beats for bar in bars[:-1:step]], [str(bar + 1) for bar in bars[:-1:step]])
    axes.grid(axis="y", color=_PITCH_LINE, linewidth=0.8, zorder=0)
    axes.tick_params(length=0, labelcolor=FAINT_TEXT, labelsize=9)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)


def _colour(name: str) -> str:
    return PARTNER if name == "partner" else OTHERS
