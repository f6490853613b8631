import os
import re
import subprocess
import sys
from pathlib import Path

import mido
import pytest
from improv_process import run
from small_music import piece

from improv.command_line import main
from improv.music.midifile import read_score, write_midi
from improv.music.score import Note, TimeSignature

QUICK = ("--k", "3")


def generate(model: Path, out: Path, *options: object) -> bytes:
    """What `improv generate` writes, in this process."""
    assert main([str(argument) for argument in ("generate", "--model", model, "--out", out, *QUICK, *options)]) == 0
    return out.read_bytes()


def tracks(path: Path) -> dict[str, list[tuple[float, int]]]:
    """(onset in beats, pitch) of the notes of every track that has some, by the track's name."""
    names = [track.name for track in mido.MidiFile(path).tracks]
    found: dict[str, list[tuple[float, int]]] = {}
    for note in read_score(path).notes:
        found.setdefault(names[note.track], []).append((note.onset, note.pitch))
    return found


def key_signatures(path: Path) -> list[str]:
    return [message.key for message in mido.MidiFile(path).tracks[0] if message.type == "key_signature"]


def last_beat(path: Path) -> float:
    return max(note.end for note in read_score(path).notes)


def test_it_writes_a_midi_file_and_a_picture(tiny_model: Path, tmp_path: Path) -> None:
    midi, picture = tmp_path / "x.mid", tmp_path / "x.png"
    done = run("generate", "--model", tiny_model, "--out", midi, "--bars", 2, "--plot", picture, *QUICK)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert list(tracks(midi)) == ["partner"]
    assert 4 < last_beat(midi) <= 8
    assert str(midi) in done.stderr
    assert str(picture) in done.stderr


@pytest.mark.parametrize(("options", "beats"), [(["--bars", 3], 12), (["--frames", 40], 10), ([], 64)])
def test_it_is_as_long_as_asked_for(tiny_model: Path, tmp_path: Path, options: list[object], beats: float) -> None:
    generate(tiny_model, tmp_path / "x.mid", *options)
    assert beats - 2 < last_beat(tmp_path / "x.mid") <= beats


def test_the_same_seed_writes_the_same_bytes_and_another_seed_others(tiny_model: Path, tmp_path: Path) -> None:
    one, same, other = (
        generate(tiny_model, tmp_path / f"{number}.mid", "--bars", 2, "--seed", seed)
        for number, seed in enumerate((5, 5, 6))
    )
    assert one == same != other


def test_it_continues_a_prompt(tiny_model: Path, tmp_path: Path) -> None:
    write_midi(tmp_path / "prompt.mid", {"piano": piece(0, bars=2)}, 90.0)
    generate(tiny_model, tmp_path / "x.mid", "--bars", 2, "--prompt", tmp_path / "prompt.mid")
    parts = tracks(tmp_path / "x.mid")
    assert list(parts) == ["prompt", "partner"]
    assert parts["prompt"] == [(note.onset, note.pitch) for note in read_score(tmp_path / "prompt.mid").notes]
    assert min(onset for onset, _ in parts["partner"]) >= 8
    assert 14 < last_beat(tmp_path / "x.mid") <= 16
    assert read_score(tmp_path / "x.mid").tempo == pytest.approx(90, abs=0.01), "in the prompt's tempo"


@pytest.mark.parametrize("signature", [TimeSignature(3, 4), TimeSignature(6, 8)])
def test_a_prompt_is_continued_in_its_time_signature(
    tiny_model: Path, tmp_path: Path, signature: TimeSignature
) -> None:
    notes = [note for note in piece(0, bars=3) if note.end <= 6]
    write_midi(tmp_path / "waltz.mid", {"piano": notes}, 120.0, signature)
    generate(tiny_model, tmp_path / "x.mid", "--bars", 2, "--prompt", tmp_path / "waltz.mid")
    assert read_score(tmp_path / "x.mid").signature == signature
    assert not key_signatures(tmp_path / "x.mid"), "what key it is in is only guessed"
    assert 10 < last_beat(tmp_path / "x.mid") <= 12


def test_the_bars_of_the_picture_are_those_of_the_music(tiny_model: Path, tmp_path: Path) -> None:
    bars = {}
    for beats in (3, 4):
        prompt, picture = tmp_path / f"{beats}.mid", tmp_path / f"{beats}.svg"
        write_midi(prompt, {"piano": [Note(0, 12, 60, 80)]}, 120.0, TimeSignature(beats, 4))
        generate(tiny_model, tmp_path / "x.mid", "--frames", 48, "--prompt", prompt, "--plot", picture)
        bars[beats] = re.findall("<!-- ([0-9]+) -->", picture.read_text())  # the numbers over the bars
    assert bars == {3: [str(bar + 1) for bar in range(8)], 4: [str(bar + 1) for bar in range(6)]}


def test_a_bar_shows_how_far_it_is_only_on_a_terminal(tiny_model: Path, tmp_path: Path) -> None:
    arguments = ("generate", "--model", str(tiny_model), "--out", str(tmp_path / "x.mid"), "--bars", "4", *QUICK)
    assert run(*arguments).stderr == f"wrote {tmp_path / 'x.mid'}\n"
    termios = pytest.importorskip("termios", reason="needs terminals that a program can open")
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    with os.fdopen(ours, "rb", 0) as terminal, os.fdopen(theirs, "wb", 0) as stderr:
        subprocess.run([sys.executable, "-m", "improv", *arguments], stderr=stderr, check=True)
        assert b"playing" in terminal.read(100)


def test_a_key_moves_the_music(tiny_model: Path, tmp_path: Path) -> None:
    for key in ("C", "Db"):
        generate(tiny_model, tmp_path / f"{key}.mid", "--bars", 2, "--key", key)
    in_c, in_db = tracks(tmp_path / "C.mid")["partner"], tracks(tmp_path / "Db.mid")["partner"]
    assert [(onset, pitch + 1) for onset, pitch in in_c] == in_db


def test_bars_and_beats_are_accented(tiny_model: Path, tmp_path: Path) -> None:
    generate(tiny_model, tmp_path / "x.mid", "--bars", 8)
    notes = read_score(tmp_path / "x.mid").notes
    at = [{note.velocity for note in notes if note.onset % 4 in places} for places in ({0}, {1, 2, 3}, {0.25, 3.5})]
    assert at == [{88}, {84}, {80}]


def test_after_a_prompt_with_an_upbeat_the_accents_are_on_its_bar_lines(tiny_model: Path, tmp_path: Path) -> None:
    bass = [Note(1 + 3 * bar, 2 + 3 * bar, 40, 80) for bar in range(4)]
    write_midi(tmp_path / "waltz.mid", {"piano": [Note(0, 1, 67, 80), *bass]}, signature=TimeSignature(3, 4))
    generate(tiny_model, tmp_path / "x.mid", "--bars", 8, "--prompt", tmp_path / "waltz.mid")
    notes = [note for note in read_score(tmp_path / "x.mid").notes if note.track == 2]
    at = [{note.velocity for note in notes if note.onset % 3 in places} for places in ({1}, {0, 2}, {0.25, 1.5})]
    assert at == [{88}, {84}, {80}]


def test_the_key_is_written(tiny_model: Path, tmp_path: Path) -> None:
    generate(tiny_model, tmp_path / "x.mid", "--bars", 1, "--key", "Bb minor")
    assert key_signatures(tmp_path / "x.mid") == ["Bbm"]


@pytest.mark.parametrize("name", ["x.wav", "x", "x.mid.png", "there"])
def test_what_it_writes_must_be_named_as_a_midi_file(
    tiny_model: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "there").write_text("mine")
    with pytest.raises(SystemExit) as exit_:
        generate(tiny_model, tmp_path / name)
    assert exit_.value.code == 2
    assert (tmp_path / "there").read_text() == "mine"
    assert "song.mid" in capsys.readouterr().err
    assert not list(tmp_path.glob("x*"))


def test_the_tempo_is_written(tiny_model: Path, tmp_path: Path) -> None:
    generate(tiny_model, tmp_path / "x.mid", "--bars", 1, "--tempo", 77)
    assert read_score(tmp_path / "x.mid").tempo == pytest.approx(77, abs=0.01)


def test_hotter_music_has_more_notes(tiny_model: Path, tmp_path: Path) -> None:
    for temperature in (0.5, 1.5):
        generate(tiny_model, tmp_path / f"{temperature}.mid", "--bars", 4, "--temperature", temperature)
    cold, hot = (len(read_score(tmp_path / f"{temperature}.mid").notes) for temperature in (0.5, 1.5))
    assert cold < hot


def test_the_bundled_model_plays_when_none_is_named(tmp_path: Path) -> None:
    assert main(["generate", "--out", str(tmp_path / "x.mid"), "--bars", "1", "--k", "20"]) == 0
    assert tracks(tmp_path / "x.mid")["partner"]
