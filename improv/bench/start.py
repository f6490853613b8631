"""How soon the partner plays after it is started."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping

from improv.bench import stage
from improv.bench.environment import environment
from improv.bench.result import Result, at_most
from improv.errors import ImprovError
from improv.live import warm_up
from improv.live.messages import Report, Sounded, Status
from improv.resources import bundled_model

LIMIT = 120.0  # seconds
REFERENCE = "python -c 'import torch'"


def start() -> Iterator[Result]:
    """Seconds from the engine's start to its first frame, with compiled code from the cache and with none.

    Raises:
        ImprovError: it did not play.
    """
    warm_up.in_another_process(str(bundled_model()))
    _until_first_frame({})  # the files are read once, aside
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import torch"], check=True)
    torch_alone = time.perf_counter() - begun
    seconds = _until_first_frame({})
    yield Result("start to first frame, compiled code cached", seconds, "s", torch_alone, REFERENCE, at_most(2.0))
    # What the engine has left behind may still write there.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as empty:
        seconds = _until_first_frame({"NUMBA_CACHE_DIR": empty})
    yield Result("start to first frame, nothing compiled yet", seconds, "s", torch_alone, REFERENCE)


def _until_first_frame(variables: Mapping[str, str]) -> float:
    with environment(variables), stage.settings(outputs=[], mode="solo") as chosen:
        begun = time.perf_counter()
        with stage.engine(chosen) as engine:
            while time.perf_counter() - begun < LIMIT and not engine.ended:
                if any(_is_answered(report) for report in engine.new_reports()):
                    return time.perf_counter() - begun
                time.sleep(0.005)
    raise ImprovError("the engine did not play: look what `improv play --headless` says here")


def _is_answered(report: Report) -> bool:
    """Whether it shows that the partner has computed a frame."""
    match report:
        case Status(steps=steps):
            return steps > 0
        case Sounded(part="partner"):
            return True
    return False
