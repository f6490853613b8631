from dataclasses import replace

import numpy as np
import pytest
import torch

from improv.model.rnn_rbm import CORES, Config, RnnRbm
from improv.music.pianoroll import SOUNDING, STRUCK, silence

SMALL = Config(hidden=7, recurrent=5, low=48, n_pitches=10)


def model_of(core: str, **changes: object) -> RnnRbm:
    """A model whose state matters: its recurrent weights are not near zero."""
    torch.manual_seed(0)
    model = RnnRbm(replace(SMALL, core=core, **changes))  # type: ignore[arg-type]
    for parameter in model.parameters():
        parameter.data.normal_(std=0.5)
    return model.requires_grad_(False)


def frames(count: int, seed: int = 0) -> np.ndarray:
    """Random frames [count, 2, 10]."""
    return np.random.default_rng(seed).integers(0, 2, (count, 2, 10)).astype(np.uint8)


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("onsets", [True, False])
def test_shapes(core: str, onsets: bool) -> None:
    model = model_of(core, onsets=onsets)
    config = model.config
    assert config.n_visible == (20 if onsets else 10)
    inputs = torch.stack([model.inputs(frames(6), 0, 4.0)] * 3)
    assert inputs.shape == (3, 6, config.n_inputs)
    u, after = model.states(inputs)
    assert u.shape == (3, 6, 5)
    assert after.shape == model.initial_state(3).shape == (2 if core == "lstm" else 1, 3, 5)
    b_v, b_h = model.biases(u)
    assert (b_v.shape, b_h.shape) == ((3, 6, config.n_visible), (3, 6, 7))


@pytest.mark.parametrize("core", CORES)
def test_a_frame_is_conditioned_on_the_frames_before_it_and_on_no_other(core: str) -> None:
    model, changed = model_of(core), 3
    one, other = frames(8), frames(8)
    other[changed] ^= 1
    u = [model.states(model.inputs(piece, 0, 4.0).unsqueeze(0))[0][0] for piece in (one, other)]
    for before, after in zip(model.biases(u[0]), model.biases(u[1]), strict=True):
        assert torch.equal(before[: changed + 1], after[: changed + 1])
        assert not (before[changed + 1 :] == after[changed + 1 :]).all(1).any()


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("learn_u0", [True, False])
def test_the_first_frame_is_conditioned_on_the_initial_state(core: str, learn_u0: bool) -> None:
    model = model_of(core, learn_u0=learn_u0)
    u, _ = model.states(model.inputs(frames(2), 0, 4.0).unsqueeze(0))
    assert torch.equal(u[0, 0], model.u0[0])


@pytest.mark.parametrize("core", CORES)
def test_frame_by_frame_the_states_are_those_of_the_whole_piece(core: str) -> None:
    model, piece = model_of(core), frames(9)
    whole, last = model.states(model.inputs(piece, 0, 3.0).unsqueeze(0))
    state = model.initial_state()
    for number in range(len(piece)):
        torch.testing.assert_close(state[0, 0], whole[0, number])
        _, state = model.states(model.inputs(piece[number : number + 1], number, 3.0).unsqueeze(0), state)
    torch.testing.assert_close(state, last)


def test_the_core_is_told_where_in_its_bar_the_next_frame_stands() -> None:
    model, quiet = model_of("tanh"), np.zeros((16, 2, 10), np.uint8)
    told = model.inputs(quiet, 0, 4.0)[:, model.config.n_visible :]
    assert torch.equal(told[:15], model.inputs(quiet, 16, 4.0)[:15, model.config.n_visible :])
    assert len({tuple(row) for row in told.tolist()}) == 16
    assert torch.equal(told[3:], model.inputs(quiet, 3, 4.0)[:13, model.config.n_visible :])


def test_the_initial_state_is_learned_only_when_asked() -> None:
    assert RnnRbm(replace(SMALL, learn_u0=True)).u0.requires_grad
    model = RnnRbm(SMALL)
    assert not model.u0.requires_grad
    assert not model.u0.any()


def test_the_reference_weights_begin_at_the_published_scale() -> None:
    torch.manual_seed(0)
    model = RnnRbm(Config(onsets=False, bars=False))
    assert model.W.shape == (88, 150)
    assert model.W.std().item() == pytest.approx(0.01, rel=0.05)
    for name in ("W_uv", "W_uh"):
        assert getattr(model, name).std().item() == pytest.approx(0.0001, rel=0.05)
    for name, parameter in model.core.named_parameters():
        assert parameter.std().item() == pytest.approx(0.0001 if "weight" in name else 0.0, rel=0.05)


def test_what_is_encoded_is_decoded() -> None:
    model = RnnRbm(SMALL)
    frame = silence(10)
    frame[SOUNDING, [2, 5, 9]] = 1
    frame[STRUCK, [5, 9]] = 1
    previous = silence(10)
    previous[SOUNDING, [2, 9]] = 1
    assert np.array_equal(model.decode(model.encode(frame), previous), frame)


def test_every_decoded_frame_is_legal() -> None:
    model, rng = RnnRbm(SMALL), np.random.default_rng(0)
    for _ in range(50):
        v, previous = rng.integers(0, 2, 20).astype(np.uint8), rng.integers(0, 2, (2, 10)).astype(np.uint8)
        frame = model.decode(v, previous)
        assert not (frame[STRUCK] & (1 - frame[SOUNDING])).any(), "what is struck sounds"
        begins = frame[SOUNDING] & (1 - previous[SOUNDING])
        assert (frame[STRUCK] >= begins).all(), "what did not sound before is struck"


def test_without_onsets_what_goes_on_sounding_is_held() -> None:
    model = RnnRbm(replace(SMALL, onsets=False))
    previous = silence(10)
    previous[SOUNDING, 4] = 1
    v = np.zeros(10, np.uint8)
    v[[4, 6]] = 1
    assert model.decode(v, previous)[STRUCK].nonzero()[0].tolist() == [6]


@pytest.mark.parametrize(
    "wrong",
    [
        {"hidden": 0},
        {"hidden": 10**9},
        {"recurrent": 1.5},
        {"core": "transformer"},
        {"grid": 0.0},
        {"grid": 1e-9},
        {"grid": float("nan")},
        {"onsets": 1},
        {"low": 100, "n_pitches": 88},
    ],
    ids=str,
)
def test_a_configuration_out_of_range_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong)) + "|pitches"):
        RnnRbm(replace(SMALL, **wrong))  # type: ignore[arg-type]
