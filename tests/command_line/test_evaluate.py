import json
from pathlib import Path

import pytest
from improv_process import LITTLE_EFFORT, run
from small_music import folder, save_npz

from improv.command_line import main
from improv.model import checkpoint
from improv.model.config import Config
from improv.model.sequence_model import SequenceModel
from improv.music.published import NOTTINGHAM

CONTRACT = {
    "log_likelihood", "log_likelihood_error", "estimator", "pseudo_log_likelihood", "accuracy", "copy_accuracy",
    "frames", "free_run",
}  # fmt: skip


def test_json_is_one_object_with_the_keys_of_the_contract(tiny_model: Path, tmp_path: Path) -> None:
    data = folder(tmp_path, 2)
    (data / "broken.mid").write_bytes(b"")
    done = run("eval", "--model", tiny_model, data, "--json", *LITTLE_EFFORT)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures.keys() >= CONTRACT
    names = ("notes_per_frame", "repeated", "silent", "struck", "struck_again", "polyphony", "pitch_classes")
    assert figures["free_run"].keys() == {*names, *(f"{name}_data" for name in names)}
    assert figures["frames"] == 2 * 4 * 16
    assert "broken.mid: the file is empty" in done.stderr


def test_a_person_reads_a_table(tiny_model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "--model", str(tiny_model), str(folder(tmp_path, 1)), *LITTLE_EFFORT]) == 0
    table = capfd.readouterr().out
    assert "log-likelihood" in table
    assert "nats/frame" in table
    assert "repeating the previous frame" in table
    assert "twice in a row" in table


def test_of_rolls_that_tell_no_strikes_none_are_told(
    tiny_model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rolls = save_npz(tmp_path / "rolls.npz", grid=0.25, valid=[20])
    assert main(["eval", "--model", str(tiny_model), str(rolls), *LITTLE_EFFORT]) == 0
    assert "twice in a row" not in capfd.readouterr().out


def test_how_the_model_plays_alone_is_drawn(
    tiny_model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command = ["eval", "--model", str(tiny_model), str(folder(tmp_path / "data", 1)), "--json", *LITTLE_EFFORT]
    assert main([*command, "--plot", str(tmp_path / "x.png")]) == 0
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads(capfd.readouterr().out)["free_run"], "and nothing else is there"
    with pytest.raises(SystemExit):
        main([*command, "--plot", str(tmp_path / "x.txt")])


def test_how_it_plays_alone_is_told_for_any_temperature(tiny_model: Path, tmp_path: Path) -> None:
    command = ["eval", "--model", tiny_model, folder(tmp_path, 1), "--json", *LITTLE_EFFORT]
    cold, warm = (
        json.loads(run(*command, "--temperature", temperature, "--k", "3").stdout)["free_run"]
        for temperature in ("0.2", "3")
    )
    assert cold["notes_per_frame"] < warm["notes_per_frame"]


def test_no_picture_is_written_over_the_model_or_the_music(tiny_model: Path, tmp_path: Path) -> None:
    model = tmp_path / "m.png"
    model.write_bytes(tiny_model.read_bytes())
    assert main(["eval", "--model", str(model), str(folder(tmp_path / "data", 1)), "--plot", str(model)]) == 2
    assert model.read_bytes() == tiny_model.read_bytes()


def test_music_is_read_as_it_was_in_training(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    checkpoint.save(tmp_path / "m.pt", SequenceModel(Config(hidden=4, recurrent=4, rules=NOTTINGHAM)))
    data = folder(tmp_path / "data", 2)
    assert main(["eval", "--model", str(tmp_path / "m.pt"), str(data), "--json", *LITTLE_EFFORT]) == 0
    assert json.loads(capfd.readouterr().out)["frames"] == 2 * (4 * 16 - 1), "without the first frame"


def test_midi_files_have_no_splits(tiny_model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data = folder(tmp_path / "data", 1)
    assert main(["eval", "--model", str(tiny_model), str(data), "--split", "test"]) == 1
    assert "--split" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("splits", "options", "frames"),
    [
        ({"train": [9], "valid": [5], "test": [3, 4]}, [], 7),
        ({"train": [9], "valid": [5]}, [], 5),
        ({"train": [9], "valid": [5], "test": [3]}, ["--split", "train"], 9),
    ],
)
def test_it_reads_the_split_that_is_named_else_test_else_valid(
    tiny_model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], splits: dict[str, list[int]],
    options: list[str], frames: int,
) -> None:  # fmt: skip
    data = save_npz(tmp_path / "rolls.npz", grid=0.25, **splits)
    assert main(["eval", "--model", str(tiny_model), str(data), "--json", *LITTLE_EFFORT, *options]) == 0
    assert json.loads(capfd.readouterr().out)["frames"] == frames
