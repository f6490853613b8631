"""The live frame as others would write it: what our own is measured against.

Each function makes a task: one frame of the paper's RNN-RBM (biases from the state, k Gibbs steps from silence, one
step of the tanh core), again and again.
"""

from collections.abc import Callable

import numpy as np
import torch
from numba import float32, njit

from improv.model import rbm
from improv.model.sequence_model import SequenceModel
from improv.sampling import kernels

Task = Callable[[], object]


def first_eager(model: SequenceModel, k: int) -> Task:
    """Torch, as improv first wrote it: the chain of its model, which knows temperature and clamps."""
    assert model.rbm is not None
    p, v0, state = model.rbm, torch.zeros(1, model.config.n_visible), model.cores.initial(1)

    @torch.no_grad()
    def frame() -> None:
        nonlocal state
        b_v, b_h = p.biases(model.cores.past(state))
        v, _ = rbm.gibbs(v0, p.W, b_v, b_h, k)
        _, state = model.pasts(v.unsqueeze(0), state)

    return frame


def eager(model: SequenceModel, k: int) -> Task:
    """Torch, with as few operations as the formulas can be written in."""
    assert isinstance(model.rbm, rbm.ConditionalRbm)
    p, core = model.rbm, dict(model.cores.core.named_parameters())
    u = torch.zeros(model.config.recurrent)

    @torch.no_grad()
    def frame() -> None:
        nonlocal u
        b_v, b_h = p.b_v + u @ p.W_uv, p.b_h + u @ p.W_uh
        v = torch.zeros(len(b_v))
        for _ in range(k):
            h = torch.bernoulli(torch.sigmoid(v @ p.W + b_h))
            v = torch.bernoulli(torch.sigmoid(h @ p.W.T + b_v))
        u = torch.tanh(core["weight_ih_l0"] @ v + core["bias_ih_l0"] + core["weight_hh_l0"] @ u)

    return frame


def plain_numpy(model: SequenceModel, k: int) -> Task:
    """numpy, in single precision."""
    weights = {name: tensor.detach().numpy() for name, tensor in model.named_parameters()}
    w, w_uv, w_uh, b_v0, b_h0 = (weights[f"rbm.{name}"] for name in ("W", "W_uv", "W_uh", "b_v", "b_h"))
    w_in, w_rec, b_u = (weights[f"cores.core.{name}_l0"] for name in ("weight_ih", "weight_hh", "bias_ih"))
    rng, u = np.random.default_rng(0), np.zeros(len(w_rec), np.float32)

    def frame() -> None:
        nonlocal u
        b_v, b_h = b_v0 + u @ w_uv, b_h0 + u @ w_uh
        v = np.zeros(len(b_v), np.float32)
        for _ in range(k):
            h = (rng.random(len(b_h), np.float32) < 1 / (1 + np.exp(-(v @ w + b_h)))).astype(np.float32)
            v = (rng.random(len(b_v), np.float32) < 1 / (1 + np.exp(-(h @ w.T + b_v)))).astype(np.float32)
        u = np.tanh(w_in @ v + b_u + w_rec @ u)

    return frame


def dense_numba(model: SequenceModel, k: int) -> Task:
    """Compiled code that passes all of W and of its transpose in every step; all else is as in ours."""
    from improv.sampling.cores import CompiledMemory

    assert model.rbm is not None
    memory, w = CompiledMemory(model), model.rbm.W.detach().numpy()
    rows, columns = kernels.padded(w), kernels.padded(w.T)
    rng, heard = kernels.random_state(0), np.zeros((1, len(w)), np.float32)

    def frame() -> None:
        b_v, b_h = memory.biases()
        v = np.zeros(len(w), np.uint8)
        _dense_gibbs(rows, columns, b_v[0], b_h[0], v, k, rng)
        heard[0] = v
        memory.hear(heard)

    return frame


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def _dense_gibbs(w, w_t, b_v, b_h, v, k, rng):  # type: ignore[no-untyped-def]
    visible, hidden = kernels.layer(w_t.shape[1]), kernels.layer(w.shape[1])
    visible.pre[:], hidden.pre[:] = kernels.NEVER, kernels.NEVER
    for units in (visible, hidden):
        kernels.sow(units.seeds, rng)
    visible.on[: len(v)] = v
    for _ in range(k):
        _product(visible.on[: len(v)], w, b_h, hidden.pre)
        kernels.draw(hidden, float32(1))
        _product(hidden.on[: len(b_h)], w_t, b_v, visible.pre)
        kernels.draw(visible, float32(1))
    v[:] = visible.on[: len(v)]


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def _product(on, weights, bias, pre):  # type: ignore[no-untyped-def]
    pre[: len(bias)] = bias
    for i in range(len(on)):
        row, factor = weights[i], float32(on[i])
        for j in range(len(pre)):
            pre[j] += factor * row[j]
