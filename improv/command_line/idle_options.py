"""Which options of `improv train` change nothing, beside the others that were given."""

from collections.abc import Collection

from improv.model.config import Config
from improv.train.recipe import Recipe

OF_THE_RBM = ("cd_steps", "persistent", "elsewhere")
OF_ITS_EPOCHS = ("rbm_rate", "rbm_constant", "rbm_batch", "rbm_decay")
OF_FIRST_ORDER = ("learning_rate", "warm_up", "constant", "final", "decay", "clip", "weight_decay")


def idle_options(
    given: Collection[str], model: Config, recipe: Recipe, *, rolls: bool, validated: bool, own_valid: bool
) -> dict[str, str]:
    """Those of the fields `given` that change nothing, and why.

    Args:
        rolls: whether music comes as piano-rolls.
        validated: whether there is music to validate on.
        own_valid: whether that was given as such, not held out.
    """
    idle = dict[str, str]()
    if recipe.constant >= 1 and (not recipe.rbm_epochs or recipe.rbm_constant >= 1):
        idle |= dict.fromkeys(("final", "decay"), "the rate stays constant")
    if recipe.only_hessian_free:
        idle |= dict.fromkeys(OF_FIRST_ORDER, "hf finds its own steps")
    if recipe.optimiser == "hf":
        idle["polish_rate"] = "hf finds its own steps"
    if not recipe.polish_epochs:
        idle["polish_rate"] = "there are no epochs without dropout"
    if not (recipe.pretrain_frames or recipe.pretrain_core):
        idle["pretrain_optimiser"] = "there is no pretraining"
    elif recipe.pretrain_optimiser == "hf" and not recipe.pretrain_core:
        idle["pretrain_optimiser"] = "hf pretrains the memory alone: adamw does single frames"
    if not recipe.rbm_epochs:
        idle |= dict.fromkeys(OF_ITS_EPOCHS, "the RBM has no epochs of its own")
    if not model.has_rbm:
        idle |= dict.fromkeys(OF_THE_RBM, "there is no RBM")
        if model.tied:
            idle["hidden"] = "only the RBM beside a tied memory has hidden units"
    if rolls:
        idle |= dict.fromkeys(("dt", "onsets"), ".npz rolls are taken as they are")
    if own_valid:
        idle["valid_share"] = "music to validate on is given"
    elif recipe.valid_share and not validated:
        idle["valid_share"] = "a single piece is not shared out"
    if not validated:
        idle["patience"] = "there is no music to validate on"
    return {name: why for name, why in idle.items() if name in given}
