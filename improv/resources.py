"""Where the bundled files (model, demo tune, icon) lie, and where takes are kept."""

from datetime import datetime
from pathlib import Path

from improv.errors import ImprovError

_PACKAGE = Path(__file__).parent


def asset(name: str) -> Path:
    """Path of the bundled file `name`.

    An installed wheel carries the assets inside the package, a checkout beside it.

    Raises:
        ImprovError: the file is in neither place.
    """
    for folder in (_PACKAGE / "assets", _PACKAGE.parent / "assets"):
        if (folder / name).is_file():
            return folder / name
    raise ImprovError(f"the bundled file {name} is missing: install improv again")


def bundled_model() -> Path:
    """Path of the model that plays when none is named."""
    return asset("partner.pt")


def new_take() -> Path:
    """A path for a take, named by date and time (to the second), in the user's music folder."""
    from platformdirs import user_music_path

    return user_music_path() / "improv" / f"take-{datetime.now():%Y%m%d-%H%M%S}.mid"
