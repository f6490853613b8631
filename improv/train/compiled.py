"""Training on the CPU in compiled code: backpropagation through time by hand for the paper's own model.

Subsequences of some hundred frames are too small for torch, which spends most of its time between the operations. Here
the recurrence, the chains and everything sparse is one loop each; the dense products of whole subsequences are BLAS's.
"""

import numpy as np
import torch
from numba import float32, njit
from numpy.typing import NDArray
from torch import Tensor

from improv.model.config import Config
from improv.model.rbm import ConditionalRbm, reconstruction_log_likelihood
from improv.model.sequence_model import SequenceModel
from improv.sampling import kernels
from improv.sampling.chain import FREE, Bits, Floats


def negative_samples(
    weights: Floats, b_v: Floats, b_h: Floats, start: Bits, k: int, rng: NDArray[np.uint64]
) -> tuple[Bits, Floats]:
    """What `improv.model.rbm.gibbs` draws, for any model's minibatches on the CPU.

    Args:
        weights: W [V, H].
        b_v, b_h: [N, V] and [N, H].
        start: zeros and ones [N, V].
        k: Gibbs steps, at least 1.
        rng: see kernels.random_state; goes on.

    Returns:
        The sample uint8 [N, V], and the logits its last visible step drew from, float32 [N, V].
    """
    w, w_t = np.ascontiguousarray(weights), np.array(weights.T, order="C")
    v, logits = np.array(start, np.uint8, order="C"), np.empty(start.shape, np.float32)
    free = np.full(v.shape, FREE, np.int8)
    kernels.gibbs(w, w_t, np.ascontiguousarray(b_v), np.ascontiguousarray(b_h), v, logits, free, k, 1.0, rng)
    return v, logits


class CompiledSgd:
    """SGD on one subsequence at a time: tanh core, RBM, CD-k from the data.

    It works on the model's own parameters, which may otherwise only be changed in place.

    Attributes:
        rng: the random numbers of the chains; set it from (seed, epoch) for runs that can be repeated and resumed.
    """

    @staticmethod
    def fits(config: Config) -> bool:
        """Whether a model is of the kind that is trained here."""
        return config.core == "tanh" and config.estimator == "rbm" and not config.tied

    def __init__(self, model: SequenceModel, cd_steps: int, seed: int = 0) -> None:
        if not self.fits(model.config) or not isinstance(model.rbm, ConditionalRbm):
            raise ValueError("only a tanh core with an RBM, nothing tied, is trained by compiled code")
        self.cd_steps = cd_steps
        self.rng = kernels.random_state(seed)
        self.learned = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
        rbm, core = model.rbm, model.cores.core
        self._w, self._b_v, self._b_h = rbm.W.detach(), rbm.b_v.detach(), rbm.b_h.detach()
        self._w_uv, self._w_uh = rbm.W_uv.detach(), rbm.W_uh.detach()
        self._w_vu, self._w_uu = core.weight_ih_l0.detach(), core.weight_hh_l0.detach()
        self._b_u, self._b_uu = core.bias_ih_l0.detach(), core.bias_hh_l0.detach()
        self._u0 = model.cores.u0.detach()

    def update(self, inputs: NDArray[np.uint8], learning_rate: float) -> float:
        """One step on a subsequence, zeros and ones [T, n_inputs]; returns the sum of the monitor over its frames."""
        u = self.states(inputs)
        b_v, b_h = self.biases(u)
        v = np.ascontiguousarray(inputs[:, : len(self._w)])
        sample, logits = negative_samples(self._w.numpy(), b_v.numpy(), b_h.numpy(), v, self.cd_steps, self.rng)
        for name, gradient in self.gradients(inputs, u, b_h, sample).items():
            if name in self.learned:
                self.learned[name].detach().add_(gradient, alpha=-learning_rate)
        return float(reconstruction_log_likelihood(torch.from_numpy(v).float(), torch.from_numpy(logits)).sum())

    def states(self, inputs: NDArray[np.uint8]) -> Tensor:
        """u_{t-1} of every frame, [T, recurrent]."""
        drive = torch.addmm(self._b_u + self._b_uu, torch.from_numpy(inputs[:-1]).float(), self._w_vu.T)
        u = torch.cat([self._u0, drive])
        _recur(u.numpy(), self._w_uu.T.contiguous().numpy())
        return u

    def biases(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """b_v(t) [T, V] and b_h(t) [T, H] after the states u [T, recurrent]."""
        return torch.addmm(self._b_v, u, self._w_uv), torch.addmm(self._b_h, u, self._w_uh)

    def gradients(self, inputs: NDArray[np.uint8], u: Tensor, b_h: Tensor, sample: Bits) -> dict[str, Tensor]:
        """Gradient of the mean of F(v) - F(v*) over the frames, by the parameters' names.

        Args:
            inputs: zeros and ones [T, n_inputs], of which the first n_visible are v.
            u, b_h: what `states` and `biases` gave.
            sample: v*, uint8 [T, V], which is held constant.
        """
        d_w, d_b_v, d_b_h = torch.zeros_like(self._w), torch.empty(sample.shape), torch.empty_like(b_h)
        _contrast(inputs, sample, self._w.numpy(), b_h.numpy(), d_w.numpy(), d_b_v.numpy(), d_b_h.numpy())
        d_u = d_b_v @ self._w_uv.T
        d_u.addmm_(d_b_h, self._w_uh.T)
        _recur_back(d_u.numpy(), u.numpy(), self._w_uu.numpy())
        d_pre = d_u[1:]
        return {
            "rbm.W": d_w,
            "rbm.b_v": d_b_v.sum(0),
            "rbm.b_h": d_b_h.sum(0),
            "rbm.W_uv": u.T @ d_b_v,
            "rbm.W_uh": u.T @ d_b_h,
            "cores.core.weight_ih_l0": d_pre.T @ torch.from_numpy(inputs[:-1]).float(),
            "cores.core.weight_hh_l0": d_pre.T @ u[:-1],
            "cores.core.bias_ih_l0": d_pre.sum(0),
            "cores.u0": d_u[:1],
        }


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def _recur(u, w_t):  # type: ignore[no-untyped-def]
    """The states u [T, R] from the first of them and, in the others, all else that drives them; `w_t` is W_uu."""
    pre = kernels.aligned(len(w_t))
    for t in range(1, len(u)):
        pre[:] = u[t]
        for i in range(len(pre)):
            row, before = w_t[i], u[t - 1, i]
            for j in range(len(pre)):
                pre[j] += before * row[j]
        for j in range(len(pre)):
            u[t, j] = kernels.tanh(pre[j])


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def _recur_back(d_u, u, w):  # type: ignore[no-untyped-def]
    """Makes of the gradient d_u [T, R] by each state that by what goes into its tanh, and by the first state itself."""
    before = kernels.aligned(len(w))
    for t in range(len(u) - 1, 0, -1):
        before[:] = d_u[t - 1]
        for i in range(len(before)):
            d_u[t, i] *= float32(1) - u[t, i] * u[t, i]
            row, slope = w[i], d_u[t, i]
            for j in range(len(before)):
                before[j] += slope * row[j]
        d_u[t - 1] = before


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def _contrast(data, sample, w, b_h, d_w, d_b_v, d_b_h):  # type: ignore[no-untyped-def]
    """Adds the gradient of mean F(v) - F(v*) by W to d_w, and puts those by b_v(t) and b_h(t) in d_b_v and d_b_h."""
    share = float32(1 / len(sample))
    pre = kernels.aligned(w.shape[1])
    for t in range(len(sample)):
        d_b_h[t] = 0
        for v, sign in ((data[t], -share), (sample[t], share)):
            pre[:] = b_h[t]
            for i in range(len(w)):
                if v[i]:
                    _add(pre, w[i])
            for j in range(len(pre)):
                pre[j] = sign * kernels.sigmoid(pre[j])
            for i in range(len(w)):
                if v[i]:
                    _add(d_w[i], pre)
            _add(d_b_h[t], pre)
        for i in range(len(w)):
            d_b_v[t, i] = share * (float32(sample[t, i]) - float32(data[t, i]))


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def _add(to, row):  # type: ignore[no-untyped-def]
    """The same as `to += row`, which numba does not do in vectors."""
    for j in range(len(to)):
        to[j] += row[j]
