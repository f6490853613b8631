"""How soon the partner plays after it is started."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from unittest.mock import patch

from improv.bench import stage
from improv.bench.result import Result
from improv.errors import ImprovError
from improv.live.messages import Status

LIMIT = 120.0  # seconds
REFERENCE = "python -c 'import torch'"


def start() -> Iterator[Result]:
    """Seconds from the engine's start to its first frame, with compiled code from the cache and with none.

    Raises:
        ImprovError: it did not play.
    """
    _until_playing({})  # what is not compiled is, aside; and the files are read once
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import torch"], check=True)
    torch_alone = time.perf_counter() - begun
    yield Result("start to first frame, compiled code cached", _until_playing({}), "s", torch_alone, REFERENCE)
    with tempfile.TemporaryDirectory() as empty:
        seconds = _until_playing({"NUMBA_CACHE_DIR": empty})
    yield Result("start to first frame, nothing compiled yet", seconds, "s", torch_alone, REFERENCE)


def _until_playing(environment: Mapping[str, str]) -> float:
    with patch.dict(os.environ, environment), stage.settings(outputs=[], mode="solo") as chosen:
        begun = time.perf_counter()
        with stage.engine(chosen) as engine:
            while time.perf_counter() - begun < LIMIT and not engine.ended:
                for report in engine.new_reports():
                    if isinstance(report, Status) and report.state == "playing":
                        return time.perf_counter() - begun
                time.sleep(0.005)
    raise ImprovError("the engine did not play: look what `improv play --headless` says here")
