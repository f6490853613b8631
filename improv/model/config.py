"""What fixes the shape and the meaning of a model."""

from dataclasses import dataclass

from improv.music.meter import n_positions
from improv.music.pianoroll import LOW, N_PITCHES
from improv.music.published import MUSICAL, RULES
from improv.music.recall import N_LEVELS

CORES = ("tanh", "gru", "lstm")
ESTIMATORS = ("rbm", "nade", "both")
SIZES = {"hidden": (1, 8192), "recurrent": (1, 8192), "tied": (0, 1024), "low": (0, 127), "n_pitches": (1, 128)}
MIN_GRID, MAX_GRID = 0.001, 64.0
HEATS = ("temperature", "solo")  # on which none of the weights depends
MIN_TEMPERATURE, MAX_TEMPERATURE = 0.1, 10.0


@dataclass(frozen=True)
class Config:
    """Everything that fixes the shape and the meaning of a model.

    Attributes:
        estimator: what models a frame given the past: `rbm`, `nade`, or `both` side by side, where NADE proposes the
            start of the RBM's chain.
        hidden: number of hidden units, of the RBM and of NADE each; where a core is tied the RBM's are shared out
            evenly among the pitches.
        core: `tanh` (the paper's), `gru` or `lstm`.
        recurrent: number of the core's recurrent units.
        tied: number of recurrent units that every pitch has to itself, their weights shared by all pitches; 0 for none.
            NADE's weights are then shared by all pitches too.
        grid: beats per frame.
        dt: seconds per frame, where the model was trained on such; `grid` then holds them as beats at 120 BPM.
        onsets: whether a second visible unit per pitch tells struck from held.
        bars: whether the core is told the place in the bar of the frame to come.
        recall: whether the core is told what followed when the music last went as it goes now.
        normalised: whether pieces were moved to C major or C minor.
        rules: how notes became frames, one of RULES.
        learn_u0: whether the initial state is learned; it is zero otherwise.
        temperature: of the chain where the player's knob stands at 1; none of the weights depends on it.
        solo: times that temperature while the partner plays alone. What suits the accompaniment of a player is too cold
            there: hearing nobody but itself, it hammers what it has struck once.
        low, n_pitches: the MIDI pitch of the first visible unit, and how many pitches there are.
    """

    estimator: str = "rbm"
    hidden: int = 150
    core: str = "tanh"
    recurrent: int = 100
    tied: int = 0
    grid: float = 0.25
    dt: float | None = None
    onsets: bool = True
    bars: bool = True
    recall: bool = False
    normalised: bool = True
    rules: str = MUSICAL
    learn_u0: bool = False
    temperature: float = 1.0
    solo: float = 1.0
    low: int = LOW
    n_pitches: int = N_PITCHES

    @property
    def channels(self) -> int:
        """Visible units of a pitch: one, or two where onsets are told apart."""
        return 2 if self.onsets else 1

    @property
    def n_visible(self) -> int:
        """Visible units: all pitches' first ones, then all pitches' second ones."""
        return self.n_pitches * self.channels

    @property
    def heard_channels(self) -> int:
        """Inputs of the core for a pitch: its visible units and, where there is recall, those of the frame recalled."""
        return self.channels * (2 if self.recall else 1)

    @property
    def n_heard(self) -> int:
        """Inputs of the core for all pitches."""
        return self.n_pitches * self.heard_channels

    @property
    def n_told(self) -> int:
        """Inputs of the core of no pitch: how much like the present what is recalled was, and the place in the bar."""
        return (N_LEVELS if self.recall else 0) + (n_positions(self.grid) if self.bars else 0)

    @property
    def n_inputs(self) -> int:
        """Inputs of the core: of a frame that is over, and what is known of the next."""
        return self.n_heard + self.n_told

    @property
    def hidden_per_pitch(self) -> int:
        """Hidden units that each pitch has in an RBM beside a tied core."""
        return max(1, self.hidden // self.n_pitches)

    @property
    def has_rbm(self) -> bool:
        """Whether an RBM models the frames."""
        return self.estimator != "nade"

    @property
    def has_nade(self) -> bool:
        """Whether a NADE models the frames."""
        return self.estimator != "rbm"

    def check(self) -> None:
        """Raises ValueError where a value is of the wrong type or outside its range."""
        for name, (low, high) in SIZES.items():
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise ValueError(f"{name} must be a whole number in {low}..{high}, got {value!r}")
        for name in ("onsets", "bars", "recall", "normalised", "learn_u0"):
            if type(getattr(self, name)) is not bool:
                raise ValueError(f"{name} must be true or false, got {getattr(self, name)!r}")
        for name, choices in (("core", CORES), ("estimator", ESTIMATORS), ("rules", RULES)):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)}, got {getattr(self, name)!r}")
        if not isinstance(self.grid, int | float) or not MIN_GRID <= self.grid <= MAX_GRID:
            raise ValueError(f"grid must lie in {MIN_GRID:g}..{MAX_GRID:g} beats, got {self.grid!r}")
        if self.dt is not None and not (isinstance(self.dt, int | float) and 0 < self.dt <= MAX_GRID):
            raise ValueError(f"dt must lie in 0..{MAX_GRID:g} seconds, got {self.dt!r}")
        for name in HEATS:
            value = getattr(self, name)
            if not isinstance(value, int | float) or not MIN_TEMPERATURE <= value <= MAX_TEMPERATURE:
                raise ValueError(f"{name} must lie in {MIN_TEMPERATURE:g}..{MAX_TEMPERATURE:g}, got {value!r}")
        if self.low + self.n_pitches > 128:
            raise ValueError(f"the pitches {self.low}..{self.low + self.n_pitches - 1} leave MIDI's 0..127")
