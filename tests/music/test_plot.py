from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from improv.errors import ImprovError
from improv.music.pianoroll import PianoRoll
from improv.music.plot import draw_roll
from improv.music.score import Note, Score, to_roll

BLUE, VERMILION = (0, 114, 178), (213, 94, 0)


def roll(*notes: tuple[float, float, int]) -> PianoRoll:
    return to_roll(Score([Note(onset, end, pitch, 80) for onset, end, pitch in notes]), 0.25, keep_silence=True)


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def has(path: Path, colour: tuple[int, int, int]) -> bool:
    below_the_heading = pixels(path)[80:]
    return bool((np.abs(below_the_heading - colour).sum(axis=2) < 10).any())


def test_each_part_has_its_colour(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    draw_roll({"player": roll((0, 2, 60)), "partner": roll((2, 4, 48))}, path, "both", 120, "C major")
    assert (has(path, BLUE), has(path, VERMILION)) == (True, True)
    draw_roll({"player": roll((0, 2, 60)), "partner": roll()}, path, "one")
    assert (has(path, BLUE), has(path, VERMILION)) == (False, True)


def test_the_partner_looks_the_same_alone_and_in_company(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    draw_roll({"partner": roll((0, 2, 60))}, path, "alone")
    assert (has(path, BLUE), has(path, VERMILION)) == (True, False)
    draw_roll({"prompt": roll((0, 2, 60)), "partner": roll()}, path, "its prompt")
    assert (has(path, BLUE), has(path, VERMILION)) == (False, True)


def test_bars_are_as_long_as_the_metre_says(tmp_path: Path) -> None:
    parts = {"partner": roll((0, 12, 60))}
    draw_roll(parts, tmp_path / "waltz.png", "x", bar_beats=3)
    draw_roll(parts, tmp_path / "march.png", "x", bar_beats=4)
    assert (pixels(tmp_path / "waltz.png") != pixels(tmp_path / "march.png")).any()


@pytest.mark.parametrize(
    ("suffix", "magic"), [(".png", b"\x89PNG"), (".PNG", b"\x89PNG"), (".pdf", b"%PDF"), (".svg", b"<?xml")]
)
def test_the_suffix_says_what_kind_of_picture_it_is(suffix: str, magic: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"x{suffix}"
    draw_roll({"partner": roll((0, 2, 60))}, path, "x")
    assert path.read_bytes().startswith(magic)


def test_a_repeated_note_looks_unlike_a_held_one(tmp_path: Path) -> None:
    draw_roll({"player": roll((0, 4, 60))}, tmp_path / "held.png", "x")
    draw_roll({"player": roll((0, 2, 60), (2, 4, 60))}, tmp_path / "repeated.png", "x")
    assert (pixels(tmp_path / "held.png") != pixels(tmp_path / "repeated.png")).any()


def test_a_long_piece_is_wrapped_into_rows_that_show_its_end(tmp_path: Path) -> None:
    draw_roll({"player": roll((0, 1, 60))}, tmp_path / "short.png", "x")
    draw_roll({"player": roll((798, 800, 60))}, tmp_path / "long.png", "x")
    assert len(pixels(tmp_path / "long.png")) > 3 * len(pixels(tmp_path / "short.png"))
    assert has(tmp_path / "long.png", VERMILION)


@pytest.mark.parametrize("parts", [{}, {"player": roll()}, {"all": roll(*((0, 1, pitch) for pitch in range(21, 109)))}])
def test_any_roll_is_drawn(parts: dict[str, PianoRoll], tmp_path: Path) -> None:
    draw_roll(parts, tmp_path / "x.png", "a $title$ \\frac{")
    assert pixels(tmp_path / "x.png").shape[1] > 1000


def test_where_nothing_can_be_written_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ImprovError, match="cannot write"):
        draw_roll({}, tmp_path / "file" / "x.png", "x")
