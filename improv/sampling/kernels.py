"""The Gibbs chain in compiled code: one thread, no GIL, for the live partner and for training alike.

The pre-activations of both layers are kept up to date by adding or subtracting the weight rows of the units that
flipped in a step: in a trained model that is a fraction of them, so it costs a fraction of the two matrix products.
The units of a layer are drawn in one loop without branches, random numbers included, so that it runs in vectors.
"""

import numpy as np
from numba import float32, njit, uint64
from numpy.typing import NDArray

BLOCK = 1 << 22  # weights that the steps of a block could pass, which takes about 0.2 ms

GAMMA = 0x9E3779B97F4A7C15


def random_state(*seed: int) -> NDArray[np.uint64]:
    """State of the random numbers, uint64 [1], that follows from whole numbers, as (seed, epoch)."""
    words = np.random.SeedSequence([number % 2**64 for number in seed]).generate_state(1, np.uint64)
    return words.astype(np.uint64)


@njit(inline="always")
def _uniform(state):  # type: ignore[no-untyped-def]
    """The number in [0, 1) that splitmix64 makes of a state (Steele, Lea & Flood 2014); the next state is + GAMMA."""
    z = (state ^ (state >> uint64(30))) * uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> uint64(27))) * uint64(0x94D049BB133111EB)
    return float32(np.int32((z ^ (z >> uint64(31))) >> uint64(40))) * float32(1 / 2**24)


@njit(inline="always")
def exp(x):  # type: ignore[no-untyped-def]
    """e^x to 2e-7, within 2^-126 .. 2^126: the library's cannot run in vectors."""
    t = min(max(x * float32(np.log2(np.e)), float32(-126)), float32(126))
    whole = np.floor(t + float32(0.5))
    f = t - whole
    power = float32(np.log(2) ** 6 / 720)  # the series of 2^f, |f| <= 1/2
    power = power * f + float32(np.log(2) ** 5 / 120)
    power = power * f + float32(np.log(2) ** 4 / 24)
    power = power * f + float32(np.log(2) ** 3 / 6)
    power = power * f + float32(np.log(2) ** 2 / 2)
    power = power * f + float32(np.log(2))
    power = power * f + float32(1)
    return power * np.int32((np.int32(whole) + np.int32(127)) << np.int32(23)).view(np.float32)


@njit(inline="always")
def sigmoid(x):  # type: ignore[no-untyped-def]
    """1 / (1 + e^-x)."""
    return float32(1) / (float32(1) + exp(-x))


@njit(inline="always")
def tanh(x):  # type: ignore[no-untyped-def]
    """To 3e-7 of itself, also where that is small."""
    square = x * x
    series = x * (float32(1) - square * (float32(1 / 3) - square * (float32(2 / 15) - square * float32(17 / 315))))
    return series if square < float32(0.01) else float32(1) - float32(2) / (float32(1) + exp(x + x))


@njit(inline="always")
def add_product(to, x, weights):  # type: ignore[no-untyped-def]
    """to [N] += x [M] weights [M, N]; what is zero in x costs nothing."""
    for i in range(len(x)):
        if x[i] != 0:
            row, factor = weights[i], x[i]
            for j in range(len(to)):
                to[j] += factor * row[j]


@njit(inline="always")
def gru_step(x, w_in, w_rec, b_in, b_rec, u, heard, known):  # type: ignore[no-untyped-def]
    """u [R] after the input x [I], in place, as torch's GRU has it: gates r, z and n side by side in w_in [I, 3 R] and
    w_rec [R, 3 R]; heard and known [3 R] are room to work in."""
    n = len(u)
    heard[:], known[:] = b_in, b_rec
    add_product(heard, x, w_in)
    add_product(known, u, w_rec)
    for j in range(n):
        r = sigmoid(heard[j] + known[j])
        z = sigmoid(heard[n + j] + known[n + j])
        new = tanh(heard[2 * n + j] + r * known[2 * n + j])
        u[j] = new + z * (u[j] - new)


@njit(nogil=True, cache=True)
def block(n_visible, n_hidden):  # type: ignore[no-untyped-def]
    """Steps after which the pre-activations are summed anew, so that rounding cannot pile up.

    A chain run in calls of so many steps, or of multiples of them, ends just where it does in a single call.
    """
    return max(16, BLOCK // (n_visible * n_hidden))


@njit(nogil=True, cache=True)
def aligned(n):  # type: ignore[no-untyped-def]
    """Memory for float32 [n] from the start of a cache line: a whole chain takes 12 us there, and 17 beside it."""
    room = np.empty(n + 16, np.float32)
    first = (64 - room.ctypes.data % 64) % 64 // 4
    return room[first : first + n]


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def _draw(on, pre, beta, rng):  # type: ignore[no-untyped-def]
    """Draws the units `on` uint8 [N] that have the pre-activations `pre` [N]."""
    state = rng[0]
    for j in range(len(pre)):
        on[j] = _uniform(state + uint64(j) * uint64(GAMMA)) * (float32(1) + exp(-beta * pre[j])) < float32(1)
    rng[0] = state + uint64(len(pre)) * uint64(GAMMA)


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def _flip(was, on, weights, pre, flipped):  # type: ignore[no-untyped-def]
    """Brings `was` to `on`, and `pre` of the other layer up to date; `flipped` has room for one more than all units."""
    count = 0
    for j in range(len(on)):
        flipped[count] = j
        count += on[j] != was[j]
    for n in range(count):
        j = flipped[n]
        row, sign = weights[j], float32(on[j]) - float32(was[j])
        was[j] = on[j]
        for i in range(len(pre)):
            pre[i] += sign * row[i]


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def gibbs(w, w_t, b_v, b_h, v, logits, held, k, inverse_temperature, rng):  # type: ignore[no-untyped-def]
    """`k` steps of N chains that share their weights, one after the other.

    Args:
        w, w_t: W float32 [V, H], and its transpose in memory of its own.
        b_v, b_h: float32 [N, V], [N, H].
        v: uint8 [N, V], where the chains start and then where they end.
        logits: float32 [N, V], receives the logits the last visible step drew from.
        held: int8 [N, V], negative where the chain decides, 0 or 1 where the unit is clamped.
        inverse_temperature: multiplies both pre-activations.
        rng: see random_state; goes on.
    """
    n_visible, n_hidden = w.shape
    beta = float32(inverse_temperature)
    h, on_h, on_v = np.empty(n_hidden, np.uint8), np.empty(n_hidden, np.uint8), np.empty(n_visible, np.uint8)
    was_v, flipped = np.empty(n_visible, np.uint8), np.empty(max(w.shape) + 1, np.int64)
    pre_v, pre_h, refresh = aligned(n_visible), aligned(n_hidden), block(n_visible, n_hidden)
    for n in range(len(v)):
        for i in range(n_visible):
            on_v[i] = v[n, i] if held[n, i] < 0 else held[n, i]
        for step in range(k):
            if step % refresh == 0:
                h[:], pre_v[:] = 0, b_v[n]
                was_v[:], pre_h[:] = 0, b_h[n]
            _flip(was_v, on_v, w, pre_h, flipped)
            _draw(on_h, pre_h, beta, rng)
            _flip(h, on_h, w_t, pre_v, flipped)
            _draw(on_v, pre_v, beta, rng)
            for i in range(n_visible):
                on_v[i] = on_v[i] if held[n, i] < 0 else held[n, i]
        v[n] = on_v
        for i in range(n_visible):
            logits[n, i] = beta * pre_v[i]
