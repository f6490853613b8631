"""Names of ports: steady across a replug, and found by any part that is unique."""

import re
from collections import Counter

from improv.errors import ImprovError

_CHANGING = re.compile(r" \d+(:\d+)?$")  # ALSA appends `client:port`, Windows MM the index: a replug changes both
_OWN = re.compile(r"improv\b")


class NotThere(ImprovError):
    """What was asked for is not there now, but may come."""


def steady(listed: list[str], *, numbered: bool) -> dict[str, str]:
    """The ports that are not improv's own: steady name -> name as the backend lists it, in the same order.

    Args:
        listed: the names in the backend's order.
        numbered: whether the backend appends numbers to the names.
    """
    seen: Counter[str] = Counter()
    names = {}
    for name in listed:
        if _OWN.match(name):
            continue
        short = _CHANGING.sub("", name) if numbered else name
        seen[short] += 1
        names[short if seen[short] == 1 else f"{short} ({seen[short]})"] = name
    return names


def matching(names: list[str], wanted: str) -> list[str]:
    """The names that `wanted` can mean: the very name, else all that contain it; upper and lower case are the same."""
    wanted = wanted.casefold()
    same = [name for name in names if name.casefold() == wanted]
    return same or [name for name in names if wanted in name.casefold()]


def the_one(names: list[str], wanted: str, kind: str) -> str:
    """The only name that `wanted` can mean.

    Args:
        names: what there is.
        wanted: a name or a unique part of one.
        kind: `input` or `output`, for the message.

    Raises:
        NotThere: none matches.
        ImprovError: several do. Both messages name the candidates.
    """
    found = matching(names, wanted)
    if len(found) == 1:
        return found[0]
    if found:
        raise ImprovError(f"{wanted!r} could be any of the MIDI {kind}s {_listing(found)}: name more of it")
    if names:
        raise NotThere(f"no MIDI {kind} is named {wanted!r}; there is {_listing(names)}")
    raise NotThere(f"no MIDI {kind} is named {wanted!r}, and there is no other: plug it in or start its program")


def _listing(names: list[str]) -> str:
    return ", ".join(repr(name) for name in names)
