"""Every implementation can draw a sample once more."""

import numpy as np
import pytest
import torch
from chains import CHAINS, Maker
from tiny_rbm import TinyRbm

from improv.sampling.chain import FREE

TINY = TinyRbm.random(8, 5, seed=11, scale=0.8)


@pytest.mark.parametrize("make", CHAINS.values(), ids=CHAINS)
def test_rewound_it_draws_by_the_same_random_numbers(make: Maker) -> None:
    torch.manual_seed(0)
    chain, start = make(TINY.weights.numpy(), 3), np.zeros((1, 8), np.uint8)
    b_v, b_h = TINY.b_v.numpy()[None], TINY.b_h.numpy()[None]
    free, held = np.full((1, 8), FREE, np.int8), np.array([[1, *[FREE] * 7]], np.int8)
    drawn = []
    for _ in range(20):
        drawn.append(chain.sample(b_v, b_h, start, 5, 1.0, free).v.tobytes())
        for _ in range(2):
            chain.rewind()
            chain.sample(b_v, b_h, start, 9, 1.0, held)  # of another length, under another clamp
            chain.rewind()
            assert chain.sample(b_v, b_h, start, 5, 1.0, free).v.tobytes() == drawn[-1]
    assert len(set(drawn)) > 10
