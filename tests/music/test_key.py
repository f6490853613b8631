import mido
import numpy as np
import pytest

from improv.errors import ImprovError
from improv.music.key import KEYS, Key, estimate, key_of, parse_key
from improv.music.midifile import read_score
from improv.music.score import Note, Score, to_roll
from improv.resources import asset


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("C", "C major"),
        ("F#", "F# major"),
        ("Bb", "Bb major"),
        ("b", "B major"),
        ("C minor", "C minor"),
        ("bbm", "Bb minor"),
        ("Am", "A minor"),
        (" e♭ Major ", "Eb major"),
        ("Cb", "B major"),
        ("D# min", "Eb minor"),
    ],
)
def test_keys_are_read_as_musicians_write_them(text: str, name: str) -> None:
    assert parse_key(text).name == name


@pytest.mark.parametrize("text", ["", "H", "C sharp", "C##", "major", "Q minor", "Gmm", "12"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ImprovError, match="is not a key"):
        parse_key(text)


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
def test_every_key_reads_its_own_name_and_is_the_shortest_way_from_c(key: Key) -> None:
    assert parse_key(key.name) == key
    assert (key.tonic + key.shift) % 12 == 0
    assert -5 <= key.shift <= 6


def test_scales() -> None:
    assert parse_key("G").pitch_classes == {7, 9, 11, 0, 2, 4, 6}
    assert parse_key("Em").pitch_classes == parse_key("G").pitch_classes


MAJOR_TUNE = [60, 64, 67, 65, 64, 62, 60, 67, 69, 71, 72, 67, 64, 62, 60]
MINOR_TUNE = [60, 63, 67, 65, 63, 62, 60, 67, 68, 71, 72, 67, 63, 62, 60]


@pytest.mark.parametrize("tonic", range(12))
def test_a_tune_is_found_in_every_key_and_comes_to_c(tonic: int) -> None:
    for tune, minor in ((MAJOR_TUNE, False), (MINOR_TUNE, True)):
        roll = to_roll(Score([Note(i, i + 1, pitch + tonic, 80) for i, pitch in enumerate(tune)]), 1)
        assert key_of(roll) == Key(tonic, minor)
        assert key_of(roll.transposed(key_of(roll).shift)) == Key(0, minor)


def test_the_scale_of_the_weights_does_not_matter() -> None:
    weights = np.bincount(np.array(MAJOR_TUNE) % 12, minlength=12).astype(float)
    (key, confidence), (again, same) = estimate(weights), estimate(weights * 1000)
    assert (key, again) == (Key(0), Key(0))
    assert confidence == pytest.approx(same)
    assert confidence > 0.05


def test_silence_gives_a_key_without_confidence() -> None:
    assert estimate(np.zeros(12))[1] == 0
    assert key_of(to_roll(Score([]), 1)) == Key(0)


def test_the_demo_tune_is_in_the_key_of_its_signature() -> None:
    signatures = [message.key for message in mido.MidiFile(asset("demo.mid")) if message.type == "key_signature"]
    assert key_of(to_roll(read_score(asset("demo.mid")), 0.25)) == parse_key(signatures[0]) == Key(7)
