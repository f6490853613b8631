"""One figure of a benchmark, and what is demanded of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Bar:
    """A demand on a figure.

    Attributes:
        sense: `at least` or `at most`.
        limit: in the figure's unit, or how many times.
        of: what is compared, `value` or `ratio`.
    """

    sense: str
    limit: float
    of: str = "value"

    def __str__(self) -> str:
        return f"{self.sense} {shown(self.limit)}{'x' if self.of == 'ratio' else ''}"


def shown(figure: float) -> str:
    """Four digits, or all that stand before the point: no note among thousands is rounded away."""
    return f"{figure:.0f}" if abs(figure) >= 1000 else f"{figure:.4g}"


def at_most(limit: float) -> Bar:
    """The value must not exceed `limit`."""
    return Bar("at most", limit)


def at_least(limit: float) -> Bar:
    """The value must reach `limit`."""
    return Bar("at least", limit)


def times_better(limit: float) -> Bar:
    """The value must be so many times better than the reference; below 1, it may be worse by so much."""
    return Bar("at least", limit, "ratio")


@dataclass(frozen=True)
class Result:
    """A figure beside what it is measured against.

    Attributes:
        name: what was measured, in the words of the table.
        value: the figure, in `unit`.
        unit: `us`, `ms`, `s`, `frames/s` and the like.
        reference: the reference's figure in the same unit, measured in the same run; None where there is none.
        reference_name: what the reference is.
        bar: what is demanded; None where nothing is.
    """

    name: str
    value: float
    unit: str
    reference: float | None = None
    reference_name: str = ""
    bar: Bar | None = None

    @property
    def ratio(self) -> float | None:
        """How many times better than the reference `value` is, a rate being better the higher it is and all else the
        lower; None where there is no reference."""
        if self.reference is None or not self.value or not self.reference:
            return None
        return self.value / self.reference if self.unit.endswith("/s") else self.reference / self.value

    @property
    def met(self) -> bool | None:
        """Whether what is demanded is reached; None where nothing is."""
        if self.bar is None:
            return None
        figure = self.value if self.bar.of == "value" else self.ratio
        if figure is None:
            return False
        return bool(figure >= self.bar.limit if self.bar.sense == "at least" else figure <= self.bar.limit)

    def to_dict(self) -> dict[str, Any]:
        """All of it by name, for JSON."""
        return asdict(self) | {"ratio": self.ratio, "met": self.met}
