"""What is shared by all pitches, in compiled code: the tied core, and what NADE and the RBM make of what it remembers.

P pitches remember `tied` numbers each, s [P, tied]; u [recurrent] is the state of the core beside it.
"""

import numpy as np
import torch
from numba import float32, njit

from improv.model.core import TiedCore
from improv.model.nade import TiedNade
from improv.model.rbm import TiedRbm
from improv.sampling import kernels
from improv.sampling.chain import Floats
from improv.sampling.weights import array


class CompiledTiedCore:
    """The tied core, frame by frame.

    Attributes:
        s: what every pitch remembers.
    """

    def __init__(self, core: TiedCore) -> None:
        config, gru = core.config, core.core
        self._n_heard = config.n_heard
        told = torch.zeros(0, config.tied) if core.place is None else core.place.weight.T
        self._seeing = array(core.around.matrix()), array(core.pitch), array(told)
        weights = [array(gru.get_parameter(f"weight_{kind}_l0").T) for kind in ("ih", "hh")]
        self._gru = weights + [array(gru.get_parameter(f"bias_{kind}_l0")) for kind in ("ih", "hh")]
        self._s0 = array(core.initial(1)[0])
        self.forget()

    def forget(self) -> None:
        """Nothing has been heard."""
        self.s = self._s0.copy()

    def hear(self, inputs: Floats) -> None:
        """Takes in the cores' inputs [T, n_inputs]."""
        _hear(inputs, self._n_heard, *self._seeing, *self._gru, self.s)  # type: ignore[call-arg]


class CompiledTiedBiases:
    """b_v(t) and b_h(t) of a tied RBM."""

    def __init__(self, rbm: TiedRbm) -> None:
        mlp = rbm.to_visible.get_parameter
        visible = array(mlp("0.weight").T), array(mlp("0.bias")), array(mlp("2.weight"))
        self._weights = (array(rbm.b_v), array(rbm.W_uv), *visible, array(rbm.to_hidden.weight.T),
                         array(rbm.to_hidden.bias), array(rbm.overall.weight.T))  # fmt: skip

    def of(self, u: Floats, s: Floats) -> tuple[Floats, Floats]:
        """[1, V] and [1, H]."""
        b_v, b_h = _biases(u, s, *self._weights)
        return b_v[np.newaxis], b_h[np.newaxis]


class CompiledTiedStart:
    """Where the sweep of a tied NADE begins: see TiedNade.start."""

    def __init__(self, nade: TiedNade) -> None:
        self._weights = (array(nade.b_v), array(nade.W_uv), array(nade.pitch + nade.remembered.bias),
                         array(nade.remembered.weight.T), array(nade.overall.weight.T))  # fmt: skip

    def of(self, u: Floats, s: Floats) -> tuple[Floats, Floats]:
        """Pre-activations [P, tied], and b_v(t) [V]."""
        pre, b_v = _start(u, s, *self._weights)
        return pre, b_v


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def _hear(inputs, n_heard, around, pitch, told, w_in, w_rec, b_in, b_rec, s):  # type: ignore[no-untyped-def]
    """s after inputs x [T, I], in place; around [n_heard, P * tied], pitch [P, tied], told [I - n_heard, tied]."""
    n_pitches, size = pitch.shape
    seen, all_alike = kernels.aligned(n_pitches * size), kernels.aligned(size)
    heard, known = kernels.aligned(3 * size), kernels.aligned(3 * size)
    for x in inputs:
        all_alike[:] = 0
        kernels.add_product(all_alike, x[n_heard:], told)
        for p in range(n_pitches):
            for j in range(size):
                seen[p * size + j] = pitch[p, j] + all_alike[j]
        kernels.add_product(seen, x[:n_heard], around)
        for j in range(len(seen)):
            seen[j] = max(seen[j], float32(0))
        for p in range(n_pitches):
            kernels.gru_step(seen[p * size : (p + 1) * size], w_in, w_rec, b_in, b_rec, s[p], heard, known)


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def _biases(u, s, b_v, w_uv, w_1, b_1, w_2, w_h, b_hidden, w_uh):  # type: ignore[no-untyped-def]
    """Of a tied RBM; w_2 [channels, tied], the others [from, to]."""
    (n_pitches, size), (channels, _), n_hidden = s.shape, w_2.shape, len(b_hidden)
    visible, hidden, within, overall = (
        b_v.copy(),
        np.empty(n_pitches * n_hidden, np.float32),
        b_1.copy(),
        b_hidden.copy(),
    )
    kernels.add_product(visible, u, w_uv)
    kernels.add_product(overall, u, w_uh)
    for p in range(n_pitches):
        within[:] = b_1
        kernels.add_product(within, s[p], w_1)
        for c in range(channels):
            total = float32(0)
            for j in range(size):
                total += w_2[c, j] * max(within[j], float32(0))
            visible[c * n_pitches + p] += total
        own = hidden[p * n_hidden : (p + 1) * n_hidden]
        own[:] = overall
        kernels.add_product(own, s[p], w_h)
    return visible, hidden


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def _start(u, s, b_v, w_uv, own, w_s, w_u):  # type: ignore[no-untyped-def]
    """Of a tied NADE; own [P, tied], the others [from, to]."""
    pre, visible, overall = own.copy(), b_v.copy(), np.zeros(s.shape[1], np.float32)
    kernels.add_product(visible, u, w_uv)
    kernels.add_product(overall, u, w_u)
    for p in range(len(s)):
        kernels.add_product(pre[p], s[p], w_s)
        for j in range(len(overall)):
            pre[p, j] += overall[j]
    return pre, visible
