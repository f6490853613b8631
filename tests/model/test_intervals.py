import torch

from improv.model.intervals import Intervals

P, FEATURES = 30, 3


def made(above: bool = False) -> Intervals:
    """A map with weights of every kind."""
    torch.manual_seed(0)
    intervals = Intervals(P, channels=2, features=FEATURES, reach=4, above=above)
    intervals.any.data.normal_()
    return intervals.requires_grad_(False)


def test_the_map_is_the_sum_of_what_every_pitch_hears_of_every_other() -> None:
    intervals = made()
    v = torch.randint(0, 2, (2 * P,), generator=torch.Generator().manual_seed(0)).float()
    expected = torch.zeros(P, FEATURES)
    for i in range(P):
        for unit in v.nonzero().flatten().tolist():
            channel, j = divmod(unit, P)
            expected[i] += intervals.octave[(j - i) % 12, channel] + intervals.any[channel]
            if abs(j - i) <= 4:
                expected[i] += intervals.near[j - i + 4, channel]
    torch.testing.assert_close(intervals(v), expected, atol=1e-5, rtol=1e-5)


def test_above_only_a_pitch_hears_neither_itself_nor_what_is_below() -> None:
    intervals, v = made(above=True), torch.zeros(2 * P)
    v[[10, P + 10]] = 1
    heard = intervals(v)
    assert not heard[10:].any()
    assert heard[:10].abs().sum(1).all()


def test_the_matrix_kept_in_evaluation_is_forgotten_when_training_goes_on() -> None:
    intervals, v = made().eval(), torch.ones(2 * P)
    with torch.no_grad():
        before = intervals(v)
        intervals.any += 1
        assert torch.equal(intervals(v), before)
        assert not torch.equal(intervals.train()(v), before)
