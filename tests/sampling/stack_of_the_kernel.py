"""Compiles the fused kernel for an H100, with no GPU at hand, and prints the bytes of stack that a thread takes.

Arguments: shapes of W, as 88x150; a line for each. A program of its own, for a process that interprets kernels cannot
compile them.
"""

import re
import subprocess
import sys
import tempfile

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from improv.sampling.fused import WARPS, _gibbs, sizes

POINTERS = dict.fromkeys(("w", "b_v", "b_h", "held", "v", "means"), "*fp32")
NUMBERS = {"beta": "fp32"} | dict.fromkeys(("seed", "first", "steps", "n", "n_visible", "n_hidden"), "i32")


def cubin(n_visible: int, n_hidden: int) -> bytes:
    """The kernel's code for W [V, H], specialised as it is when launched: by what 16 divides."""
    constants = {"CHAINS": 1, **sizes(n_visible, n_hidden)}
    signature = POINTERS | NUMBERS | dict.fromkeys(constants, "constexpr")
    divisible = list(POINTERS)
    divisible += [name for name, size in (("n_visible", n_visible), ("n_hidden", n_hidden)) if size % 16 == 0]
    attributes = {(list(signature).index(name),): [["tt.divisibility", 16]] for name in divisible}
    assert list(signature) == _gibbs.arg_names
    source = ASTSource(_gibbs, signature, constants, attributes)
    return triton.compile(source, target=GPUTarget("cuda", 90, 32), options={"num_warps": WARPS}).asm["cubin"]


def stack(code: bytes) -> int:
    """Bytes a thread."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(code)
        file.flush()
        command = [triton.knobs.nvidia.cuobjdump.path, "-res-usage", file.name]
        usage = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"STACK:(\d+)", usage)
    assert found is not None, usage
    return int(found[1])


for shape in sys.argv[1:]:
    print(stack(cubin(*(int(size) for size in shape.split("x")))))
