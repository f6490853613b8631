"""The recurrent cores in compiled code: for one frame at a time, torch spends most of its time between the operations.

The tanh core and the GRU are run here, frame by frame as the music is heard, and a tied core beside them; the LSTM
stays with torch. All calls but those for a tied core are so short that they keep the interpreter's lock: to get it back
from a busy thread would take longer.
"""

from typing import Protocol

import torch
from numba import njit

from improv.model.config import Config
from improv.model.core import Past
from improv.model.rbm import ConditionalRbm, TiedRbm
from improv.model.sequence_model import SequenceModel
from improv.sampling import kernels
from improv.sampling.chain import Floats
from improv.sampling.kernels import padded
from improv.sampling.tied import CompiledTiedBiases, CompiledTiedCore
from improv.sampling.weights import array

TOGETHER = 8  # frames heard in one call


class Memory(Protocol):
    """The recurrent state of one performance: what the next frame is conditioned on."""

    def forget(self) -> None:
        """Nothing has been heard."""

    def hear(self, inputs: Floats) -> None:
        """Takes in the cores' inputs [T, n_inputs] of frames that are over."""

    def past(self) -> Past:
        """What the next frame is conditioned on, [1, ...], until more is heard."""

    def biases(self) -> tuple[Floats, Floats]:
        """b_v(t) [1, V] and b_h(t) [1, H] of the model's RBM, until this is called again."""


class TorchMemory:
    """Memory by torch, of any model."""

    def __init__(self, model: SequenceModel) -> None:
        self._model = model
        self.forget()

    def forget(self) -> None:
        """See Memory."""
        self._state = self._model.cores.initial(1)

    def hear(self, inputs: Floats) -> None:
        """See Memory."""
        with torch.inference_mode():
            _, self._state = self._model.pasts(torch.from_numpy(inputs).unsqueeze(0), self._state)

    def past(self) -> Past:
        """See Memory."""
        return self._model.cores.past(self._state)

    def biases(self) -> tuple[Floats, Floats]:
        """See Memory."""
        assert self._model.rbm is not None
        with torch.inference_mode():
            b_v, b_h = self._model.rbm.biases(self.past())
            return b_v.numpy(), b_h.numpy()


class CompiledMemory:
    """Memory in compiled code; `fits` tells of which models."""

    @staticmethod
    def fits(config: Config) -> bool:
        """Whether a model is of the kind that is run here."""
        return config.core in ("tanh", "gru")

    def __init__(self, model: SequenceModel) -> None:
        core = model.cores.core
        w_in, w_rec = array(core.weight_ih_l0.T), array(core.weight_hh_l0.T)
        b_in, b_rec = array(core.bias_ih_l0), array(core.bias_hh_l0)
        tanh = model.config.core == "tanh"
        self._hear = _hear_tanh if tanh else _hear_gru
        self._weights = [padded(w_in), padded(w_rec), b_in + b_rec] if tanh else [w_in, w_rec, b_in, b_rec]
        self._u0 = array(model.cores.u0[0])
        self._tied = None if model.cores.tied is None else CompiledTiedCore(model.cores.tied)
        self._biases = _Biases(model.rbm) if isinstance(model.rbm, ConditionalRbm) else None
        self._tied_biases = CompiledTiedBiases(model.rbm) if isinstance(model.rbm, TiedRbm) else None
        self.forget()

    def forget(self) -> None:
        """See Memory."""
        self._u = self._u0.copy()
        if self._tied is not None:
            self._tied.forget()
        s = None if self._tied is None else torch.from_numpy(self._tied.s).unsqueeze(0)
        self._past = Past(torch.from_numpy(self._u).unsqueeze(0), s)  # of the same memory, which changes in place

    def hear(self, inputs: Floats) -> None:
        """See Memory."""
        for first in range(0, len(inputs), TOGETHER):
            some = inputs[first : first + TOGETHER]
            self._hear(some, *self._weights, self._u)  # type: ignore[call-arg]
            if self._tied is not None:
                self._tied.hear(some)

    def past(self) -> Past:
        """See Memory."""
        return self._past

    def biases(self) -> tuple[Floats, Floats]:
        """See Memory."""
        if self._tied is not None and self._tied_biases is not None:
            return self._tied_biases.of(self._u, self._tied.s)
        assert self._biases is not None
        return self._biases.of(self._u)


class _Biases:
    """b_v(t) and b_h(t) of an RBM, side by side."""

    def __init__(self, rbm: ConditionalRbm) -> None:
        n_visible, n_hidden = rbm.W.shape
        self._weights = padded(array(torch.cat([rbm.W_uv, rbm.W_uh], dim=1)))
        self._bias = padded(array(torch.cat([rbm.b_v, rbm.b_h]).unsqueeze(0)))[:1]
        self._both = padded(self._bias)[:1]
        self._parts = self._both[:, :n_visible], self._both[:, n_visible : n_visible + n_hidden]

    def of(self, u: Floats) -> tuple[Floats, Floats]:
        """[1, V] and [1, H], until it is called again."""
        _affine(u, self._weights, self._bias, self._both)
        return self._parts


@njit(cache=True, fastmath=True, error_model="numpy")
def _affine(u, weights, bias, to):  # type: ignore[no-untyped-def]
    """to [1, N] = bias [1, N] + u [R] weights [R, N]."""
    to[:] = bias
    kernels.add_product(to[0], u, weights)


@njit(cache=True, fastmath=True, error_model="numpy")
def _hear_tanh(inputs, w_in, w_rec, bias, u):  # type: ignore[no-untyped-def]
    """u = tanh(b_u + x W_vu + u W_uu) over inputs x [T, I], in place; w_in [I, R], w_rec [R, R], both padded."""
    pre = kernels.aligned(w_rec.shape[1])
    for x in inputs:
        pre[: len(u)] = bias
        kernels.add_product(pre, x, w_in)
        kernels.add_product(pre, u, w_rec)
        for j in range(len(u)):
            u[j] = kernels.tanh(pre[j])


@njit(cache=True, fastmath=True, error_model="numpy")
def _hear_gru(inputs, w_in, w_rec, b_in, b_rec, u):  # type: ignore[no-untyped-def]
    """The GRU as torch has it: gates r, z and n side by side in w_in [I, 3 R] and w_rec [R, 3 R]."""
    n = len(u)
    heard, known = kernels.aligned(3 * n), kernels.aligned(3 * n)
    for x in inputs:
        kernels.gru_step(x, w_in, w_rec, b_in, b_rec, u, heard, known)
