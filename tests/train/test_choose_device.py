import torch
from small_music import GRID, rolls

from improv.model.config import Config
from improv.train.calibration import choose_device, frames_per_second
from improv.train.distributed import World
from improv.train.recipe import Recipe

CONFIG = Config(hidden=8, recurrent=6, grid=GRID)
RECIPE = Recipe(cd_steps=1, batch=2, length=16)


def test_the_speed_of_a_training_is_measured_and_leaves_no_trace() -> None:
    before = torch.get_rng_state()
    assert frames_per_second("cpu", CONFIG, RECIPE, rolls(8)) > 0
    assert torch.equal(torch.get_rng_state(), before)


def test_music_too_short_for_a_warm_path_is_measured_all_the_same() -> None:
    assert frames_per_second("cpu", CONFIG, RECIPE, rolls(1, bars=1)) > 0


def test_of_two_devices_one_is_chosen_and_both_are_told() -> None:
    device, why = choose_device(["cpu", "cpu:0"], CONFIG, RECIPE, rolls(4), World())
    assert device in ("cpu", "cpu:0")
    assert why.startswith(f"{device} trains: ")
    assert why.count("cpu") == 2


def test_without_a_choice_nothing_is_measured() -> None:
    assert choose_device(["cpu"], CONFIG, RECIPE, [], World()) == ("cpu", "")
    assert choose_device(["cpu", "cuda"], CONFIG, RECIPE, [], World(0, 2)) == ("cuda", "")
