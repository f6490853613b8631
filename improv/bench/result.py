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
        """How many times `value` the reference is; None where there is none."""
        return self.reference / self.value if self.reference is not None and self.value else None
