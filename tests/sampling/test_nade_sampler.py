from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_rbm import frequencies, states, total_variation

from improv.model.config import Config
from improv.model.core import Past
from improv.model.nade import Nade, TiedNade, log_probability
from improv.sampling.chain import FREE
from improv.sampling.nade import CompiledNade, NadeSampler, TorchNade

SMALL = Config(estimator="nade", hidden=4, recurrent=3, low=60, n_pitches=3, bars=False)
COUNT = 20_000
NO_LEAN = np.zeros(6, np.float32)


every_sampler = pytest.mark.parametrize(("kind", "count"), [(CompiledNade, COUNT), (TorchNade, COUNT // 10)])


@every_sampler
@pytest.mark.parametrize("tied", [0, 3])
@pytest.mark.parametrize("temperature", [0.7, 1.0, 1.5])
def test_samples_are_those_of_the_model(
    kind: Callable[..., NadeSampler], count: int, tied: int, temperature: float
) -> None:
    config = replace(SMALL, tied=tied)
    torch.manual_seed(1)
    nade = TiedNade(config) if tied else Nade(config)
    for parameter in nade.parameters():
        parameter.data.normal_(std=0.8)
    nade.eval().requires_grad_(False)
    past = Past(torch.randn(1, 3), torch.randn(1, 3, tied) if tied else None)
    sampler, free = kind(nade, seed=0), np.full(6, FREE, np.int8)
    lean = np.linspace(-1, 1, 6, dtype=np.float32)
    drawn = torch.from_numpy(np.stack([sampler.sample(past, lean, temperature, free) for _ in range(count)]))
    v = states(6)
    many = Past(past.u.expand(64, -1), None if past.s is None else past.s.expand(64, -1, -1))

    def probability(odds: torch.Tensor) -> torch.Tensor:
        return torch.where(v > 0, odds, -odds).sigmoid().prod(1).double()

    odds = nade.logits(v, many)
    exact = probability((odds + torch.from_numpy(lean)) / temperature)
    assert total_variation(frequencies(drawn), exact) < 0.04 * (COUNT / count) ** 0.5
    if temperature == 1:
        of_model = log_probability(nade, v, many)
        torch.testing.assert_close(probability(odds).log().float(), of_model, atol=1e-4, rtol=0)


@every_sampler
def test_what_is_clamped_stays_and_is_known_to_what_comes_after(kind: Callable[..., NadeSampler], count: int) -> None:
    torch.manual_seed(1)
    nade = Nade(SMALL)
    for parameter in nade.parameters():
        parameter.data.normal_(std=1.5)
    nade.eval().requires_grad_(False)
    held = np.full(6, FREE, np.int8)
    sampler, past = kind(nade, seed=0), Past(torch.zeros(1, 3))
    shares = []
    for value in (0, 1):
        held[2] = value  # the first to be drawn
        drawn = np.stack([sampler.sample(past, NO_LEAN, 1.0, held) for _ in range(count // 5)])
        assert (drawn[:, 2] == value).all()
        shares.append(drawn[:, 5].mean())
    assert abs(shares[0] - shares[1]) > 0.05


@pytest.mark.parametrize("kind", [CompiledNade, TorchNade])
def test_rewound_it_draws_the_same_again(kind: Callable[..., NadeSampler]) -> None:
    torch.manual_seed(1)
    sampler, past, free = kind(Nade(SMALL), seed=0), Past(torch.zeros(1, 3)), np.full(6, FREE, np.int8)
    drawn = []
    for _ in range(20):
        drawn.append(sampler.sample(past, NO_LEAN, 1.0, free).tobytes())
        for _ in range(2):
            sampler.rewind()
            assert sampler.sample(past, NO_LEAN, 1.0, free).tobytes() == drawn[-1]
    assert len(set(drawn)) > 5
