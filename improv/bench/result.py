"""One figure of a benchmark."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """A figure beside what it is measured against.

    Attributes:
        name: what was measured, in the words of the table.
        value: the figure, in `unit`.
        unit: `us`, `ms`, `s`, `frames/s` and the like.
        reference: the reference's figure in the same unit, measured in the same run; None where there is none.
        reference_name: what the reference is.
    """

    name: str
    value: float
    unit: str
    reference: float | None = None
    reference_name: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times better than the reference `value` is, a rate being better the higher it is and all else the
        lower; None where there is no reference."""
        if self.reference is None or not self.value or not self.reference:
            return None
        return self.value / self.reference if self.unit.endswith("/s") else self.reference / self.value
