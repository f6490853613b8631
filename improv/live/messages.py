"""What the panel says to the engine (commands) and what the engine says back (reports): one JSON object a line.

The engine lives in a process of its own; plain text on a pipe can be read by a person and executes nothing.
"""

import json
from dataclasses import dataclass, field, fields
from typing import Any

# --- commands -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Play:
    """Start the clock from beat 0 and a new take."""


@dataclass(frozen=True)
class Stop:
    """Stop the clock, release every note, keep the take."""


@dataclass(frozen=True)
class Panic:
    """Release every note on every output at once; the clock runs on."""


@dataclass(frozen=True)
class Quit:
    """Stop, close the ports and end the process."""


@dataclass(frozen=True)
class Left:
    """Nobody steers the engine any more: its standard input has closed. Quit, or play on, as was set."""


@dataclass(frozen=True)
class SetKnob:
    """Turn the knob `name` (one of improv.knobs.KNOBS) to `value`."""

    name: str
    value: float


@dataclass(frozen=True)
class SetMode:
    """Play in the mode `name` (one of improv.live.modes.MODES)."""

    name: str


@dataclass(frozen=True)
class SetSync:
    """Let `name` keep the beat (one of improv.live.sync.SYNCS)."""

    name: str


@dataclass(frozen=True)
class SetKey:
    """Play in the key `name`: `auto` to follow the player, else as in `C major`, `F# minor`, `Bb`."""

    name: str


@dataclass(frozen=True)
class SetModel:
    """Load the checkpoint at `path` and go on with it."""

    path: str


@dataclass(frozen=True)
class SetInput:
    """Listen to `port` (see improv.live.ports for what can be named)."""

    port: str


@dataclass(frozen=True)
class SetOutput:
    """Play to `ports`, all of them."""

    ports: list[str]


@dataclass(frozen=True)
class PlayNote:
    """A key of the on-screen piano went down, or up where `velocity` is 0."""

    pitch: int
    velocity: int


Setting = SetKnob | SetMode | SetSync | SetKey | SetModel | SetInput | SetOutput
Command = Play | Stop | Panic | Quit | Left | Setting | PlayNote

# --- reports ------------------------------------------------------------------------------------------------------

TAKE = "take"  # what a Problem may be about


@dataclass(frozen=True)
class Status:
    """Where the engine stands, some twenty times a second.

    Attributes:
        state: `loading` (no model yet), `stopped` or `playing`.
        beat: musical time since play, in beats.
        bar_beats: beats in a bar.
        key: the key the partner plays in, such as `G major`; empty while unknown.
        turn: whose turn it is: `player`, `partner` or `both`.
        knobs: the value of every knob by name.
        missed: frames that were not ready at their tick since play.
        compute_ms: time the last frame took to compute.
        lateness_ms: the largest lateness of a tick in the last second.
        inputs, outputs: the ports in use by name, with whether each is connected.
        sampler: the implementation that runs the chain.
        chosen: why that one, in one line.
        steps: Gibbs steps of the last frame: fewer than k where there was no time for more.
        sync: what keeps the beat, one of improv.live.sync.SYNCS.
        following: whether the tempo is that of another program's clock.
        priority: `realtime` where the system puts the engine's loop before other programs, else `normal`.
    """

    state: str
    beat: float = 0.0
    bar_beats: float = 4.0
    mode: str = ""
    key: str = ""
    turn: str = ""
    model: str = ""
    knobs: dict[str, float] = field(default_factory=dict)
    missed: int = 0
    compute_ms: float = 0.0
    lateness_ms: float = 0.0
    inputs: dict[str, bool] = field(default_factory=dict)
    outputs: dict[str, bool] = field(default_factory=dict)
    sampler: str = ""
    chosen: str = ""
    steps: int = 0
    sync: str = "internal"
    following: bool = False
    priority: str = ""


@dataclass(frozen=True)
class Sounded:
    """A note began (velocity 1..127) or ended (0). `part` is `player` or `partner`, `beat` is since play."""

    part: str
    pitch: int
    velocity: int
    beat: float


@dataclass(frozen=True)
class Ports:
    """What can be connected now, by name; sent at start and whenever it changes.

    `cables` are the ports of others that are connected to the virtual ones, by kind: `input` or `output`.
    """

    backend: str
    inputs: list[str]
    outputs: list[str]
    cables: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Problem:
    """Something went wrong: one line in plain words. `fatal` says that the engine ends because of it.

    `about` names the thing it is about, such as a port: what was said about that before is out of date. About TAKE it
    says that what was played is not kept where it was to be.
    """

    text: str
    fatal: bool = False
    about: str = ""


@dataclass(frozen=True)
class Notice:
    """Something is well again, or was done: one line in plain words. `about` as in Problem."""

    text: str
    about: str = ""


@dataclass(frozen=True)
class TakeBegun:
    """A take is being recorded, to be kept at `path`."""

    path: str


@dataclass(frozen=True)
class TakeKept:
    """The take is on disk at `path`; where it was `empty`, not a note was played and nothing was written.

    `begun` is the path in TakeBegun, where that could not be written; else it is empty.
    """

    path: str
    empty: bool = False
    begun: str = ""


Report = Status | Sounded | Ports | Problem | Notice | TakeBegun | TakeKept

_KINDS: dict[str, type] = {
    kind.__name__: kind
    for kind in (
        *(Play, Stop, Panic, Quit, Left, SetKnob, SetMode, SetSync, SetKey, SetModel, SetInput, SetOutput, PlayNote),
        *(Status, Sounded, Ports, Problem, Notice, TakeBegun, TakeKept),
    )
}


def encode(message: Command | Report) -> str:
    """The message as one line of JSON, its kind under `is`, with the newline."""
    return json.dumps({"is": type(message).__name__, **vars(message)}) + "\n"


def decode(line: str) -> Any:
    """The message in a line that `encode` wrote.

    Raises:
        ValueError: the line is not such a message.
    """
    try:
        values = json.loads(line)
        kind = _KINDS[values.pop("is")]
        known = {item.name for item in fields(kind)}
        return kind(**{name: value for name, value in values.items() if name in known})
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
        raise ValueError(f"not a message: {line[:80]!r}") from error
