from dataclasses import replace

import numpy as np
import pytest
import torch

from improv.model.config import CORES, Config
from improv.model.sequence_model import SequenceModel
from improv.music.pianoroll import SOUNDING, STRUCK, silence
from improv.music.recall import N_LEVELS, Recall, Recalled

SMALL = Config(hidden=20, recurrent=5, low=48, n_pitches=10)


def model_of(core: str, **changes: object) -> SequenceModel:
    """A model whose state matters: its recurrent weights are not near zero."""
    torch.manual_seed(0)
    model = SequenceModel(replace(SMALL, core=core, **changes))  # type: ignore[arg-type]
    for parameter in model.parameters():
        parameter.data.normal_(std=0.5)
    return model.requires_grad_(False)


def frames(count: int, seed: int = 0) -> np.ndarray:
    """Random frames [count, 2, 10]."""
    return np.random.default_rng(seed).integers(0, 2, (count, 2, 10)).astype(np.uint8)


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("onsets", [True, False])
@pytest.mark.parametrize("recall", [True, False])
def test_shapes(core: str, onsets: bool, recall: bool) -> None:
    model = model_of(core, onsets=onsets, recall=recall, tied=3, estimator="both")
    config = model.config
    assert config.n_visible == (20 if onsets else 10)
    inputs = torch.stack([model.inputs(frames(6), 0, 4.0, Recall(10).hear(frames(6)))] * 3)
    assert inputs.shape == (3, 6, config.n_inputs)
    past, after = model.pasts(inputs)
    assert past.u.shape == (3, 6, 5)
    assert past.s is not None
    assert past.s.shape == (3, 6, 10, 3)
    assert after.core.shape == model.cores.initial(3).core.shape == (2 if core == "lstm" else 1, 3, 5)
    assert model.rbm is not None
    assert model.nade is not None
    b_v, b_h = model.rbm.biases(past)
    assert (b_v.shape, b_h.shape) == ((3, 6, config.n_visible), (3, 6, 20))
    flat = past.at(torch.ones(3, 6, dtype=torch.bool))
    assert model.nade.logits(torch.zeros(18, config.n_visible), flat).shape == (18, config.n_visible)


@pytest.mark.parametrize("tied", [0, 3])
@pytest.mark.parametrize("core", CORES)
def test_a_frame_is_conditioned_on_the_frames_before_it_and_on_no_other(core: str, tied: int) -> None:
    model, changed = model_of(core, tied=tied, estimator="both"), 3
    one, other = frames(8), frames(8)
    other[changed] ^= 1
    pasts = [model.pasts(model.inputs(piece, 0, 4.0).unsqueeze(0))[0].at(0) for piece in (one, other)]
    assert model.rbm is not None
    assert model.nade is not None
    for estimator in (model.rbm, model.nade):
        before, after = (estimator.predicted(past) for past in pasts)
        torch.testing.assert_close(before[: changed + 1], after[: changed + 1])
        assert not (before[changed + 1 :] == after[changed + 1 :]).all(1).any()


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("learn_u0", [True, False])
def test_the_first_frame_is_conditioned_on_the_initial_state(core: str, learn_u0: bool) -> None:
    model = model_of(core, learn_u0=learn_u0)
    past, _ = model.pasts(model.inputs(frames(2), 0, 4.0).unsqueeze(0))
    assert torch.equal(past.u[0, 0], model.cores.u0[0])


@pytest.mark.parametrize("tied", [0, 3])
@pytest.mark.parametrize("core", CORES)
def test_frame_by_frame_the_pasts_are_those_of_the_whole_piece(core: str, tied: int) -> None:
    model, piece = model_of(core, tied=tied), frames(9)
    whole, last = model.pasts(model.inputs(piece, 0, 3.0).unsqueeze(0))
    state = model.cores.initial(1)
    for number in range(len(piece)):
        now = model.cores.past(state)
        torch.testing.assert_close(now.u[0], whole.u[0, number])
        if now.s is not None and whole.s is not None:
            torch.testing.assert_close(now.s[0], whole.s[0, number])
        _, state = model.pasts(model.inputs(piece[number : number + 1], number, 3.0).unsqueeze(0), state)
    torch.testing.assert_close((state.core, state.tied), (last.core, last.tied))


def test_a_tied_core_hears_every_pitch_alike() -> None:
    model, n = model_of("tanh", tied=4, bars=False, onsets=False, low=24, n_pitches=60), 60
    assert model.cores.tied is not None
    model.cores.tied.pitch.zero_()
    sounding = torch.zeros(1, 5, n)
    sounding[0, torch.arange(5), torch.tensor([20, 24, 27, 20, 32])] = 1
    higher = sounding.roll(3, dims=2)
    low, high = (model.pasts(v)[0].s for v in (sounding, higher))
    assert low is not None
    assert high is not None
    torch.testing.assert_close(low[:, :, 3:40], high[:, :, 6:43])


def test_the_core_is_told_where_in_its_bar_the_next_frame_stands() -> None:
    model, quiet = model_of("tanh"), np.zeros((16, 2, 10), np.uint8)
    told = model.inputs(quiet, 0, 4.0)[:, model.config.n_visible :]
    assert torch.equal(told[:15], model.inputs(quiet, 16, 4.0)[:15, model.config.n_visible :])
    assert len({tuple(row) for row in told.tolist()}) == 16
    assert torch.equal(told[3:], model.inputs(quiet, 3, 4.0)[:13, model.config.n_visible :])


def test_a_core_with_recall_is_told_what_followed_and_how_alike_it_was() -> None:
    model, piece = model_of("gru", recall=True), np.concatenate([frames(6)] * 2)
    told = model.inputs(piece, 0, 4.0, Recall(10).hear(piece))[:, model.config.n_visible :]
    recalled, levels, places = told.split([20, N_LEVELS, 20], dim=1)
    np.testing.assert_array_equal(recalled[8:-1], model.encode(piece)[9:])
    assert levels.argmax(dim=1)[0] == 0
    assert levels.argmax(dim=1)[-1] > levels.argmax(dim=1)[6]
    told_without = model_of("gru").inputs(piece, 0, 4.0)
    assert torch.equal(places, told_without[:, 20:])


def test_a_tied_core_hears_what_is_recalled_of_every_pitch_alike() -> None:
    model = model_of("tanh", tied=4, bars=False, onsets=False, recall=True, low=24, n_pitches=60)
    assert model.cores.tied is not None
    model.cores.tied.pitch.zero_()
    quiet, low = np.zeros((2, 5, 2, 60), np.uint8)
    low[np.arange(5), :, [20, 24, 27, 20, 32]] = 1
    similarity = np.full(5, 0.9, np.float32)
    inputs = [
        model.inputs(quiet, 0, 4.0, Recalled(recalled, similarity)) for recalled in (quiet, low, np.roll(low, 3, 2))
    ]
    nothing, below, above = (model.pasts(some.unsqueeze(0))[0].s for some in inputs)
    assert nothing is not None and below is not None and above is not None  # noqa: PT018
    torch.testing.assert_close(below[:, :, 3:40], above[:, :, 6:43])
    assert not torch.allclose(below, nothing)


def test_the_initial_state_is_learned_only_when_asked() -> None:
    assert SequenceModel(replace(SMALL, learn_u0=True)).cores.u0.requires_grad
    model = SequenceModel(SMALL)
    assert not model.cores.u0.requires_grad
    assert not model.cores.u0.any()


def test_the_reference_weights_begin_at_the_published_scale() -> None:
    torch.manual_seed(0)
    model = SequenceModel(Config(onsets=False, bars=False))
    assert model.rbm is not None
    assert model.rbm.W.shape == (88, 150)
    assert model.rbm.W.std().item() == pytest.approx(0.01, rel=0.05)
    for name in ("W_uv", "W_uh"):
        assert getattr(model.rbm, name).std().item() == pytest.approx(0.0001, rel=0.05)
    for name, parameter in model.cores.core.named_parameters():
        assert parameter.std().item() == pytest.approx(0.0001 if "weight" in name else 0.0, rel=0.05)


def test_what_is_encoded_is_decoded() -> None:
    model = SequenceModel(SMALL)
    frame = silence(10)
    frame[SOUNDING, [2, 5, 9]] = 1
    frame[STRUCK, [5, 9]] = 1
    previous = silence(10)
    previous[SOUNDING, [2, 9]] = 1
    assert np.array_equal(model.decode(model.encode(frame), previous), frame)


def test_every_decoded_frame_is_legal() -> None:
    model, rng = SequenceModel(SMALL), np.random.default_rng(0)
    for _ in range(50):
        v, previous = rng.integers(0, 2, 20).astype(np.uint8), rng.integers(0, 2, (2, 10)).astype(np.uint8)
        frame = model.decode(v, previous)
        assert not (frame[STRUCK] & (1 - frame[SOUNDING])).any(), "what is struck sounds"
        begins = frame[SOUNDING] & (1 - previous[SOUNDING])
        assert (frame[STRUCK] >= begins).all(), "what did not sound before is struck"


def test_without_onsets_what_goes_on_sounding_is_held() -> None:
    model = SequenceModel(replace(SMALL, onsets=False))
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
        {"tied": -1},
        {"estimator": "diffusion"},
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
        SequenceModel(replace(SMALL, **wrong))  # type: ignore[arg-type]
