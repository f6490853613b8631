"""The live frame on one thread: biases, Gibbs chain and recurrent step, beside other ways to write it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch

from improv.bench import references
from improv.bench.references import Task
from improv.bench.result import Bar, Result, times_better
from improv.bench.timing import durations, in_turns, percentile_in_turns
from improv.live.engine_main import SWITCH_SECONDS
from improv.model import checkpoint
from improv.model.config import Config
from improv.model.rbm import ConditionalRbm
from improv.model.sequence_model import SequenceModel
from improv.music.midifile import read_score
from improv.music.recall import Recall
from improv.music.score import to_roll
from improv.resources import asset, bundled_model
from improv.sampling.calibration import runnable
from improv.sampling.chain import FREE, make_chain
from improv.sampling.frames import FrameSampler

ROUNDS = 40
FIRST, EAGER = "torch eager, as first written", "torch eager, fewest operations"
NUMPY, DENSE = "numpy", "numba, dense sweeps of W and its transpose"
TURNS = 6  # beside the busy thread
WARMTH = 1.5  # at 1 half as many of the bundled units flip as is usual: their biases hold most of them off
BARS = {FIRST: times_better(30), NUMPY: times_better(12), DENSE: times_better(1 / 0.7)}
LARGER_BARS = {FIRST: times_better(7)}


def chain(rounds: int = ROUNDS, seconds: float = 6.0) -> Iterator[Result]:
    """Figures of the frame; `seconds` is for each that is measured beside a busy thread, a part of it for a GPU's."""
    torch.set_num_threads(1)
    model, larger = bundled_weights(150, 100), bundled_weights(512, 512)
    yield from _beside_others(model, rounds, BARS)
    yield from _longer(model, rounds)
    yield from _beside_a_busy_thread(model, seconds)
    yield from _beside_others(larger, rounds, LARGER_BARS)
    gpus = [sampler for sampler in runnable() if sampler not in ("cpu", "torch")]
    for one in (model, larger) if gpus else ():
        yield from _many_chains(["cpu", *gpus], one, seconds / TURNS)


def bundled_weights(hidden: int, recurrent: int) -> SequenceModel:
    """The tutorial's kind of model, 88 visible units, with weights and biases out of the bundled one.

    Untrained weights would not do: how many units flip in a step decides how long it takes. Of W these are the rows of
    sounding pitches, and the columns of as many hidden units as are asked for, taken evenly from all of them, repeated
    and scaled down where there are not enough; the biases are those of a frame of the demo tune. Both are divided by
    WARMTH, as at that temperature. The core's weights are random.
    """
    partner, _ = checkpoint.load(bundled_model())
    frames = to_roll(read_score(asset("demo.mid")), partner.config.grid).frames[:200]
    recalled = Recall(frames.shape[2]).hear(frames)
    past, _ = partner.pasts(partner.inputs(frames, 0, 4.0, recalled).unsqueeze(0))
    assert partner.rbm is not None
    b_v, b_h = (bias[0, -1] for bias in partner.rbm.biases(past))
    model = SequenceModel(Config(hidden=hidden, recurrent=recurrent, onsets=False, bars=False, normalised=False))
    assert isinstance(model.rbm, ConditionalRbm)
    n_visible, columns = model.config.n_visible, torch.arange(hidden) * len(b_h) // hidden
    scale = min(1.0, len(b_h) / hidden)
    model.rbm.W.data = scale * partner.rbm.W[:n_visible, columns] / WARMTH
    model.rbm.b_v.data, model.rbm.b_h.data = b_v[:n_visible] / WARMTH, b_h[columns] / WARMTH
    return model.eval().requires_grad_(False)


def flips(model: SequenceModel, steps: int = 1000) -> float:
    """The share of hidden units that flip in a Gibbs step."""
    p = model.rbm
    assert isinstance(p, ConditionalRbm)
    v, before, flipped = torch.zeros_like(p.b_v), torch.zeros_like(p.b_h), []
    for _ in range(steps):
        h = torch.bernoulli(torch.sigmoid(v @ p.W + p.b_h))
        v = torch.bernoulli(torch.sigmoid(h @ p.W.T + p.b_v))
        flipped.append(float((h != before).float().mean()))
        before = h
    return float(np.mean(flipped[1:]))


def ours(model: SequenceModel, k: int) -> Task:
    """The frame as the live partner computes it."""
    sampler = FrameSampler(model, 0, "cpu", burn_in=0)
    free, heard = np.full(model.config.n_visible, FREE, np.int8), np.zeros((1, model.config.n_inputs), np.float32)
    lean = np.zeros(model.config.n_visible, np.float32)

    def frame() -> None:
        v, _ = sampler.sample(free, lean, 1.0, k)
        heard[0] = v
        sampler.hear(heard)
        sampler.go_on()

    return frame


def _told(model: SequenceModel) -> str:
    c, flipped = model.config, 100 * flips(model)
    return f"{c.n_visible}x{c.hidden}, tanh core of {c.recurrent}, k = 25, {flipped:.0f} % of hidden units flip a step"


def _beside_others(model: SequenceModel, rounds: int, bars: Mapping[str, Bar]) -> Iterator[Result]:
    others = {
        FIRST: references.first_eager,
        EAGER: references.eager,
        NUMPY: references.plain_numpy,
        DENSE: references.dense_numba,
    }
    taken = in_turns({"ours": ours(model, 25)} | {name: make(model, 25) for name, make in others.items()}, rounds)
    told = _told(model)
    for name in others:
        yield Result(f"frame, {told}", 1e6 * taken["ours"], "us", 1e6 * taken[name], name, bars.get(name))


def _longer(model: SequenceModel, rounds: int) -> Iterator[Result]:
    taken = in_turns({"100": ours(model, 100), "1000": ours(model, 1000)}, rounds)
    bar = times_better(1 / 10.5)
    yield Result("frame at k = 1000", 1e6 * taken["1000"], "us", 1e6 * taken["100"], "the same at k = 100", bar)


def _beside_a_busy_thread(model: SequenceModel, seconds: float) -> Iterator[Result]:
    tasks = {"ours": ours(model, 25), EAGER: references.eager(model, 25)}
    for interval, whose in ((0.005, "Python's"), (SWITCH_SECONDS, "the engine's")):
        with _busy_thread(interval):
            p99 = percentile_in_turns(tasks, TURNS, seconds / TURNS, 99)
        name = f"frame at k = 25 beside a busy Python thread, {whose} switch interval, p99"
        yield Result(name, 1000 * p99["ours"], "ms", 1000 * p99[EAGER], EAGER, times_better(10))


@contextmanager
def _busy_thread(switch_interval: float) -> Iterator[None]:
    """A thread that wants the interpreter all the time; who else wants it waits for `switch_interval` seconds."""
    over, before = threading.Event(), sys.getswitchinterval()

    def work() -> None:
        while not over.is_set():
            sum(range(100))

    thread = threading.Thread(target=work)
    sys.setswitchinterval(switch_interval)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        sys.setswitchinterval(before)


def _many_chains(samplers: list[str], model: SequenceModel, seconds: float) -> Iterator[Result]:
    """Chains alone, from the host's memory to the host's memory, beside torch eager on the CPU."""
    p = model.rbm
    assert isinstance(p, ConditionalRbm)
    for k in (25, 1000):
        for n in (1, 256):
            b_v, b_h = (np.tile(bias.numpy(), (n, 1)) for bias in (p.b_v, p.b_h))
            start, taken = np.zeros(b_v.shape, np.uint8), {}
            for sampler in ("torch", *samplers):
                task = partial(make_chain(p.W.numpy(), 0, sampler).sample, b_v, b_h, start, k, 1.0)
                task()
                taken[sampler] = 1e6 * np.percentile(durations(task, seconds), (50, 99))
            for sampler in samplers:
                for percent, ours, torchs in zip(("p50", "p99"), taken[sampler], taken["torch"], strict=True):
                    name = f"{sampler} chain, {p.W.shape[0]}x{p.W.shape[1]}, k = {k}, N = {n}, {percent}"
                    yield Result(name, float(ours), "us", float(torchs), "torch on the CPU")
