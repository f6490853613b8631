"""The knobs a player turns, each declared once: command line, panel and engine all read this."""

from collections.abc import Mapping
from dataclasses import dataclass

from improv.errors import ImprovError


@dataclass(frozen=True)
class Knob:
    """A number the player may change at any moment.

    Attributes:
        name: the word used on the command line and in messages.
        unit: what stands behind the value on the panel.
        low, high: the range, both ends included.
        default: the value at start.
        step: the smallest change a hand makes.
        help: one line for a musician.
        logarithmic: whether equal turns multiply the value rather than add to it.
    """

    name: str
    unit: str
    low: float
    high: float
    default: float
    step: float
    help: str
    logarithmic: bool = False

    @property
    def integral(self) -> bool:
        """Whether only whole numbers make sense."""
        return self.step == int(self.step) and self.low == int(self.low)

    @property
    def range(self) -> str:
        """Both ends, as a person reads them."""
        return f"{self.low:g}..{self.high:g} {self.unit}".rstrip()

    def check(self, value: float) -> float:
        """`value`, rounded where only whole numbers make sense.

        Raises:
            ImprovError: the value is outside the range or not a number.
        """
        if not self.low <= value <= self.high:  # also refuses NaN
            raise ImprovError(f"{self.name} must lie in {self.range}, got {value:g}")
        return float(round(value)) if self.integral else float(value)

    def text(self, value: float) -> str:
        """The value with its unit, as a person reads it."""
        number = f"{value:.0f}" if self.integral else f"{value:.2f}"
        return f"{number} {self.unit}".rstrip()


TEMPO = Knob("tempo", "BPM", 20, 300, 120, 1, "quarter notes per minute")
TEMPERATURE = Knob(
    "temperature", "", 0.2, 3.0, 1.0, 0.05, "times the model's own: below 1 the partner plays safe, above 1 it dares"
)
K = Knob("k", "steps", 1, 2000, 8, 1, "Gibbs steps per frame: more make it richer and more restless", logarithmic=True)

KNOBS: dict[str, Knob] = {knob.name: knob for knob in (TEMPO, TEMPERATURE, K)}


@dataclass(frozen=True)
class Controls:
    """What the knobs say about one frame: `k` Gibbs steps at `temperature`."""

    temperature: float = TEMPERATURE.default
    k: int = int(K.default)

    @classmethod
    def of(cls, values: Mapping[str, float]) -> "Controls":
        """What these values of the knobs, by their names, say."""
        return cls(values[TEMPERATURE.name], int(values[K.name]))
