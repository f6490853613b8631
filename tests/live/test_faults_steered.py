"""What a hand at the panel can do to a partner that plays: no note is left, the take is kept, it stays in step."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from jack_machine import JackServer
from jam import Fault, Listener
from session import Session
from timing import FRAME, FRAME_SECONDS, MANY, SAME, away_from_a_grid, in_step, same_grid
from timing import TEMPO as MIDDLE

from improv.knobs import TEMPO
from improv.live.messages import Play, SetKnob, SetModel
from improv.model import checkpoint
from improv.model.config import Config
from improv.model.sequence_model import SequenceModel
from improv.music.midifile import read_score

pytestmark = pytest.mark.jack

SWEEPS, STEPS = 2, 50


@pytest.fixture
def session(jack_server: JackServer, tiny_model: Path, tmp_path: Path) -> Iterator[Session]:  # noqa: ARG001
    """An engine whose model is loaded."""
    playing = Session(tiny_model, tmp_path / "take.mid")
    playing.wait_for("stopped")
    yield playing
    playing.close()


@pytest.fixture
def listener(session: Session) -> Iterator[Listener]:
    """One who hears it, and has heard it begin."""
    with Listener() as hearing:
        hearing.attach()
        session.engine.send(Play())
        assert hearing.hears_more(MANY)
        yield hearing


def ends_well(session: Session, listener: Listener) -> bool:
    """Whether, told to end, it leaves no note sounding, and all that was heard is in the take."""
    kept = session.close() == 0 and len([n for n in read_score(session.take).notes if n.track == 2])
    return listener.sounding == set() and kept == len(listener.onsets)


def test_the_tempo_is_swept_from_end_to_end_in_a_second(session: Session, listener: Listener) -> None:
    session.engine.send(SetKnob("tempo", TEMPO.low))
    before = session.beat()
    sweep = [TEMPO.low + (TEMPO.high - TEMPO.low) * step / STEPS for step in range(STEPS + 1)]
    with Fault() as fault:
        for tempo in (*sweep, *reversed(sweep)) * SWEEPS:
            session.engine.send(SetKnob("tempo", tempo))
            time.sleep(1 / STEPS)
        session.engine.send(SetKnob("tempo", MIDDLE))
        after = session.beat()
    assert listener.hears_it_go_on(fault)
    frames = (after - before) / FRAME
    swept = [(round(note.beat / FRAME), note.pitch) for note in session.partner(before) if note.beat <= after]
    assert frames > SWEEPS * 10
    assert len({frame for frame, _ in swept}) > 0.3 * frames, "a gap"
    assert len(swept) - len(set(swept)) < 0.3 * len(swept), "a burst: what ticks at once is struck twice at one beat"
    assert in_step([note.beat for note in session.partner()], after)
    assert away_from_a_grid(listener.moments(since=fault.settled), FRAME_SECONDS) < SAME
    assert ends_well(session, listener)


@pytest.mark.parametrize("grid", [0.25, 1.0])
def test_the_model_is_changed(session: Session, listener: Listener, tmp_path: Path, grid: float) -> None:
    model = SequenceModel(Config(hidden=8, recurrent=8, grid=grid))
    assert model.rbm is not None
    model.rbm.b_v.data.fill_(-3.0)
    other = tmp_path / "other.pt"
    checkpoint.save(other, model)
    with Fault() as fault:
        session.engine.send(SetModel(str(other)))
        session.wait_for(str(other))
        changed = session.beat()
    assert listener.hears_it_go_on(fault)
    assert in_step([note.beat for note in session.partner()], changed, grid)
    assert same_grid(listener.moments(until=fault.began), listener.moments(since=fault.settled))
    assert ends_well(session, listener)
