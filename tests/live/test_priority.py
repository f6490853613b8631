"""Where the system permits it, the whole engine comes before ordinary programs, and nothing else does."""

import os
import sys
import threading
import time
from pathlib import Path

import pytest

from improv.live.messages import Status
from improv.live.priority import BESIDE, LOOP, ask_for_realtime, ordinary, realtime_is_permitted, step_back
from improv.live.process import EngineProcess, Settings

if sys.platform != "linux" or not realtime_is_permitted():
    pytest.skip("realtime priority is not permitted here", allow_module_level=True)


def in_a_thread(do: object) -> list[object]:
    """What `do` returns, called in a thread of its own."""
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.append(do()))  # type: ignore[operator]
    thread.start()
    thread.join()
    return results


def place(tid: int = 0) -> tuple[int, int]:
    return os.sched_getscheduler(tid), os.sched_getparam(tid).sched_priority


def test_it_is_for_the_thread_that_asks_and_those_it_starts() -> None:
    def ask() -> tuple[bool, object, object]:
        return ask_for_realtime(LOOP), in_a_thread(place), in_a_thread(lambda: (step_back(), place())[1])

    assert in_a_thread(ask) == [(True, [(os.SCHED_FIFO, LOOP)], [(os.SCHED_FIFO, BESIDE)])]
    assert place() == (os.SCHED_OTHER, 0)


def test_work_of_seconds_is_done_as_an_ordinary_thread() -> None:
    def work() -> list[tuple[int, int]]:
        ask_for_realtime(BESIDE)
        with ordinary():
            meanwhile = place()
        return [meanwhile, place()]

    assert in_a_thread(work) == [[(os.SCHED_OTHER, 0), (os.SCHED_FIFO, BESIDE)]]


def test_the_threads_of_the_engine_come_before_ordinary_ones_and_the_loop_first(
    tiny_model: Path, tmp_path: Path
) -> None:
    settings = Settings(str(tiny_model), outputs=[], mode="solo", take=str(tmp_path / "take.mid"), autoplay=True)
    engine = EngineProcess(settings)
    try:
        while not any(isinstance(report, Status) and report.state == "playing" for report in engine.new_reports()):
            assert not engine.ended
            time.sleep(0.05)
        places = {tid: place(int(tid)) for tid in os.listdir(f"/proc/{engine.pid}/task")}
    finally:
        engine.close()
    loop = places.pop(str(engine.pid))
    assert loop == (os.SCHED_FIFO, LOOP)
    assert loop not in places.values()
    # The thinker, the recorder, the patchbay, commands and reports; numpy's helpers never have the interpreter's lock.
    assert list(places.values()).count((os.SCHED_FIFO, BESIDE)) >= 5
