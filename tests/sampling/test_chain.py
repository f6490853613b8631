import threading

import numpy as np
import pytest
import torch
from tiny_rbm import TinyRbm, frequencies, total_variation

from improv.errors import ImprovError
from improv.sampling.calibration import runnable
from improv.sampling.chain import FREE, Sample, make_chain
from improv.sampling.cpu import CpuChain
from improv.sampling.graph import GraphChain

N = 20_000
BOUND = 0.03  # of the total variation; N exact samples of 64 states stay below 0.022
TINY = TinyRbm.random(seed=5, scale=1.2)
CLAMPS = {"free": None, "one on": [1, -1, -1, -1, -1, -1], "some": [-1, 0, -1, 1, -1, 1], "all": [0, 1, 1, 0, 1, 0]}

SAMPLERS = runnable()
every_sampler = pytest.mark.parametrize("sampler", SAMPLERS)


def sampled(
    sampler: str, tiny: TinyRbm = TINY, *, k: int = 20, temperature: float = 1.0, held: list[int] | None = None,
    seed: int = 1, n: int = N,
) -> Sample:  # fmt: skip
    """Where n chains of the sampler end, all begun with every unit off."""

    def rows(values: torch.Tensor) -> np.ndarray:
        return np.tile(values.numpy(), (n, 1))

    chain = make_chain(tiny.weights.numpy(), seed, sampler)
    clamp = None if held is None else np.tile(np.array(held, np.int8), (n, 1))
    start = np.zeros((n, len(tiny.b_v)), np.uint8)
    return chain.sample(rows(tiny.b_v), rows(tiny.b_h), start, k, temperature, clamp)


def distance(sample: Sample, temperature: float = 1.0, held: list[int] | None = None) -> float:
    """Total variation between the samples and the enumerated distribution."""
    clamp = None if held is None else torch.tensor(held)
    return total_variation(frequencies(torch.from_numpy(sample.v)), TINY.visible(temperature, clamp))


@every_sampler
@pytest.mark.parametrize("temperature", [0.7, 1.0, 1.3])
@pytest.mark.parametrize("held", CLAMPS.values(), ids=CLAMPS)
def test_the_samples_follow_the_enumerated_distribution(
    sampler: str, temperature: float, held: list[int] | None
) -> None:
    assert distance(sampled(sampler, temperature=temperature, held=held), temperature, held) < BOUND


@every_sampler
def test_the_bound_finds_out_a_chain_that_errs(sampler: str) -> None:
    biased = TinyRbm(TINY.weights, TINY.b_v + 0.2, TINY.b_h)
    assert distance(sampled(sampler, biased)) > 1.5 * BOUND
    assert distance(sampled(sampler, TinyRbm(0.8 * TINY.weights, TINY.b_v, TINY.b_h))) > 1.5 * BOUND
    assert distance(sampled(sampler, temperature=1.3), temperature=1.0) > 1.5 * BOUND
    assert distance(sampled(sampler, k=1)) > 1.5 * BOUND, "after one step it cannot have forgotten where it began"


def test_exact_samples_stay_below_the_bound() -> None:
    generator = torch.Generator().manual_seed(0)
    states = torch.multinomial(TINY.visible(), N, replacement=True, generator=generator)
    counts = torch.bincount(states, minlength=64).double() / N
    assert total_variation(counts, TINY.visible()) < 0.022


@pytest.mark.parametrize("held", [None, [1] * 10 + [0] * 5 + [FREE] * 25])
def test_all_samplers_agree_on_a_larger_machine(held: list[int] | None) -> None:
    larger = TinyRbm.random(40, 30, seed=2, scale=0.4)
    marginals = [
        sampled(sampler, larger, k=40, temperature=0.9, held=held, n=3000).v.mean(axis=0) for sampler in SAMPLERS
    ]
    assert np.abs(marginals[0] - marginals[1]).max() < 0.05  # the standard error is 0.013 at most


def test_long_chains_do_not_drift_though_their_sums_are_only_kept_up_to_date() -> None:
    assert distance(sampled("cpu", k=1200, n=N // 4)) < 2 * BOUND


@every_sampler
def test_clamped_units_stay_where_they_are_held(sampler: str) -> None:
    held = [1, 0, -1, -1, 1, -1]
    sample = sampled(sampler, held=held, n=500)
    fixed = np.array(held) >= 0
    assert (sample.v[:, fixed] == np.array(held)[fixed]).all()
    assert (sample.means[:, fixed] == np.array(held)[fixed]).all()
    assert 0 < sample.v[:, ~fixed].mean() < 1


@every_sampler
def test_the_same_seed_gives_the_same_samples_and_another_seed_others(sampler: str) -> None:
    one, same, other = (sampled(sampler, seed=seed, n=100) for seed in (7, 7, 8))
    assert np.array_equal(one.v, same.v)
    assert np.array_equal(one.means, same.means)
    assert not np.array_equal(one.v, other.v)


@every_sampler
def test_a_chain_goes_on_choosing_anew(sampler: str) -> None:
    chain = make_chain(TINY.weights.numpy(), 0, sampler)
    b_v, b_h, start = TINY.b_v.numpy()[None], TINY.b_h.numpy()[None], np.zeros((1, 6), np.uint8)
    assert len({chain.sample(b_v, b_h, start, 10, 1.0).v.tobytes() for _ in range(50)}) > 10
    assert not start.any(), "the start is the caller's, and is left alone"


@every_sampler
def test_the_means_are_those_the_units_were_drawn_from(sampler: str) -> None:
    sample = sampled(sampler)
    assert sample.v.dtype == np.uint8
    assert sample.means.dtype == np.float32
    np.testing.assert_allclose(sample.means.mean(axis=0), TINY.marginals(), atol=0.02)
    for low in (0.0, 0.2, 0.4, 0.6, 0.8):
        chosen = (sample.means >= low) & (sample.means < low + 0.2)
        assert abs(sample.v[chosen].mean() - sample.means[chosen].mean()) < 0.03


@every_sampler
@pytest.mark.parametrize("scale", [1e4, 1e6])
def test_saturated_weights_give_bits_and_finite_means(sampler: str, scale: float) -> None:
    tiny = TinyRbm(scale * TINY.weights, scale * TINY.b_v, scale * TINY.b_h)
    sample = sampled(sampler, tiny, n=50)
    assert np.isin(sample.v, (0, 1)).all()
    assert ((sample.means >= 0) & (sample.means <= 1)).all()


@every_sampler
def test_cold_chains_play_safe_and_hot_ones_dare(sampler: str) -> None:
    likely = TINY.visible().argmax()
    shares = [
        float(frequencies(torch.from_numpy(sampled(sampler, temperature=temperature, n=4000).v))[likely])
        for temperature in (0.3, 1.0, 3.0)
    ]
    assert shares[0] > shares[1] > shares[2]


@pytest.mark.parametrize("k", [1, 10**6])
@pytest.mark.parametrize("held", [None, [1, -1, -1, -1, -1, -1]])
def test_one_compiled_kernel_serves_every_frame(held: list[int] | None, k: int) -> None:
    from improv.sampling import cpu

    sampled("cpu", n=1, k=k, held=held)
    kernel = cpu._short if k == 1 else cpu._long
    assert len(kernel.signatures) == 1, "a second would be compiled while music plays"


def test_an_unknown_sampler_is_refused() -> None:
    with pytest.raises(ImprovError, match="cpu, torch"):
        make_chain(TINY.weights.numpy(), 0, "abacus")


def test_long_chains_of_the_cpu_let_other_threads_go_on() -> None:
    """While one runs, this thread sees its random numbers go on; if the lock were kept, only where they begin and end.

    Once in many chains is enough: on a busy machine this thread may have to wait for a processor.
    """
    chain = CpuChain(TINY.weights.numpy(), 0)
    once = TINY.b_v.numpy()[None], TINY.b_h.numpy()[None], np.zeros((1, 6), np.uint8), 10**6, 1.0

    def states_seen() -> int:
        thread, seen = threading.Thread(target=chain.sample, args=once), set()
        thread.start()
        while thread.is_alive():
            seen.add(int(chain._rng[0]))
        return len(seen)

    assert any(states_seen() > 2 for _ in range(50))


def test_the_graph_of_a_live_chain_is_made_before_its_first_frame() -> None:
    chain = GraphChain(TINY.weights.numpy(), 0, device="cpu")
    made = chain._buffers
    chain.sample(TINY.b_v.numpy()[None], TINY.b_h.numpy()[None], np.zeros((1, 6), np.uint8), 1, 1.0)
    assert chain._buffers is made
