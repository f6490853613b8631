"""Where the bundled files (model, demo tune, icon) lie, and where takes are kept."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from tempfile import mkdtemp

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
    return _takes_folder() / f"take-{datetime.now():%Y%m%d-%H%M%S}.mid"


def spare_folders() -> Iterator[Path]:
    """Where a take may go that cannot be written where it was to be: the user's music folder, then a temporary one,
    which is made, for this user alone, once it is asked for."""
    yield _takes_folder()
    with suppress(OSError):
        made = Path(mkdtemp(prefix="improv-"))
        yield made
        made.rmdir()  # it was of no use


def _takes_folder() -> Path:
    from platformdirs import user_music_path

    return user_music_path() / "improv"
