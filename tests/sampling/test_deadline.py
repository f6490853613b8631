"""Chains that stop at a deadline. No test here is of how long anything took."""

import math
import time

import numpy as np
import pytest
from chains import CHAINS
from tiny_rbm import TinyRbm

from improv.sampling import kernels
from improv.sampling.chain import Chain, Sample, in_blocks
from improv.sampling.cpu import CpuChain

TINY = TinyRbm.random(8, 5, seed=1)
LONG_AGO, K = -math.inf, 100_000

every_chain = pytest.mark.parametrize("chain", [name for name in CHAINS if "interpreted" not in name])


def run(chain: Chain, k: int, deadline: float = math.inf) -> Sample:
    b_v, b_h = TINY.b_v.numpy()[None], TINY.b_h.numpy()[None]
    return chain.sample(b_v, b_h, np.zeros((1, 8), np.uint8), k, 1.0, None, deadline)


@every_chain
def test_without_a_deadline_all_steps_are_run(chain: str) -> None:
    assert run(CHAINS[chain](TINY.weights.numpy(), 0), 37).k == 37


@every_chain
def test_with_time_enough_the_samples_are_those_without_a_deadline(chain: str) -> None:
    free, timed = (CHAINS[chain](TINY.weights.numpy(), 5) for _ in range(2))
    for _ in range(10):
        one, other = run(free, 333), run(timed, 333, time.perf_counter() + 1e6)
        assert other.k == 333
        assert np.array_equal(one.v, other.v)
        assert np.array_equal(one.means, other.means)


@every_chain
def test_a_deadline_that_has_passed_leaves_one_block_and_the_chain_says_so(chain: str) -> None:
    late, short = (CHAINS[chain](TINY.weights.numpy(), 5) for _ in range(2))
    cut = run(late, 10**6, LONG_AGO)
    assert 1 <= cut.k < 10**6
    whole = run(short, cut.k)
    assert np.array_equal(cut.v, whole.v), "it is the chain of so many steps"
    assert np.array_equal(cut.means, whole.means)


def test_blocks_of_the_compiled_chain_join_without_a_seam() -> None:
    """Though within a block sums are only kept up to date: in many blocks it ends just where it does in one call."""
    larger = TinyRbm.random(60, 70, seed=2, scale=0.3)
    block = int(kernels.block(60, 70))
    one, many = (CpuChain(larger.weights.numpy(), 3) for _ in range(2))
    b_v, b_h, start = larger.b_v.numpy()[None], larger.b_h.numpy()[None], np.zeros((1, 60), np.uint8)
    for k in (block - 1, 2 * block, 5 * block + 3):
        whole = one.sample(b_v, b_h, start, k, 1.0)
        parts = many.sample(b_v, b_h, start, k, 1.0, None, time.perf_counter() + 1e6)
        assert np.array_equal(whole.v, parts.v)
        assert np.array_equal(whole.means, parts.means)


class Steps:
    """Steps that take as long as they are told, by a clock of their own."""

    def __init__(self, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.seconds, self.calls = 0.0, seconds, []
        monkeypatch.setattr("improv.sampling.chain.time.perf_counter", lambda: self.now)

    def __call__(self, steps: int) -> None:
        self.calls.append(steps)
        self.now += steps * self.seconds


def test_no_block_is_begun_that_would_end_after_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(0.001, monkeypatch)
    assert in_blocks(steps, K, 10, deadline=0.095) == 90
    assert steps.now <= 0.095


def test_the_last_block_is_as_short_as_it_must_be(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(0.001, monkeypatch)
    assert in_blocks(steps, 25, 10, deadline=1.0) == 25
    assert steps.calls == [10, 10, 5]
