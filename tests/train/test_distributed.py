"""The processes of a training, as torchrun starts them: three run the script below, one does alone what they share."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from improv.train.distributed import ALONE, join

SCRIPT = """
import json, sys
from pathlib import Path
import torch
from improv.errors import ImprovError
from improv.train.distributed import join

def gradients(world, batch):
    torch.manual_seed(0)
    layers = [torch.nn.Linear(5, 4), torch.nn.Linear(4, 3), torch.nn.Linear(2, 2)]
    layers[0].bias.requires_grad_(False)
    parameters = [parameter for layer in layers for parameter in layer.parameters()]
    rows = torch.randn(7, 5)[:batch][world.rows]
    if len(rows):
        layers[1](layers[0](rows).tanh()).square().sum().backward()
    world.sum_gradients(parameters)
    return [None if parameter.grad is None else parameter.grad.tolist() for parameter in parameters]

def refused(world, fact):
    try:
        world.check_same(fact)
    except ImprovError as error:
        return str(error)

folder = Path(sys.argv[1])
with join("cpu") as world:
    print("heard from", world.rank)
    print("heard from", world.rank, file=sys.stderr)
    rows = torch.zeros(5, 2, dtype=torch.uint8)
    rows[world.rows] = torch.arange(10, dtype=torch.uint8).view(5, 2)[world.rows]
    world.gather_rows(rows)
    kept = folder / "kept"
    found = world.in_turn(lambda: kept.exists() or kept.touch())
    told = {
        "gradients": [gradients(world, batch) for batch in (7, 2, 1)],
        "total": world.total(world.rank + 0.5),
        "of_first": world.of_first(lambda: 7.25),
        "rows": rows.tolist(),
        "found": world.total(float(bool(found))),
        "same": [refused(world, 2**63 + 5), refused(world, world.rank)],
    }
    (folder / f"{world.rank}.json").write_text(json.dumps(told))
"""


def torchrun(count: int, *command: object) -> subprocess.CompletedProcess[str]:
    """Runs a Python script in so many processes."""
    return subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count),
         *map(str, command)],
        capture_output=True, text=True, timeout=240, check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, object]]:
    """What each of three processes found, then what one found alone."""
    results = []
    for count in (3, 1):
        folder = tmp_path_factory.mktemp("processes")
        script = folder / "script.py"
        script.write_text(SCRIPT)
        done = torchrun(count, script, folder)
        assert done.returncode == 0, done.stderr
        assert done.stdout == "heard from 0\n"
        assert "heard from 1" not in done.stderr
        results += [json.loads((folder / f"{rank}.json").read_text()) for rank in range(count)]
    return results


def test_the_gradients_of_all_are_those_of_one_whatever_share_of_the_batch_each_has(told: list[dict]) -> None:  # type: ignore[type-arg]
    *shared, alone = (result["gradients"] for result in told)
    assert shared[0] == shared[1] == shared[2], "bit for bit, or the models would drift apart"
    for ours, theirs in zip(shared[0], alone, strict=True):
        for gradient, expected in zip(ours, theirs, strict=True):
            assert (gradient is None) == (expected is None)
            if expected is not None:
                assert torch.tensor(gradient).allclose(torch.tensor(expected), rtol=1e-5, atol=1e-6)
    assert [gradient is None for gradient in alone[0]] == [False, True, False, False, True, True]


def test_what_they_tell_each_other(told: list[dict]) -> None:  # type: ignore[type-arg]
    for result in told[:3]:
        assert (result["total"], result["of_first"]) == (4.5, 7.25)
        assert result["rows"] == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]
        assert result["found"] == 2, "the first has kept it before the others look"
        assert result["same"][0] is None
        assert "do not see the same files" in result["same"][1]


def test_alone_it_is_the_first_and_has_all_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "4")  # others than torchrun set it too
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    with join("cpu") as world:
        assert world is ALONE
        assert world.first
        assert list(range(5))[world.rows] == [0, 1, 2, 3, 4]
        assert (world.total(2.5), world.of_first(lambda: 1.5), world.in_turn(lambda: 3)) == (2.5, 1.5, 3)
