"""What only the fused kernel can get wrong; its samples are tested among the others."""

import os
import subprocess
import sys
from pathlib import Path

import chains  # noqa: F401 - it must say how kernels are defined before triton is imported
import numpy as np
import pytest

triton = pytest.importorskip("triton", reason="there is no triton here")

from improv.sampling import fused  # noqa: E402

SHAPES = ("88x150", "176x200", "88x512", "176x704")  # the tutorial's, larger ones, and the bundled model's
LITTLE = 64  # bytes of stack a thread, which no other version of triton should exceed
TOOLS = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"
there_are_tools = all((TOOLS / tool).exists() for tool in ("ptxas", "cuobjdump"))


@pytest.mark.parametrize("seed", [0, 1, 2**31 - 1, 2**31, 2**40 + 3, 2**64 - 1, -1])
def test_numbers_given_to_the_kernel_never_change_their_type(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Triton compiles anew for a whole number that 32 bits cannot hold: seconds, in the middle of a song."""
    launches: list[list[int]] = []

    class Kernel:
        def __getitem__(self, _grid: object) -> object:
            return lambda *args, **_sizes: launches.append([arg for arg in args if isinstance(arg, int)])

    monkeypatch.setattr(fused, "_gibbs", Kernel())
    chain = fused.FusedChain(np.zeros((3, 2), np.float32), seed, device="cpu")
    b_v, b_h = np.zeros((1, 3), np.float32), np.zeros((1, 2), np.float32)
    for _ in range(3):
        chain.sample(b_v, b_h, np.zeros((1, 3), np.uint8), 10**9, 1.0)
    assert len(launches) == 3
    assert all(0 <= number < 2**31 for numbers in launches for number in numbers)


@pytest.mark.slow
@pytest.mark.skipif(not there_are_tools, reason="triton comes without ptxas or cuobjdump here")
def test_the_kernel_keeps_to_its_registers(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    environment |= {"TRITON_CACHE_DIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(Path(__file__).with_name("stack_of_the_kernel.py")), *SHAPES]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    stack = dict(zip(SHAPES, map(int, done.stdout.split()), strict=True))
    assert max(stack.values()) <= LITTLE, stack
