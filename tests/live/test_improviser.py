import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from improv.knobs import Controls
from improv.live.generate import generate
from improv.live.improviser import MEMORY, Improviser
from improv.live.listening import Register
from improv.live.modes import Turn
from improv.model.config import Config
from improv.model.sequence_model import SequenceModel
from improv.music.key import Key, parse_key
from improv.music.pianoroll import SOUNDING, STRUCK, Frame, PianoRoll, silence
from improv.sampling.calibration import runnable
from improv.train.likelihood import stretches

DUET = Turn(partner_plays=True, clamped=True, whose="both")
SOLO = Turn(partner_plays=True, clamped=False, whose="partner")
REST = Turn(partner_plays=False, clamped=True, whose="player")
CONTROLS = Controls(temperature=1.0, k=5)
COMPASS = range(20, 68)  # the columns the partner of these tests plays in, far from both ends


@pytest.fixture(scope="module", params=[False, True], ids=["", "recall"])
def model(request: pytest.FixtureRequest) -> SequenceModel:
    """An untrained partner with a mind: it plays some notes in every frame, and what it hears matters."""
    torch.manual_seed(0)
    config = Config(hidden=16, recurrent=12, core="gru", recall=request.param)
    made = SequenceModel(config).eval().requires_grad_(False)
    for parameter in made.parameters():
        parameter.normal_(std=0.3)
    made.rbm.b_v.fill_(-30.0)
    for row in (0, 88):
        made.rbm.b_v[row + COMPASS.start : row + COMPASS.stop] = -2.0
    return made


def frame(sounding: list[int], struck: list[int] | None = None) -> Frame:
    """What sounds, by column; all of it is struck unless it is said what is."""
    made = silence()
    made[SOUNDING, sounding] = 1
    made[STRUCK, sounding if struck is None else struck] = 1
    return made


def melody(count: int, shift: int = 0, seed: int = 0) -> list[Frame]:
    """What a player plays: up to three notes in a frame, in the middle of the keyboard."""
    rng = np.random.default_rng(seed)
    return [frame([int(p) + shift for p in rng.integers(34, 54, rng.integers(0, 4))]) for _ in range(count)]


def jam(improviser: Improviser, player: list[Frame], turn: Turn = DUET) -> list[Frame]:
    """The partner's part, the improviser hearing both."""
    part = []
    for played in player:
        answer = improviser.answer(played, turn, CONTROLS)
        improviser.hear(played, answer)
        part.append(answer)
    return part


@pytest.mark.parametrize("sampler", runnable())
def test_the_same_seed_and_the_same_input_give_the_same_notes(model: SequenceModel, sampler: str) -> None:
    one, same, other = (jam(Improviser(model, seed, sampler), melody(40)) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert np.any(one), "it does play"


def test_warming_up_changes_no_note(model: SequenceModel) -> None:
    cold, warm = Improviser(model, 1), Improviser(model, 1)
    warm.warm_up()
    assert np.array_equal(jam(cold, melody(20)), jam(warm, melody(20)))


@pytest.mark.parametrize("turn", [DUET, SOLO])
@pytest.mark.parametrize("key", [None, "C", "F#", "B", "Eb"])
def test_the_partner_never_plays_a_pitch_the_player_sounds(model: SequenceModel, turn: Turn, key: str | None) -> None:
    rng = np.random.default_rng(0)
    improviser = Improviser(model, 1, key=key and parse_key(key))
    doubled = Improviser(model, 1, key=key and parse_key(key))
    overlaps = 0
    for _ in range(60):
        player = frame(rng.integers(0, 88, 30).tolist())
        answer = improviser.answer(player, turn, CONTROLS)
        assert not (answer[SOUNDING] & player[SOUNDING]).any()
        assert not (answer[STRUCK] & (1 - answer[SOUNDING])).any()
        overlaps += int((doubled.answer(silence(), SOLO, CONTROLS)[SOUNDING] & player[SOUNDING]).sum())
    assert overlaps > 0, "a partner that does not listen would have doubled some"


def test_while_it_rests_it_plays_nothing(model: SequenceModel) -> None:
    assert not np.any(jam(Improviser(model, 1), melody(10), REST))


def answers(
    improviser: Improviser, player: Frame, turn: Turn, controls: Controls = CONTROLS, count: int = 50
) -> list[Frame]:
    """What it plays in so many frames, in which the player does always the same."""
    given = []
    for _ in range(count):
        given.append(improviser.answer(player, turn, controls))
        improviser.hear(player)
    return given


def first_answers(model: SequenceModel, player: Frame, turn: Turn) -> list[Frame]:
    """What a hundred partners in C, who have heard nothing yet, play to the same."""
    return [Improviser(model, seed, key=parse_key("C")).answer(player, turn, CONTROLS) for seed in range(100)]


def bound_together(*columns: int) -> SequenceModel:
    """A model in which the pitches in these columns sound together or not at all, and no other ever does."""
    made = SequenceModel(Config(hidden=1, recurrent=1)).eval().requires_grad_(False)
    for parameter in made.parameters():
        parameter.zero_()
    made.rbm.b_v.fill_(-30.0)
    made.rbm.b_v[list(columns)] = -8.0
    made.rbm.W[list(columns), 0] = 16.0
    made.rbm.b_h.fill_(-8.0)
    return made


def test_the_partner_harmonises_the_notes_that_are_held() -> None:
    partner = bound_together(39, 43, 46)
    held = frame([39], struck=[])
    harmonised = [answer[SOUNDING].nonzero()[0].tolist() for answer in first_answers(partner, held, DUET)]
    alone = [answer[SOUNDING].any() for answer in first_answers(partner, held, SOLO)]
    assert sum(chord == [43, 46] for chord in harmonised) > 95, "the chain had the player's note all along"
    assert sum(alone) < 20


@pytest.mark.parametrize(("columns", "side"), [(range(44, 60), "below"), (range(24, 36), "above")])
def test_in_a_duet_a_melody_is_accompanied_from_below_and_a_bass_from_above(
    model: SequenceModel, columns: range, side: str
) -> None:
    improviser = Improviser(model, 1, key=parse_key("C"))
    for column in columns:
        improviser.hear(frame([column]))
    duet = answers(improviser, frame([columns[5]]), DUET, count=15)  # before the register is that of this note alone
    played = np.concatenate([answer[SOUNDING].nonzero()[0] for answer in duet])
    assert len(played)
    assert (played < columns.start).all() if side == "below" else (played >= columns.stop).all()
    alone = [answer[SOUNDING, columns].any() for answer in answers(improviser, silence(), SOLO)]
    assert any(alone), "alone it has the whole keyboard"


def test_what_the_partner_has_struck_in_a_frame_stays_and_is_harmonised_with(model: SequenceModel) -> None:
    improviser = Improviser(model, seed=0)
    for _ in range(20):
        answer = improviser.answer(frame([60]), DUET, CONTROLS, struck=frame([36, 40, 60]))
        assert answer[:, [36, 40]].all()
        assert not answer[:, 60].any(), "but for a pitch that the player strikes"
        improviser.hear(frame([60]))  # else the next answer is to the same frame


def test_in_a_frame_that_has_begun_what_goes_on_is_not_struck(model: SequenceModel) -> None:
    improviser, free = Improviser(model, seed=0), 0
    others = [column for column in range(16, 60) if column != 24]
    for _ in range(40):
        improviser.hear(frame([60]), frame([24, *others]))
        first = improviser.answer(frame([60], struck=[]), DUET, CONTROLS)
        again = improviser.answer(frame([62]), DUET, CONTROLS, struck=frame([24]))
        free += int(first[STRUCK, others].sum())
        assert again[STRUCK, 24]
        assert not again[STRUCK, others].any()
    assert free, "before it begins, it may be"


@pytest.mark.parametrize("sampler", runnable())
def test_asked_again_for_a_frame_it_changes_no_more_than_what_has_changed(model: SequenceModel, sampler: str) -> None:
    improviser, anything, nobody = Improviser(model, seed=1, sampler=sampler), Controls(1.0, 3), silence(88)
    answers = []
    for _ in range(8):
        first, again = (improviser.answer(nobody, DUET, anything) for _ in range(2))
        assert np.array_equal(first, again)
        answers.append(first.tobytes())
        improviser.hear(nobody)
    assert len(set(answers)) > 4, "every frame has chances of its own"


def test_the_partner_holds_only_what_it_struck_itself(model: SequenceModel) -> None:
    player = [frame([30, 40, 50], struck=[]) for _ in range(2)] + melody(60)
    before, held = silence()[SOUNDING], 0
    for answer in jam(Improviser(model, 1), player, SOLO):
        goes_on = answer[SOUNDING] & (1 - answer[STRUCK])
        assert (goes_on <= before).all()
        before, held = answer[SOUNDING], held + int(goes_on.sum())
    assert held > 0


def test_the_clamp_tells_a_struck_note_from_a_held_one() -> None:
    struck_unit, answer_column = 88 + 39, 43
    partner = bound_together(struck_unit, answer_column)
    on_struck, on_held = (
        [answer[SOUNDING, answer_column] for answer in first_answers(partner, player, DUET)]
        for player in (frame([39]), frame([39], struck=[]))
    )
    assert sum(map(int, on_struck)) > 90
    assert sum(map(int, on_held)) < 20


def test_the_players_highest_notes_are_not_echoed_an_octave_lower() -> None:
    partner = bound_together()
    improviser = Improviser(partner, 0, key=parse_key("F#"))
    assert not any(answer.any() for answer in answers(improviser, frame([86]), DUET))


@pytest.mark.parametrize("tonic", ["D", "G", "A", "Bb", "Db", "F#"])
def test_in_another_key_the_same_music_gets_the_same_answer_in_that_key(model: SequenceModel, tonic: str) -> None:
    key = parse_key(tonic)
    in_c = jam(Improviser(model, 4, key=parse_key("C")), melody(40, shift=12))  # above middle C in every key
    transposed = jam(Improviser(model, 4, key=key), melody(40, shift=12 - key.shift))
    assert np.any(in_c)
    assert np.array_equal(np.roll(in_c, -key.shift, axis=-1), transposed)


@pytest.mark.parametrize("estimator", ["rbm", "nade"])
@pytest.mark.parametrize(
    ("key", "pitch_classes"), [("G", {0, 2, 4, 6, 7, 9, 11}), ("G minor", {0, 2, 3, 5, 6, 7, 9, 10})]
)
def test_the_partner_prefers_the_notes_of_the_key(estimator: str, key: str, pitch_classes: set[int]) -> None:
    undecided = SequenceModel(Config(estimator, hidden=2, recurrent=2)).eval().requires_grad_(False)
    for parameter in undecided.parameters():
        parameter.zero_()
    part = np.stack(answers(Improviser(undecided, 1, key=parse_key(key)), silence(), SOLO))[:, SOUNDING]
    scale = np.isin((np.arange(88) + 21) % 12, list(pitch_classes))
    assert part[:, scale].mean() == pytest.approx(0.5, abs=0.03)
    assert part[:, ~scale].mean() == pytest.approx(1 / (1 + math.exp(2)), abs=0.03), "less likely, by two nats"


def test_a_model_that_was_not_normalised_plays_in_no_key(model: SequenceModel) -> None:
    untold = SequenceModel(replace(model.config, normalised=False)).eval().requires_grad_(False)
    untold.load_state_dict(model.state_dict())
    in_g, in_c, in_c_minor = (
        jam(Improviser(untold, 4, key=parse_key(key)), melody(20)) for key in ("G", "C", "C minor")
    )
    assert np.array_equal(in_g, in_c)
    assert np.array_equal(in_g, in_c_minor)


@pytest.mark.parametrize("tonic", [0, 7, 3, 10])
def test_the_key_is_heard_from_a_major_scale(model: SequenceModel, tonic: int) -> None:
    improviser = Improviser(model, 0)
    assert improviser.key is None
    up = [0, 2, 4, 5, 7, 9, 11, 12]
    for step in up + up[::-1]:
        for _ in range(4):
            improviser.hear(frame([39 + tonic + step]))
    assert improviser.key == Key(tonic)


def test_silence_has_no_key_and_changes_none(model: SequenceModel) -> None:
    improviser = Improviser(model, 0)
    for _ in range(10):
        improviser.hear(silence())
    assert improviser.key is None
    for column in (39, 43, 46):
        improviser.hear(frame([column]))
    heard = improviser.key
    assert heard is not None
    for _ in range(2000):
        improviser.hear(silence())
    assert improviser.key == heard


def test_the_partner_does_not_follow_its_own_key(model: SequenceModel) -> None:
    improviser = Improviser(model, 0)
    for column in (39, 43, 46):
        improviser.hear(silence(), frame([column]))
    assert improviser.key is None


def test_when_the_key_changes_the_past_is_heard_anew_in_that_key(model: SequenceModel) -> None:
    late, early = Improviser(model, 3, key=parse_key("C")), Improviser(model, 3, key=parse_key("G"))
    for heard in melody(30):
        late.hear(heard)
        early.hear(heard)
    late.follow(parse_key("G"))
    for played in melody(10, seed=1):
        assert np.array_equal(late.answer(played, DUET, CONTROLS), early.answer(played, DUET, CONTROLS))


def in_scale(key: Key, times: int) -> list[Frame]:
    """Its scale from the tonic upwards, each note for a beat."""
    steps = sorted((pitch_class - key.tonic) % 12 for pitch_class in key.pitch_classes)
    return [frame([39 + key.tonic + step]) for step in [*steps, 12] for _ in range(4)] * times


def jammed_in_c(model: SequenceModel, seed: int, times: int) -> Improviser:
    """The player played C major's scale so often; what the partner did depends on the seed."""
    improviser = Improviser(model, 3)
    for player, partner in zip(in_scale(Key(0), times), itertools.cycle(melody(64, seed=seed))):
        improviser.hear(player, partner & (1 - player[SOUNDING]))
    assert improviser.key == Key(0)
    return improviser


@pytest.mark.parametrize(
    ("times", "key", "forgotten"),
    [
        *[(2, far, True) for far in ("D", "Bb", "E", "C minor")],
        *[(2, neighbour, False) for neighbour in ("G", "F", "A minor")],
        (17, "E", False),  # after 136 beats the key is no longer one misheard
    ],
)
def test_in_a_far_key_only_the_last_frame_of_young_music_is_remembered(
    model: SequenceModel, times: int, key: str, forgotten: bool
) -> None:
    states = []
    for last in (39, 43):
        jams = [jammed_in_c(model, seed, times) for seed in (1, 2)]
        for improviser in jams:
            improviser.hear(frame([last]))
            improviser.follow(parse_key(key))
        assert torch.equal(*map(state, jams)) == forgotten
        states.append(state(jams[0]))
    assert not torch.equal(*states)


def test_a_far_key_that_is_heard_does_the_same(model: SequenceModel) -> None:
    jams = [jammed_in_c(model, seed, times=1) for seed in (1, 2)]
    for improviser in jams:
        for player in in_scale(Key(4), MEMORY)[: MEMORY - 1]:
            if improviser.key != Key(4):
                improviser.hear(player)
        assert improviser.key == Key(4)
    assert torch.equal(*map(state, jams))


def test_a_model_that_was_not_normalised_goes_on_whatever_the_key(model: SequenceModel) -> None:
    untold = SequenceModel(replace(model.config, normalised=False))
    one, other = (Improviser(untold, 3, key=parse_key("C")) for _ in range(2))
    for heard in melody(30):
        one.hear(heard)
        other.hear(heard)
    one.follow(parse_key("E"))
    assert torch.equal(state(one), state(other))


def test_what_was_heard_decides_what_is_played(model: SequenceModel) -> None:
    one, other = Improviser(model, 3, key=parse_key("C")), Improviser(model, 3, key=parse_key("C"))
    for heard in melody(10, seed=1):
        one.hear(heard)
    for heard in melody(10, seed=2):
        other.hear(heard)
    assert not np.array_equal(*(answers(improviser, silence(), SOLO, count=10) for improviser in (one, other)))


def test_after_forgetting_it_begins_anew(model: SequenceModel) -> None:
    used = Improviser(model, 3)
    for heard in melody(30):
        used.hear(heard)
    used.forget(8, 3.0)
    fresh = Improviser(model, 3)
    fresh.forget(8, 3.0)
    assert (used.number, used.bar_beats, used.key) == (8, 3.0, None)
    assert np.array_equal(jam(used, melody(10)), jam(fresh, melody(10)))


def test_another_model_goes_on_from_what_the_first_one_heard(model: SequenceModel) -> None:
    first, second, witness = (Improviser(model, 3) for _ in range(3))
    for heard in melody(MEMORY // 2):
        first.hear(heard)
        witness.hear(heard)
    second.remember(first)
    assert (second.number, second.key) == (first.number, first.key)
    assert np.array_equal(jam(second, melody(10, seed=1)), jam(witness, melody(10, seed=1)))


def state(improviser: Improviser) -> torch.Tensor:
    """What the next frame is conditioned on."""
    return improviser._frames._memory.past().u[0].clone()


def change_key(improviser: Improviser, key: Key, how: str) -> None:
    """It is told the key to play in, or will hear it in the next frame."""
    if how == "told":
        improviser.follow(key)
        return
    before, improviser.fixed_key = improviser.key, None
    improviser._listener.key = before
    weights = np.zeros(12)
    weights[list(key.pitch_classes)] = 1e5
    weights[[(key.tonic + step) % 12 for step in (0, 7, 3 if key.minor else 4)]] = (5e5, 4e5, 3e5)
    improviser._listener._weights = weights


@pytest.mark.parametrize("key", ["C", "G"])
def test_what_it_hears_live_is_what_it_would_have_been_trained_on(model: SequenceModel, key: str) -> None:
    """A jam in a key and in 3/4 with a pickup of two frames; the melody returns after 80 frames."""
    improviser = Improviser(model, 1, key=parse_key(key))
    improviser.forget(-2, 3.0)
    tune = melody(80, shift=8) * 2
    part = jam(improviser, tune)
    both = np.stack(tune) | np.stack(part)
    piece = PianoRoll(np.concatenate([both, both[:1]]), model.config.grid, bar_beats=3.0, downbeat=2)
    *_, stretch = stretches(model, [piece.transposed(parse_key(key).shift)])
    torch.testing.assert_close(state(improviser), stretch.past.u[-1], atol=1e-5, rtol=0)


@pytest.mark.parametrize("how", ["told", "heard", "another model"])
def test_what_was_heard_long_ago_is_recalled_in_another_key_and_by_another_model(
    model: SequenceModel, how: str
) -> None:
    tune = melody(30, seed=1)
    improviser, in_g_from_the_start = Improviser(model, 3, key=parse_key("C")), Improviser(model, 3, key=parse_key("G"))
    for each in (improviser, in_g_from_the_start):
        for heard in tune + melody(2 * MEMORY, seed=2) + tune[:10]:
            each.hear(heard)
    if how == "another model":
        another = Improviser(model, 4, key=parse_key("G"))
        another.remember(improviser)
        improviser = another
    else:
        change_key(improviser, parse_key("G"), how)
    for each in (improviser, in_g_from_the_start):
        each.hear(tune[10])
    torch.testing.assert_close(state(improviser), state(in_g_from_the_start), atol=1e-3, rtol=0)


def test_generation_continues_a_prompt_and_leaves_it_out(model: SequenceModel) -> None:
    prompt = PianoRoll(np.stack(melody(16)), 0.25)
    improviser, by_hand = Improviser(model, 5), Improviser(model, 5)
    played = generate(improviser, 12, CONTROLS, prompt)
    assert (played.frames.shape, played.grid, played.low) == ((12, 2, 88), 0.25, 21)
    for heard in prompt.frames:
        by_hand.hear(heard)
    assert np.array_equal(played.frames, jam(by_hand, [silence()] * 12, SOLO))
    assert not np.array_equal(played.frames, generate(Improviser(model, 5), 12, CONTROLS).frames)


@pytest.mark.parametrize("knobs", [Controls(temperature=0.5, k=5), Controls(temperature=1.0, k=40)])
def test_the_knobs_are_wired(model: SequenceModel, knobs: Controls) -> None:
    turned, as_it_was = Improviser(model, 1), Improviser(model, 1)
    given = [answers(i, silence(), SOLO, c, 10) for i, c in ((turned, knobs), (as_it_was, CONTROLS))]
    assert not np.array_equal(*given)


def test_the_temperature_is_told_in_units_of_the_models_own(model: SequenceModel) -> None:
    warm = SequenceModel(replace(model.config, temperature=2.0)).eval().requires_grad_(False)
    warm.load_state_dict(model.state_dict())
    played = [
        np.stack(answers(Improviser(m, 1), silence(), SOLO, Controls(t, 5))) for m, t in ((warm, 0.5), (model, 1.0))
    ]
    assert played[0].any()
    assert np.array_equal(*played)


def test_it_plays_warmer_while_nobody_else_has_played_for_a_while(model: SequenceModel) -> None:
    """`solo` is in force until the player's first note, and eight beats after the last one."""
    warmer = SequenceModel(replace(model.config, solo=1.8)).eval().requires_grad_(False)
    warmer.load_state_dict(model.state_dict())
    of_both = Improviser(model, 1), Improviser(warmer, 1)
    frames, tune = round(8 / model.config.grid), [frame([40]), frame([42])] * 4

    def same(player: Frame, controls: tuple[Controls, Controls]) -> bool:
        given = [i.answer(player, DUET, c) for i, c in zip(of_both, controls, strict=True)]
        for improviser in of_both:
            improviser.hear(player, given[0])
        return np.array_equal(*given)

    alike, warmed = (CONTROLS, CONTROLS), (replace(CONTROLS, temperature=1.8), CONTROLS)
    assert all(same(silence(), warmed) for _ in range(4)), "alone from the start"
    assert all(same(player, alike) for player in tune)
    assert all(same(silence(), alike) for _ in range(frames)), "a rest"
    assert all(same(silence(), warmed) for _ in range(3)), "alone again"


def test_a_cold_partner_plays_less_of_what_is_unlikely(model: SequenceModel) -> None:
    notes = [
        sum(int(answer[SOUNDING].sum()) for answer in answers(Improviser(model, 1), silence(), SOLO, Controls(t, 10)))
        for t in (0.3, 1.0, 3.0)
    ]
    assert notes[0] < notes[1] < notes[2]


def test_between_two_hands_the_partner_may_play_anywhere() -> None:
    register = Register(0.25, 21)
    register.hear(frame([20, 60]))
    assert len(range(88)[register.taken(0)]) == 0


def test_the_register_is_that_of_the_last_beats() -> None:
    register = Register(0.25, 21)
    for column in [*[20] * 10, *[60, 64] * 20]:
        register.hear(frame([column]))
    assert range(88)[register.taken(0)] == range(60, 88)
    assert range(88)[register.taken(-5)] == range(55, 88)
