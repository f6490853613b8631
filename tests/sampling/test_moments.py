"""Marginals and pairwise moments of every implementation, within what chance allows of the truth."""

import functools
from dataclasses import replace

import numpy as np
import pytest
import torch
from chains import CHAINS, Maker
from mutants import BiasesNotTempered, ClampsOnlyAtTheEnds, OnlyVisibleTempered, SharesUniforms, StepwiseChain
from numpy.typing import NDArray
from tiny_rbm import TinyRbm, states

from improv.live.improviser import Improviser
from improv.model import checkpoint
from improv.music.midifile import read_score
from improv.music.recall import Recall
from improv.music.score import to_roll
from improv.resources import asset, bundled_model
from improv.sampling.chain import FREE, Chain, Floats

N, K, SIGMAS = 4000, 12, 5.0
MANY = 4 * N  # chains, where they take no time: fewer do not find out the least of the mutants
TINY = TinyRbm.random(8, 5, seed=11, scale=0.8)
HELD = {"free": [FREE] * 8, "clamped": [1, FREE, FREE, 0, FREE, FREE, 1, FREE]}
ENOUGH = 40  # steps of the bundled model, from the same start with every chain

every_temperature = pytest.mark.parametrize("temperature", [0.7, 1.0, 1.3])


def moments(v: NDArray[np.uint8]) -> NDArray[np.float64]:
    """E[v_i v_j] of samples v [N, V]: the marginals on the diagonal, [V, V]."""
    return v.T.astype(np.float64) @ v / len(v)


def exact(temperature: float, held: list[int]) -> NDArray[np.float64]:
    """The same by enumeration."""
    v = states(8).double()
    return ((v.T * TINY.visible(temperature, torch.tensor(held))) @ v).numpy()


def deviation(one: NDArray[np.float64], other: NDArray[np.float64], variance: float) -> float:
    """The largest difference in standard errors; `variance` times p (1 - p) is that of a frequency."""
    p = np.clip((one + other) / 2, 0, 1)
    least = 1 / N  # what happens less often than that is no measure of chance
    return float((np.abs(one - other) / np.sqrt(variance * np.maximum(p * (1 - p), least))).max())


def run(chain: Chain, tiny: TinyRbm, temperature: float, held: list[int], k: int = K, n: int = N) -> NDArray[np.uint8]:
    b_v, b_h = (np.tile(bias.numpy(), (n, 1)) for bias in (tiny.b_v, tiny.b_h))
    clamp = np.tile(np.array(held, np.int8), (n, 1))
    return chain.sample(b_v, b_h, np.zeros((n, 8), np.uint8), k, temperature, clamp).v


@pytest.mark.parametrize("chain", [name for name in CHAINS if "tiles" not in name])
@every_temperature
@pytest.mark.parametrize("held", HELD.values(), ids=HELD)
def test_moments_are_those_of_enumeration(chain: str, temperature: float, held: list[int]) -> None:
    n = N if "interpreted" in chain else MANY
    v = run(CHAINS[chain](TINY.weights.numpy(), 3), TINY, temperature, held, n=n)
    assert deviation(moments(v), exact(temperature, held), 1 / n) < SIGMAS


@pytest.mark.skipif("fused, interpreted" not in CHAINS, reason="there is no triton here")
def test_weights_read_in_tiles_draw_the_same_as_weights_kept_on_the_chip() -> None:
    whole, tiled = (
        run(CHAINS[name](TINY.weights.numpy(), 3), TINY, 1.0, HELD["clamped"], k=3)
        for name in ("fused, interpreted", "fused in tiles, interpreted")
    )
    assert (whole != tiled).mean() < 1e-3  # sums in another order round differently


BIASED = {
    "visible biases": replace(TINY, b_v=TINY.b_v + 0.25),
    "hidden biases": replace(TINY, b_h=TINY.b_h + 0.5),
    "weights": replace(TINY, weights=0.8 * TINY.weights),
}


@pytest.mark.parametrize("biased", BIASED.values(), ids=BIASED)
@pytest.mark.parametrize("held", HELD.values(), ids=HELD)
def test_a_biased_chain_is_found_out(biased: TinyRbm, held: list[int]) -> None:
    v = run(CHAINS["cpu"](biased.weights.numpy(), 3), biased, 1.0, held)
    assert deviation(moments(v), exact(1.0, held), 1 / N) > SIGMAS


@pytest.mark.parametrize(("temperature", "k"), [(1.15, K), (1.0, 1)])
def test_so_is_one_that_is_too_hot_or_too_short(temperature: float, k: int) -> None:
    v = run(CHAINS["cpu"](TINY.weights.numpy(), 3), TINY, temperature, HELD["free"], k)
    assert deviation(moments(v), exact(1.0, HELD["free"]), 1 / N) > SIGMAS


@pytest.mark.parametrize("temperature", [0.7, 1.3])
@pytest.mark.parametrize("held", HELD.values(), ids=HELD)
def test_the_chain_that_the_mutants_are_made_from_is_right(temperature: float, held: list[int]) -> None:
    v = run(StepwiseChain(TINY.weights.numpy(), 3), TINY, temperature, held, n=MANY)
    assert deviation(moments(v), exact(temperature, held), 1 / MANY) < SIGMAS


@pytest.mark.parametrize(
    ("mutant", "temperature", "held"),
    [
        *((SharesUniforms, temperature, held) for temperature in (0.7, 1.0, 1.3) for held in HELD),
        *((BiasesNotTempered, temperature, held) for temperature in (0.7, 1.3) for held in HELD),
        *((OnlyVisibleTempered, temperature, held) for temperature in (0.7, 1.3) for held in HELD),
        *((ClampsOnlyAtTheEnds, temperature, "clamped") for temperature in (0.7, 1.0, 1.3)),
    ],
)
def test_a_chain_of_another_structure_is_found_out(mutant: type[StepwiseChain], temperature: float, held: str) -> None:
    v = run(mutant(TINY.weights.numpy(), 3), TINY, temperature, HELD[held], n=MANY)
    assert deviation(moments(v), exact(temperature, HELD[held]), 1 / MANY) > SIGMAS


@functools.cache
def bundled() -> tuple[Floats, Floats, Floats, NDArray[np.int8]]:
    """W, b_v and b_h of the bundled model in a frame of the demo tune, and the clamp to what sounds there."""
    model, _ = checkpoint.load(bundled_model())
    assert model.rbm is not None
    frames = to_roll(read_score(asset("demo.mid")), model.config.grid).frames[:64]
    recalled = Recall(model.config.n_pitches).hear(frames)
    past, _ = model.pasts(model.inputs(frames, 0, 4.0, recalled).unsqueeze(0))
    b_v, b_h = (bias[0, -1:].numpy() for bias in model.rbm.biases(past))
    v = model.encode(frames[-1])
    return model.rbm.W.numpy(), b_v, b_h, np.where(v == 1, 1, FREE).astype(np.int8)[np.newaxis]


def on_the_bundled_model(chain: str | Maker, temperature: float, clamped: bool) -> NDArray[np.uint8]:
    weights, b_v, b_h, held = bundled()
    clamp = np.tile(held if clamped else np.full_like(held, FREE), (N, 1))
    start = np.zeros(clamp.shape, np.uint8)
    biases = (np.tile(bias, (N, 1)) for bias in (b_v, b_h))
    make = CHAINS[chain] if isinstance(chain, str) else chain
    return make(weights, 7).sample(*biases, start, ENOUGH, temperature, clamp).v


of_the_oracle = functools.cache(lambda *condition: moments(on_the_bundled_model("torch", *condition)))


@pytest.mark.slow
@pytest.mark.parametrize("chain", [name for name in CHAINS if name != "torch" and "interpreted" not in name])
@every_temperature
@pytest.mark.parametrize("clamped", [False, True], ids=["free", "clamped"])
def test_moments_on_the_bundled_model_are_the_oracles(chain: str, temperature: float, clamped: bool) -> None:
    v = on_the_bundled_model(chain, temperature, clamped)
    assert deviation(moments(v), of_the_oracle(temperature, clamped), 2 / N) < SIGMAS


@pytest.mark.slow
@pytest.mark.parametrize("mutant", [BiasesNotTempered, OnlyVisibleTempered])
def test_wrong_temperatures_are_found_out_on_the_bundled_model_too(mutant: type[StepwiseChain]) -> None:
    """Shared uniforms and forgotten clamps are not: many units hide the one, and what is clamped stays by itself."""
    v = on_the_bundled_model(mutant, 0.7, False)
    assert deviation(moments(v), of_the_oracle(0.7, False), 2 / N) > SIGMAS


def test_compiled_and_torch_cores_remember_the_same() -> None:
    model, _ = checkpoint.load(bundled_model())
    frames = to_roll(read_score(asset("demo.mid")), model.config.grid).frames[:64]
    biases = []
    for sampler in ("cpu", "torch"):
        improviser = Improviser(model, 0, sampler)
        for frame in frames:
            improviser.hear(frame)
        biases.append(improviser._frames._memory.biases())
    for compiled, by_torch in zip(*biases, strict=True):
        np.testing.assert_allclose(compiled, by_torch, atol=2e-4)
