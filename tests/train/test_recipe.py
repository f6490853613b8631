from hypothesis import given
from hypothesis import strategies as st

from improv.train.recipe import Recipe

LENGTHS = st.lists(st.integers(1, 2000), min_size=1, max_size=50)


@given(st.integers(0, 5000), LENGTHS)
def test_little_music_is_gone_through_often_enough_for_the_rbm(least: int, lengths: list[int]) -> None:
    recipe = Recipe(rbm_epochs=2, rbm_batch=4, length=96).with_rbm_updates(least, lengths)
    subsequences = sum(-(-length // 96) for length in lengths)
    made = recipe.rbm_epochs * -(-subsequences // 4)
    assert recipe.rbm_epochs >= 2
    assert made >= least
    assert recipe.rbm_epochs == 2 or (recipe.rbm_epochs - 1) * max(1, subsequences // 4) < least, "and no more often"


def test_much_music_is_gone_through_as_often_as_the_recipe_says() -> None:
    recipe = Recipe(rbm_epochs=2)
    assert recipe.with_rbm_updates(400, [2000] * 500) == recipe
