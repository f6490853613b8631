from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from improv.errors import ImprovError
from improv.model.config import Config
from improv.model.sequence_model import SequenceModel
from improv.sampling.calibration import choose, measure, runnable
from improv.sampling.chain import SAMPLERS, Sample
from improv.sampling.compiled import cached
from improv.sampling.cores import CompiledMemory
from improv.sampling.devices import DEVICES

SMALL = Config(hidden=4, recurrent=3, low=60, n_pitches=4)
no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")


def test_every_sampler_belongs_to_a_device() -> None:
    assert set(DEVICES["auto"]) == set(SAMPLERS)
    assert set(DEVICES["cpu"]) | set(DEVICES["cuda"]) | set(DEVICES["torch"]) == set(SAMPLERS)


@pytest.mark.parametrize(("device", "sampler"), [("cpu", "cpu"), ("torch", "torch")])
def test_a_device_that_is_named_is_taken(device: str, sampler: str) -> None:
    choice = choose(SequenceModel(SMALL), 10, device)
    assert choice.sampler == sampler
    assert device in choice.why


@no_gpu
def test_without_a_gpu_cuda_is_refused_in_one_line() -> None:
    with pytest.raises(ImprovError, match=r"^[^\n]*no CUDA GPU[^\n]*--device cpu[^\n]*$"):
        runnable("cuda")


@no_gpu
def test_a_sampler_that_fails_is_left_out_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("improv.sampling.calibration.runnable", lambda _device: ["cuda-graph", "cpu"])
    choice = choose(SequenceModel(SMALL), 10)
    assert choice.sampler == "cpu"
    assert "cuda-graph fails: " in choice.why
    monkeypatch.setattr("improv.sampling.calibration.runnable", lambda _device: ["cuda-graph", "cuda-graph"])
    with pytest.raises(ImprovError, match="cuda-graph fails: "):
        choose(SequenceModel(SMALL), 10)


def test_what_is_chosen_was_measured_to_be_the_fastest(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = {"cpu": 0.004, "torch": 0.003}
    monkeypatch.setattr("improv.sampling.calibration.runnable", lambda _device: list(seconds))
    monkeypatch.setattr("improv.sampling.calibration.measure", lambda chain, *_: seconds[chain.name])
    choice = choose(SequenceModel(SMALL), 70)
    assert choice.sampler == "torch"
    assert "3.00 ms a frame at k = 70" in choice.why
    assert "cpu 4.00" in choice.why
    assert "\n" not in choice.why


def test_chains_are_measured_at_the_biases_the_music_begins_with(monkeypatch: pytest.MonkeyPatch) -> None:
    model = SequenceModel(replace(SMALL, learn_u0=True))
    for parameter in model.parameters():
        parameter.data.normal_()
    measured: list[tuple[np.ndarray, ...]] = []
    monkeypatch.setattr("improv.sampling.calibration.runnable", lambda _device: ["cpu", "torch"])
    monkeypatch.setattr("improv.sampling.calibration.measure", lambda _chain, *at: measured.append(at[:2]) or 1.0)
    choose(model, 10)
    for biases in measured:
        for one, other in zip(biases, CompiledMemory(model).biases(), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-5)
    assert len(measured) == 2


@pytest.mark.parametrize(("device", "sampler"), [("auto", "cpu"), ("cpu", "cpu"), ("torch", "torch"), ("cuda", "cpu")])
def test_a_model_without_a_chain_needs_no_measuring_and_no_gpu_runs_it(
    device: str, sampler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("improv.sampling.calibration.runnable", DEVICES.__getitem__)  # as if there were a GPU
    choice = choose(SequenceModel(replace(SMALL, estimator="nade")), 10, device)
    assert choice.sampler == sampler
    assert choice.why.endswith("on the CPU")


def test_the_time_of_a_chain_cut_short_is_scaled(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("improv.sampling.calibration.time.perf_counter", lambda: now)

    class Slow:
        """A chain whose steps take a millisecond each, and that never has time for more than ten."""

        name = "slow"

        def sample(self, *args: object) -> Sample:
            nonlocal now
            steps = min(int(str(args[3])), 10)
            now += 0.001 * steps
            return Sample(np.zeros((1, 4), np.uint8), np.zeros((1, 4), np.float32), steps)

    assert measure(Slow(), np.zeros((1, 4), np.float32), np.zeros((1, 3), np.float32), 10_000) == pytest.approx(10.0)


def test_nothing_is_compiled_where_only_the_cache_may_be_used(tmp_path: Path) -> None:
    import importlib.util

    (tmp_path / "fresh.py").write_text("from numba import njit\n\n@njit(cache=True)\ndef f(x):\n    return x + 1\n")
    spec = importlib.util.spec_from_file_location("fresh", tmp_path / "fresh.py")
    assert spec is not None
    assert spec.loader is not None
    fresh = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fresh)
    assert not cached(lambda: fresh.f(1))
    assert not fresh.f.signatures
    assert fresh.f(1) == 2
    assert cached(lambda: fresh.f(1))
