import numpy as np
import pytest
import torch

from improv.model.config import Config
from improv.model.sequence_model import SequenceModel
from improv.sampling.cores import CompiledMemory, TorchMemory
from improv.sampling.tied import CompiledTiedStart

SMALL = {"hidden": 24, "recurrent": 7, "low": 60, "n_pitches": 12, "estimator": "both"}


def model_of(**config: object) -> SequenceModel:
    """A model with weights that make a difference."""
    torch.manual_seed(1)
    model = SequenceModel(Config(**{**SMALL, **config}))  # type: ignore[arg-type]
    for parameter in model.parameters():
        parameter.data.normal_(std=0.4)
    return model.eval().requires_grad_(False)


@pytest.mark.parametrize("core", ["tanh", "gru"])
@pytest.mark.parametrize("tied", [0, 5])
@pytest.mark.parametrize("told", [True, False], ids=["onsets and bars", "neither"])
@pytest.mark.parametrize("recall", [True, False])
@pytest.mark.parametrize("learn_u0", [True, False])
def test_compiled_cores_remember_what_torch_does(
    core: str, tied: int, told: bool, recall: bool, learn_u0: bool
) -> None:
    model = model_of(core=core, tied=tied, onsets=told, bars=told, recall=recall, learn_u0=learn_u0)
    assert CompiledMemory.fits(model.config)
    ours, theirs = CompiledMemory(model), TorchMemory(model)
    inputs = np.random.default_rng(0).integers(0, 2, (20, model.config.n_inputs)).astype(np.float32)
    for start, end in ((0, 0), (0, 1), (1, 2), (2, 20)):  # nothing heard, a frame, another, more than are taken at once
        if end:
            ours.hear(inputs[start:end])
            theirs.hear(inputs[start:end])
        for a, b in zip(ours.biases(), theirs.biases(), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5)
        torch.testing.assert_close(ours.past().u, theirs.past().u, atol=1e-5, rtol=0)
        torch.testing.assert_close(ours.past().s, theirs.past().s, atol=1e-5, rtol=0)
    ours.forget()
    torch.testing.assert_close(ours.past().u[0], model.cores.u0[0])


def test_the_compiled_sweep_of_a_tied_nade_begins_where_torchs_does() -> None:
    model = model_of(tied=5)
    past = TorchMemory(model).past()
    past.u.normal_()
    assert past.s is not None
    assert model.nade is not None
    past.s.normal_()
    ours = CompiledTiedStart(model.nade).of(past.u[0].numpy(), past.s[0].numpy())  # type: ignore[arg-type]
    for a, b in zip(ours, model.nade.start(past), strict=True):  # type: ignore[operator]
        np.testing.assert_allclose(a, b[0].numpy(), atol=1e-5)
