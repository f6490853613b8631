from dataclasses import replace

import pytest
import torch
from tiny_rbm import frequencies, states, total_variation

from improv.model.config import Config
from improv.model.core import Past
from improv.model.nade import Nade, TiedNade, log_probability, order

SMALL = Config(estimator="nade", hidden=4, recurrent=3, low=60, n_pitches=4, onsets=True, bars=False)
KINDS = {"untied": SMALL, "tied": replace(SMALL, tied=6), "tied, without onsets": replace(SMALL, tied=6, onsets=False)}


def random_nade(config: Config) -> Nade | TiedNade:
    """One whose units depend on each other and on the past."""
    torch.manual_seed(1)
    made = TiedNade(config) if config.tied else Nade(config)
    for parameter in made.parameters():
        parameter.data.normal_(std=0.8)
    return made.eval().requires_grad_(False)


def random_past(config: Config, count: int) -> Past:
    """The same past `count` times."""
    generator = torch.Generator().manual_seed(2)
    u = torch.randn(1, config.recurrent, generator=generator).expand(count, -1)
    if not config.tied:
        return Past(u)
    return Past(u, torch.randn(1, config.n_pitches, config.tied, generator=generator).expand(count, -1, -1))


@pytest.mark.parametrize("kind", KINDS)
def test_the_likelihoods_of_all_frames_sum_to_one(kind: str) -> None:
    config = KINDS[kind]
    v = states(config.n_visible)
    total = log_probability(random_nade(config), v, random_past(config, len(v))).double().logsumexp(0)
    assert float(total) == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_samples_come_as_often_as_they_are_likely(kind: str) -> None:
    config, count = KINDS[kind], 40_000
    nade = random_nade(config)
    v, log_p = nade.sample(random_past(config, count), torch.Generator().manual_seed(0))
    torch.testing.assert_close(log_p, log_probability(nade, v, random_past(config, count)), atol=1e-4, rtol=0)
    everything = states(config.n_visible)
    exact = log_probability(nade, everything, random_past(config, len(everything))).double().exp()
    assert total_variation(frequencies(v), exact) < 0.04


@pytest.mark.parametrize("kind", KINDS)
def test_a_unit_depends_on_those_drawn_before_it_and_on_no_other(kind: str) -> None:
    config = KINDS[kind]
    nade, past = random_nade(config), random_past(config, 1)
    sequence = order(config).tolist()
    v = torch.zeros(1, config.n_visible)
    for place, unit in enumerate(sequence):
        other = v.clone()
        other[0, unit] = 1
        changed = (nade.logits(v, past) - nade.logits(other, past))[0].abs() > 1e-7
        assert not changed[sequence[: place + 1]].any()
        assert changed[sequence[place + 1 :]].any() or place == len(sequence) - 1


def test_the_highest_pitch_comes_first_and_its_units_together() -> None:
    assert order(SMALL).tolist() == [3, 7, 2, 6, 1, 5, 0, 4]
