"""`torchrun ... -m improv train`: several processes make the model that one makes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from improv_process import TINY_TRAINING
from processes import alive, children
from small_music import folder

from improv.model import checkpoint

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of music with one file in it that is none."""
    path = folder(tmp_path_factory.mktemp("data"), 6)
    (path / "broken.mid").write_bytes(b"MThd and no more")
    return path


@contextmanager
def torchrun(count: int, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Starts `improv train ARGUMENTS` in so many processes."""
    process = subprocess.Popen(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count),
         "-m", "improv", "train", *TINY_TRAINING, *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        process.communicate()


def trained(count: int, *arguments: object) -> str:
    """The same to its end; what it told."""
    with torchrun(count, *arguments) as process:
        _, told = process.communicate(timeout=240)
        assert process.returncode == 0, told
        return told


def weights(path: Path) -> torch.Tensor:
    """All numbers of a checkpoint's model."""
    return torch.cat([value.flatten() for value in checkpoint.load(path)[0].state_dict().values()])


@pytest.mark.parametrize(
    ("options", "epochs"), [(("--estimator", "nade"), 3), (("--cd-steps", "5", "--optimiser", "sgd"), 1)]
)
def test_two_processes_make_the_model_of_one_and_only_the_first_tells_it(
    data: Path, tmp_path: Path, options: tuple[str, ...], epochs: int
) -> None:
    for count in (1, 2):
        out = tmp_path / f"{count}.pt"
        told = trained(count, data, "--out", out, "--epochs", epochs, "--valid-share", 0.2, *options)
        assert told.count(f"epoch {epochs:4d}") == 1
        assert told.count("broken.mid") == 1
    one, two = weights(tmp_path / "1.pt"), weights(tmp_path / "2.pt")
    assert two.allclose(one, rtol=1e-3, atol=1e-5), float((two - one).abs().max())
    assert one.abs().max() > 1, "something was learned"


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")
@pytest.mark.parametrize("stop", ["ctrl-c", "interrupt", "kill"])
def test_one_that_ends_ends_all_and_resume_goes_on(data: Path, tmp_path: Path, stop: str) -> None:
    out, last = tmp_path / "m.pt", tmp_path / "m.last.pt"
    with torchrun(2, data, "--out", out, "--epochs", 100_000) as process:
        heard = ""
        assert process.stderr is not None
        while "epoch    2" not in heard:
            line = process.stderr.readline()
            assert line, f"it ended by itself: {heard}"
            heard += line
        workers = [pid for pid in children(process.pid) if b"improv" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        assert len(workers) == 2
        if stop == "kill":
            os.kill(workers[1], signal.SIGKILL)
        elif stop == "ctrl-c":  # which a terminal sends to all of them
            os.killpg(process.pid, signal.SIGINT)
        else:
            process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=100)
        assert stop == "kill" or "improv: interrupted after" in told
        assert process.returncode != 0
        deadline = time.monotonic() + 20
        while any(alive(pid) for pid in workers) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not any(alive(pid) for pid in workers)
    kept = len(checkpoint.load(last)[1]["history"])
    assert kept >= 2
    told = trained(2, data, "--out", out, "--epochs", kept + 1, "--resume")
    assert f"resuming after {kept} of" in told
    assert len(checkpoint.load(last)[1]["history"]) == kept + 1
