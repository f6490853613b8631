"""The Gibbs chain in compiled code: one thread, no GIL, for the live partner and for training alike.

The pre-activations of both layers are kept up to date by adding or subtracting the weight rows of the units that
flipped in a step: in a trained model that is a fraction of them, so it costs a fraction of the two matrix products.
The units of a layer are drawn in one loop without branches, random numbers included, so that it runs in vectors.
"""

from typing import NamedTuple

import numpy as np
from numba import float32, int64, njit, uint32, uint64
from numba.cpython.unsafe.numbers import trailing_zeros
from numpy.typing import NDArray

BLOCK = 1 << 22  # weights that the steps of a block could pass, which takes about 0.15 ms
LANES = 32  # loops over multiples of so many units leave no remainder to be done one by one
SPARE = 3  # places that a list of rows needs beyond its end
NEVER = -1e9  # pre-activation of a unit that only fills the lanes; it comes on once in 2^24 draws, and weighs nothing


def padded(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weights [M, N] with zeros beyond, up to multiples of LANES, from the start of a cache line: nothing here demands
    it, but all is faster with them."""
    rows, columns = (-(-n // LANES) * LANES for n in weights.shape)
    room: NDArray[np.float32] = aligned.py_func(rows * columns).reshape(rows, columns)  # type: ignore[no-untyped-call]
    room[:] = 0
    room[: weights.shape[0], : weights.shape[1]] = weights
    return room


def random_state(*seed: int) -> NDArray[np.uint64]:
    """State of the random numbers, uint64 [1], that follows from whole numbers, as (seed, epoch)."""
    words = np.random.SeedSequence([number % 2**64 for number in seed]).generate_state(1, np.uint64)
    return words.astype(np.uint64)


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def sow(lanes, rng):  # type: ignore[no-untyped-def]
    """Begins the random numbers of `lanes` uint64 [N] by the next N of splitmix64 (Steele, Lea & Flood 2014)."""
    gamma = uint64(0x9E3779B97F4A7C15)
    for j in range(len(lanes)):
        z = rng[0] + uint64(j) * gamma
        z = (z ^ (z >> uint64(30))) * uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> uint64(27))) * uint64(0x94D049BB133111EB)
        lanes[j] = z ^ (z >> uint64(31))
    rng[0] += uint64(len(lanes)) * gamma


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


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def add_product(to, x, weights):  # type: ignore[no-untyped-def]
    """to [N] += x [M] weights [M, N]; what is zero in x costs little."""
    rows, factors, count = np.empty(len(x) + SPARE, np.int64), np.empty(len(x) + SPARE, np.float32), 0
    for i in range(len(x)):
        rows[count], factors[count] = i, x[i]
        count += x[i] != 0
    _add_rows(to, weights, rows, factors, count)


@njit(inline="always")
def _add_rows(to, weights, rows, factors, count):  # type: ignore[no-untyped-def]
    """to [N] += the first `count` of the factors times those rows of the weights; both lists have SPARE places more.

    Four rows at once: `to` is then read and written only once for all of them.
    """
    rows[count : count + SPARE], factors[count : count + SPARE] = 0, 0
    for n in range(0, count, SPARE + 1):
        a, b, c, d = weights[rows[n]], weights[rows[n + 1]], weights[rows[n + 2]], weights[rows[n + 3]]
        p, q, r, s = factors[n], factors[n + 1], factors[n + 2], factors[n + 3]
        for j in range(len(to)):
            to[j] += (p * a[j] + q * b[j]) + (r * c[j] + s * d[j])


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

    One chain run in calls of so many steps, or of multiples of them, ends just where it does in a single call.
    """
    return max(16, BLOCK // (n_visible * n_hidden))


@njit(nogil=True, cache=True)
def aligned(n):  # type: ignore[no-untyped-def]
    """Memory for float32 [n] from the start of a cache line: vectors read from there never lie in two lines."""
    room = np.empty(n + 16, np.float32)
    first = (64 - room.ctypes.data % 64) % 64 // 4
    return room[first : first + n]


class Layer(NamedTuple):
    """The units of a layer, N of them and perhaps some that fill the lanes.

    Attributes:
        on: uint8 [N], and zeros up to a multiple of 64.
        now, was: uint64, eight units in each: `on`, and what that was when the other layer was last brought up to date.
        pre: float32 [N], pre-activations.
        seeds: uint64 [2 N], the memory of `lanes`.
        lanes: uint32 [4, N], for each unit random numbers of its own: xoshiro128+ (Blackman & Vigna 2018).
    """

    on: NDArray[np.uint8]
    now: NDArray[np.uint64]
    was: NDArray[np.uint64]
    pre: NDArray[np.float32]
    seeds: NDArray[np.uint64]
    lanes: NDArray[np.uint32]


@njit(nogil=True, cache=True)
def layer(n):  # type: ignore[no-untyped-def]
    """A layer of `n` units, all off."""
    words = (n + 63) // 64 * 8
    now, was, seeds = np.zeros(words, np.uint64), np.zeros(words, np.uint64), np.empty(2 * n, np.uint64)
    return Layer(now.view(np.uint8), now, was, aligned(n), seeds, seeds.view(np.uint32).reshape(4, n))


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def draw(units, beta):  # type: ignore[no-untyped-def]
    """Draws the units of a layer."""
    on, pre, lanes = units.on, units.pre, units.lanes
    first, second, third, fourth = lanes[0], lanes[1], lanes[2], lanes[3]  # unpacked at once, they defeat the vectors
    for j in range(len(pre)):
        a, b, c, d = first[j], second[j], third[j], fourth[j]
        chance = float32(np.int32(uint32(a + d) >> uint32(8))) * float32(1 / 2**24)
        on[j] = chance * (float32(1) + exp(-beta * pre[j])) < float32(1)
        c ^= a
        d ^= b
        first[j], second[j] = a ^ d, b ^ c
        third[j], fourth[j] = c ^ (b << uint32(9)), (d << uint32(11)) | (d >> uint32(21))


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def _flip(units, weights, pre, rows, signs):  # type: ignore[no-untyped-def]
    """Brings `pre` of the other layer up to date; `rows` and `signs` are room to work in."""
    now, was, count = units.now, units.was, 0
    for first in range(0, len(now), 8):
        flipped = uint64(0)  # a bit for each of 64 units
        for i in range(8):
            word = uint64(first + i)
            eight = ((now[word] ^ was[word]) * uint64(0x0102040810204080)) >> uint64(56)  # their bits, side by side
            flipped |= eight << uint64(8 * i)
            was[word] = now[word]
        while flipped:
            j = 8 * first + int64(trailing_zeros(flipped))  # type: ignore[operator,call-arg]
            rows[count], signs[count] = j, float32(2) * float32(units.on[j]) - float32(1)
            count += 1
            flipped &= flipped - uint64(1)
    _add_rows(pre, weights, rows, signs, count)


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def gibbs(w, w_t, b_v, b_h, v, logits, held, k, inverse_temperature, rng):  # type: ignore[no-untyped-def]
    """`k` steps of N chains that share their weights, one after the other.

    Args:
        w, w_t: W float32 [V, H], and its transpose in memory of its own; both may be padded.
        b_v, b_h: float32 [N, V], [N, H].
        v: uint8 [N, V], where the chains start and then where they end.
        logits: float32 [N, V], receives the logits the last visible step drew from.
        held: int8 [N, V], negative where the chain decides, 0 or 1 where the unit is clamped.
        inverse_temperature: multiplies both pre-activations.
        rng: see random_state; goes on.
    """
    n_visible, n_hidden, beta = v.shape[1], b_h.shape[1], float32(inverse_temperature)
    visible, hidden, refresh = layer(w_t.shape[1]), layer(w.shape[1]), block(n_visible, n_hidden)
    rows, signs = np.empty(max(w.shape) + SPARE, np.int64), np.empty(max(w.shape) + SPARE, np.float32)
    visible.pre[n_visible:], hidden.pre[n_hidden:] = NEVER, NEVER
    for n in range(len(v)):
        for i in range(n_visible):
            visible.on[i] = v[n, i] if held[n, i] < 0 else held[n, i]
        for step in range(k):
            if step % refresh == 0:
                _begin(visible, b_v[n], rng)
                _begin(hidden, b_h[n], rng)
            _flip(visible, w, hidden.pre, rows, signs)
            draw(hidden, beta)
            _flip(hidden, w_t, visible.pre, rows, signs)
            draw(visible, beta)
            for i in range(n_visible):
                visible.on[i] = visible.on[i] if held[n, i] < 0 else held[n, i]
        for i in range(n_visible):
            v[n, i], logits[n, i] = visible.on[i], beta * visible.pre[i]


@njit(nogil=True, cache=True)
def _begin(units, bias, rng):  # type: ignore[no-untyped-def]
    """As if all units of both layers were off so far; with new random numbers, so that a chain run in calls of whole
    blocks is that of a single call."""
    units.was[:], units.pre[: len(bias)] = 0, bias
    sow(units.seeds, rng)
