import gc
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from improv.errors import ImprovError
from improv.knobs import Controls, K
from improv.live import warm_up
from improv.live.clock import RealClock
from improv.live.improviser import Improviser
from improv.live.jobs import Answer, Load, Loaded, Quicken, Sampler, Think
from improv.live.messages import Problem
from improv.live.mind import Mind
from improv.live.modes import Turn
from improv.live.thinker import Thinker
from improv.model import checkpoint
from improv.model.config import Config
from improv.model.sequence_model import SequenceModel
from improv.music.pianoroll import silence
from improv.sampling.calibration import Choice
from improv.sampling.devices import DEVICES
from improv.sampling.frames import BURN_IN

ALONE = Turn(partner_plays=True, clamped=False, whose="partner")
PATIENCE = 240.0  # seconds to compile in, on the slowest machine


def test_after_the_warm_up_nothing_is_compiled_any_more(tiny_model: Path) -> None:
    from improv.sampling.compiled import cached

    model, _ = checkpoint.load(tiny_model)
    warm_up.in_another_process(str(tiny_model))
    improviser = Improviser(model, 0)
    nobody = silence(model.config.n_pitches)

    def play() -> None:
        for k in (1, 25, int(K.high)):
            for clamped in (False, True):
                improviser.answer(nobody, Turn(True, clamped, "both"), Controls(k=k))
                improviser.hear(nobody, nobody)
        for _ in range(20):
            improviser.hear(nobody)
        improviser.forget()

    assert cached(play)


def test_a_model_that_cannot_be_loaded_is_no_success(tmp_path: Path) -> None:
    with pytest.raises(ImprovError, match=r"missing\.pt"):
        warm_up.in_another_process(str(tmp_path / "missing.pt"))


def test_the_compiling_process_ends_with_the_one_that_started_it(tiny_model: Path) -> None:
    command = [sys.executable, "-m", "improv.live.warm_up", str(tiny_model)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(PATIENCE) == 1, "it has not come to its end"


def test_another_thread_may_compile_while_one_asks_what_is_cached() -> None:
    from numba import njit

    from improv.sampling.compiled import cached

    results: list[int] = []

    f: Any = njit(lambda x: x + 1)

    def ask() -> None:
        other = threading.Thread(target=lambda: results.append(f(1)))
        other.start()
        other.join()

    assert cached(ask)
    assert results == [2]


def test_only_the_last_model_is_quickened(tiny_model: Path) -> None:
    mind = Mind()
    stale, last = (Load(str(tiny_model), 1, 25, "torch") for _ in range(2))
    mind.do(stale)
    mind.do(last)
    choice = Choice("torch", "")
    assert mind.do(Quicken(stale, choice)) is None
    assert mind.do(Quicken(last, choice)) == Sampler("torch", "")


def test_compiles_one_model_at_a_time(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once, most = 0, 0

    def compile_slowly(_model: str) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        time.sleep(0.1)
        at_once -= 1
        raise ImprovError("enough")

    monkeypatch.setattr(warm_up, "in_another_process", compile_slowly)
    clock = RealClock()
    thinker = Thinker(clock.inbox)
    model, _ = checkpoint.load(tiny_model)
    for _ in range(3):
        thinker._compile_aside(Load(str(tiny_model), 1, 25), model)
    for _ in range(3):
        problem = clock.wait(clock.now() + PATIENCE)
        assert isinstance(problem, Problem)
        assert problem.text.endswith(": enough")
    assert most == 1


@pytest.mark.slow
def test_torch_plays_until_what_is_faster_is_compiled(tiny_model: Path, tmp_path: Path) -> None:
    """In a process of its own: this one has compiled everything already."""
    code = f"from test_warm_up import play_at_once; from pathlib import Path; play_at_once(Path({str(tiny_model)!r}))"
    tests = [str(Path(__file__).parent), str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]
    import os

    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(tests)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def play_at_once(path: Path) -> None:
    """A thinker answers before anything is compiled, and goes on with the compiled chain when that is."""
    clock = RealClock()
    thinker = Thinker(clock.inbox)
    thinker.ask(Load(str(path), 1, 25))

    def result(kind: type) -> object:
        item = clock.wait(clock.now() + PATIENCE)
        assert isinstance(item, kind), item
        return item

    loaded = result(Loaded)
    assert isinstance(loaded, Loaded)
    assert loaded.sampler == "torch"

    def think(number: int) -> None:
        nobody = silence(loaded.n_pitches)
        heard = [(nobody, nobody)] * (number > 0)
        thinker.ask(Think(1, number, heard, nobody, ALONE, Controls(k=25), time.perf_counter() + PATIENCE))

    think(0)
    first = result(Answer)
    assert isinstance(first, Answer)
    assert first.steps == 25 + BURN_IN
    faster = result(Sampler)
    assert isinstance(faster, Sampler)
    assert faster.sampler in ("cpu", "torch")
    think(1)
    second = result(Answer)
    assert isinstance(second, Answer)
    assert np.isin(second.frame, (0, 1)).all()


def test_a_chain_stops_for_its_tick_and_the_answer_says_after_how_many_steps(tiny_model: Path) -> None:
    clock = RealClock()
    thinker = Thinker(clock.inbox)
    thinker.ask(Load(str(tiny_model), 1, 25, "torch"))
    loaded = clock.wait(clock.now() + PATIENCE)
    assert isinstance(loaded, Loaded)
    nobody, steps = silence(loaded.n_pitches), 10**7  # minutes of them
    tick = time.perf_counter()
    thinker.ask(Think(1, 0, [], nobody, ALONE, Controls(k=steps), tick))
    answer = clock.wait(clock.now() + PATIENCE)
    assert isinstance(answer, Answer)
    assert 0 < answer.steps < steps


def test_the_garbage_collector_is_as_it_was_after_loading_and_leaves_what_was_loaded_alone(tiny_model: Path) -> None:
    frozen = gc.get_freeze_count()
    Mind().do(Load(str(tiny_model), 1, 25, "torch"))
    assert gc.isenabled()
    assert gc.get_freeze_count() > frozen
    gc.unfreeze()


def test_nobody_speaks_of_a_chain_where_nade_alone_plays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, asked = tmp_path / "nade.pt", list[Load]()
    checkpoint.save(path, SequenceModel(Config(hidden=4, recurrent=3, low=60, n_pitches=4, estimator="nade")))
    monkeypatch.setattr("improv.sampling.calibration.runnable", DEVICES.__getitem__)  # as if there were a GPU
    mind = Mind(compile_aside=lambda load, _model: asked.append(load))
    for cached in (True, False):
        monkeypatch.setattr("improv.sampling.compiled.cached", lambda _do, known=cached: known)
        loaded = mind.do(Load(str(path), 1, 25, "cuda"))
        assert isinstance(loaded, Loaded)
        assert loaded.sampler == ("cpu" if cached else "torch")
        assert "no chain: NADE alone samples" in loaded.chosen
        assert len(asked) == (not cached), "a GPU's chain is nothing to wait for"
