import json
import math
import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from improv_process import TINY_TRAINING, run, start
from small_music import folder, save_npz

from improv.command_line import main
from improv.command_line.train_options import MODEL_HELP, RECIPE_HELP
from improv.errors import ImprovError
from improv.model import checkpoint
from improv.model.config import Config
from improv.model.sequence_model import SequenceModel
from improv.train.recipe import CHOICES, RANGES, Recipe

CONTRACT = {"model", "epochs", "frames", "seconds", "best_epoch", "valid", "skipped"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of music with one file in it that is none."""
    path = folder(tmp_path_factory.mktemp("data"))
    (path / "broken.mid").write_bytes(b"MThd and no more")
    return path


def test_training_writes_the_model_the_last_state_and_the_curve(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "m.pt"
    done = run("train", data, "--out", out, "--epochs", 2, "--json", *TINY_TRAINING)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in out.parent.iterdir()) == ["m.last.pt", "m.png", "m.pt"]
    assert (out.parent / "m.png").read_bytes().startswith(b"\x89PNG")
    summary = json.loads(done.stdout)
    assert summary.keys() >= CONTRACT
    assert (summary["model"], summary["epochs"], summary["frames"]) == (str(out), 2, 3 * 4 * 16)
    assert summary["valid"] < 0
    assert [Path(bad["path"]).name for bad in summary["skipped"]] == ["broken.mid"]
    assert all(bad["reason"] for bad in summary["skipped"])
    model, training = checkpoint.load(out)
    assert (model.config.hidden, model.config.recurrent) == (8, 6)
    assert training["best_epoch"] == summary["best_epoch"]
    assert "broken.mid" in done.stderr
    assert [line[:10] for line in done.stderr.splitlines() if "epoch  " in line] == ["epoch    1", "epoch    2"]
    assert "\r" not in done.stderr, "no progress bar where nobody watches one"
    assert str(out) in done.stderr


def test_a_nade_learns_and_then_an_rbm_beside_it(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.pt"
    small = (
        "--estimator",
        "both",
        "--tied",
        4,
        "--hidden",
        100,
        "--recurrent",
        4,
        "--length",
        32,
        "--polish-epochs",
        1,
    )
    done = run("train", data, "--out", out, "--epochs", 1, "--rbm-epochs", 1, "--json", *small)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["epochs"] == 3
    model, record = checkpoint.load(out)
    assert [epoch["estimator"] for epoch in record["history"]] == ["nade", "nade", "rbm"]
    assert (model.config.estimator, model.config.grid, model.config.onsets) == ("both", 0.25, True)


def test_without_json_nothing_is_printed_on_standard_output(tmp_path: Path) -> None:
    npz = save_npz(tmp_path / "rolls.npz", train=[20, 20], valid=[20])
    done = run("train", npz, "--out", tmp_path / "m.pt", "--epochs", 1, *TINY_TRAINING, "--preset", "tutorial")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    config = checkpoint.load(tmp_path / "m.pt")[0].config
    assert (config.core, config.onsets, config.bars, config.grid) == ("tanh", False, False, 0.5)


@pytest.mark.parametrize(
    ("options", "frames", "kept"),
    [
        (("--grid", "0.5", "--rules", "nottingham", "--temperature", "0.9"), 3 * (4 * 8 - 1), ("nottingham", 0.5, 0.9)),
        (("--preset", "tutorial"), 4 * math.ceil(4 * 2 / 0.3), ("sampled", 0.6, 1.0)),
        ((), 3 * 4 * 16, ("musical", 0.25, 0.8)),
    ],
)
def test_a_model_knows_how_its_music_was_read_and_at_which_temperature_it_plays(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], options: tuple[str, ...], frames: int,
    kept: tuple[str, float, float],
) -> None:  # fmt: skip
    out = tmp_path / "m.pt"
    assert main(["train", str(data), "--out", str(out), "--epochs", "1", "--json", *options, *TINY_TRAINING]) == 0
    assert json.loads(capfd.readouterr().out)["frames"] == frames
    config = checkpoint.load(out)[0].config
    assert (config.rules, config.grid, config.temperature) == kept


def stopped(command: tuple[object, ...], stop: signal.Signals) -> tuple[int, dict[str, Any], str]:
    """Starts training, stops it by a signal after two epochs; its exit status, its JSON, and what it told."""
    process = start(*command, "--epochs", 100_000)
    try:
        assert process.stderr is not None
        heard = ""
        while "epoch    2" not in heard:
            line = process.stderr.readline()
            assert line, f"it ended by itself: {heard}"
            heard += line
        process.send_signal(stop)
        printed, told = process.communicate(timeout=60)
    finally:
        process.kill()
    assert "Traceback" not in heard + told
    return process.returncode, json.loads(printed), told


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM], ids=lambda stop: stop.name)
def test_stopped_by_a_signal_it_keeps_best_and_last_and_says_where(
    data: Path, tmp_path: Path, stop: signal.Signals
) -> None:
    out, last = tmp_path / "m.pt", tmp_path / "m.last.pt"
    command = ("train", data, "--out", out, "--json", *TINY_TRAINING)
    status, summary, told = stopped(command, stop)
    assert status == 1
    assert summary["interrupted"]
    assert [line.startswith("epoch") for line in told.splitlines()[:-1]] == [True] * (len(told.splitlines()) - 1)
    line = told.splitlines()[-1]
    assert line.startswith("improv: interrupted after ")
    assert all(word in line for word in (str(out), str(last), "--resume"))
    assert (tmp_path / "m.png").read_bytes().startswith(b"\x89PNG")
    assert checkpoint.load(out)[1]["best_epoch"] >= 1
    kept = len(checkpoint.load(last)[1]["history"])
    assert kept >= 2
    assert summary["epochs"] - kept in (0, 1), "it may have been stopped before the last epoch was on disk"
    if stop == signal.SIGINT:
        resumed = run(*command, "--epochs", kept + 1, "--resume")
        assert resumed.returncode == 0, resumed.stderr
        assert f"resuming after {kept} of" in resumed.stderr
        assert json.loads(resumed.stdout)["epochs"] == kept + 1


def test_pitches_are_as_many_as_asked_for(data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "m.pt")
    pitches = ("--low", "48", "--n-pitches", "24")
    assert main(["train", str(data), "--out", out, "--epochs", "1", *pitches, *TINY_TRAINING]) == 0
    config = checkpoint.load(Path(out))[0].config
    assert (config.low, config.n_pitches, config.n_visible) == (48, 24, 48)
    effort = ("--chains", "2", "--betas", "2", "--free-frames", "8")
    assert main(["eval", "--model", out, str(data), "--json", *effort]) == 0
    assert json.loads(capfd.readouterr().out)["frames"] == 4 * 4 * 16


@pytest.mark.parametrize(
    ("options", "about"),
    [
        (("--low", "100"), "pitches"),
        (("--optimiser", "hf"), "hf"),
        (("--rbm-epochs", "1"), "rbm"),
        (("--momentum", "0.9"), "momentum"),
        (("--optimiser", "sgd", "--nesterov"), "momentum"),
    ],
)
def test_what_does_not_go_together_is_wrong_usage(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], options: tuple[str, ...], about: str
) -> None:
    assert main(["train", str(tmp_path), "--out", str(tmp_path / "m.pt"), *TINY_TRAINING, *options]) == 2
    told = capfd.readouterr().err
    assert about in told
    assert told.count("\n") == 1


def test_rolls_keep_their_own_grid(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    npz = save_npz(tmp_path / "rolls.npz", train=[20, 20], valid=[20])
    assert main(["train", str(npz), "--out", str(tmp_path / "m.pt"), "--grid", "0.25", *TINY_TRAINING]) == 1
    assert "--grid" in capfd.readouterr().err


def test_pretraining_is_told_too(data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = ("--pretrain-frames", "1", "--pretrain-core", "1")
    assert main(["train", str(data), "--out", str(tmp_path / "m.pt"), "--epochs", "1", *before, *TINY_TRAINING]) == 0
    told = [line.split("monitor")[0].split() for line in capfd.readouterr().err.splitlines() if "monitor" in line]
    assert told == [["pretraining", "1"], ["pretraining", "2"], ["epoch", "1"]]


def test_stopped_before_the_rbm_has_learned_it_tells_of_the_nade(data: Path, tmp_path: Path) -> None:
    small = ("--estimator", "both", "--tied", 4, "--hidden", 100, "--recurrent", 4, "--length", 32, "--cd-steps", 500)
    process = start(
        "train", data, "--out", tmp_path / "m.pt", "--epochs", 1, "--rbm-epochs", 5000, "--json", *small
    )  # fmt: skip
    try:
        assert process.stderr is not None
        while not (line := process.stderr.readline()).startswith("epoch    1"):
            assert line
        process.send_signal(signal.SIGINT)
        printed, told = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 1
    summary = json.loads(printed, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert summary["interrupted"]
    assert math.isfinite(summary["valid"])
    assert "inf" not in told.replace("interrupted", "")


def test_it_does_not_go_on_with_other_settings(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    checkpoint.save(
        tmp_path / "m.last.pt", SequenceModel(Config(hidden=2, recurrent=2)), recipe={}, seed=0, train_frames=0
    )
    command = ["train", folder(tmp_path / "data", 2), "--out", tmp_path / "m.pt", "--resume", *TINY_TRAINING]
    assert main([str(argument) for argument in command]) == 1
    told = capfd.readouterr().err
    assert "other settings" in told
    assert "hidden 2, not 8" in told


@pytest.mark.parametrize(
    ("options", "idle"),
    [
        (("--estimator", "nade", "--cd-steps", "3", "--persistent"), {"--cd-steps", "--persistent"}),
        (("--estimator", "nade", "--elsewhere", "0.1", "--no-persistent"), {"--elsewhere"}),
        (("--estimator", "rbm", "--rbm-batch", "2", "--rbm-decay", "0.1", "--rbm-constant", "1"),
         {"--rbm-batch", "--rbm-decay", "--rbm-constant"}),
        (("--estimator", "both", "--polish-epochs", "0", "--polish-rate", "0.1", "--rbm-rate", "0.1"),
         {"--polish-rate", "--rbm-rate"}),
        (("--estimator", "both", "--rbm-epochs", "1", "--rbm-rate", "0.1", "--cd-steps", "2"), set()),
        (("--pretrain-optimiser", "sgd", "--valid-share", "0.5"), {"--pretrain-optimiser"}),
        (("--patience", "1", "--valid-share", "0"), {"--patience"}),
        (("--patience", "1"), set()),
        (("--pretrain-optimiser", "sgd", "--pretrain-frames", "1"), set()),
    ],
)  # fmt: skip
def test_options_that_change_nothing_are_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], options: tuple[str, ...], idle: set[str]
) -> None:
    quick = ("--epochs", "1", "--tied", "0", "--hidden", "8", "--recurrent", "6", "--polish-epochs", "0")
    data, out = folder(tmp_path / "data", 2), tmp_path / "m.pt"
    assert main(["train", str(data), "--out", str(out), "--rbm-epochs", "0", *quick, *options]) == 0
    told = capfd.readouterr().err
    assert {line.split()[1] for line in told.splitlines() if line.startswith("note: ")} == idle


def test_it_says_that_patience_ended_it(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data, idle = folder(tmp_path / "data"), ("--learning-rate", "0", "--patience", "2", "--epochs", "9")
    assert main(["train", str(data), "--out", str(tmp_path / "m.pt"), *idle, *TINY_TRAINING]) == 0
    assert "left out 6 epochs, after 2 epochs without a better validation" in capfd.readouterr().err


def test_options_that_change_nothing_where_rolls_are_given_are_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    npz = save_npz(tmp_path / "rolls.npz", train=[20, 20], valid=[20])
    idle = ("--valid-share", "0.5", "--no-normalise", "--onsets", "--rules", "sampled")
    assert main(["train", str(npz), "--out", str(tmp_path / "m.pt"), "--epochs", "1", *idle, *TINY_TRAINING]) == 0
    notes = [line for line in capfd.readouterr().err.splitlines() if line.startswith("note: ")]
    assert {line.split()[1] for line in notes} == {"--valid-share", "--onsets"}
    config = checkpoint.load(tmp_path / "m.pt")[0].config
    assert (config.normalised, config.rules) == (False, "sampled"), "by which it plays, and reads other music"


@pytest.mark.parametrize(("more", "told"), [((), "24 epochs"), (("--rbm-epochs", "3"), "3 epochs")])
def test_little_music_is_gone_through_more_often_for_the_rbm_unless_that_was_said(
    tmp_path: Path, more: tuple[str, ...], told: str
) -> None:
    data = folder(tmp_path / "data", 45)
    process = start("train", data, "--out", tmp_path / "m.pt", "--epochs", 1, "--polish-epochs", 0, *more)
    try:
        assert process.stderr is not None
        plan = f"to train: 1 epoch, then {told} of the RBM alone; "
        assert process.stderr.readline().startswith(plan)
    finally:
        process.kill()
        process.communicate()


def test_the_epochs_of_every_kind_are_told_at_the_beginning(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    epochs = (
        "--pretrain-frames",
        "1",
        "--pretrain-core",
        "1",
        "--epochs",
        "2",
        "--polish-epochs",
        "1",
        "--rbm-epochs",
        "1",
    )
    small = ("--estimator", "both", "--tied", "0", "--hidden", "8", "--recurrent", "6")
    data, out = folder(tmp_path / "data", 2), tmp_path / "m.pt"
    assert main(["train", str(data), "--out", str(out), *small, *epochs]) == 0
    told = capfd.readouterr().err
    assert ("to train: 1 epoch of pretraining on frames, then 1 epoch of pretraining the memory, then 2 epochs, then "
            "1 epoch without dropout, then 1 epoch of the RBM alone; 64 frames of 1 piece an epoch, 1 piece to "
            "validate on\n") in told  # fmt: skip
    validated = [line.split("valid ")[1][:4] for line in told.splitlines() if "monitor" in line and "valid" in line]
    assert validated == ["NADE", "NADE", "NADE", "RBM "], "one is not to be compared with the other"
    assert "(epoch 4, valid RBM -" in told
    little = ("--chains", "2", "--betas", "2", "--free-frames", "8")
    assert main(["eval", "--model", str(out), str(data), *little]) == 0
    assert "of its NADE" in capfd.readouterr().out


@pytest.mark.parametrize("name", ["m.mid", "m.kar", "m.npz", "m.PNG", "m.svg"])
def test_a_model_is_not_named_as_music_or_a_picture(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    data = folder(tmp_path / "data", 2)
    assert main(["train", str(data), "--out", str(tmp_path / name), "--epochs", "1", *TINY_TRAINING]) == 2
    assert "m.pt" in capfd.readouterr().err


SLOW = (
    "--estimator",
    "rbm",
    "--tied",
    "0",
    "--epochs",
    "1",
    "--polish-epochs",
    "0",
    "--cd-steps",
    "200",
    "--length",
    "16",
)


def test_interrupted_in_the_first_epoch_it_leaves_no_model_but_goes_on_from_there(tmp_path: Path) -> None:
    data, out = folder(tmp_path / "data", 4, bars=400), tmp_path / "m.pt"
    process = start("train", data, "--out", out, *SLOW)
    try:
        while not out.exists():  # the start is written as soon as it trains
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        printed, told = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, printed) == (1, "")
    assert told.startswith(
        "to train: 1 epoch; 19200 frames of 3 pieces an epoch, 1 piece to validate on\nimprov: interrupted before "
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "m.last.pt"]
    resumed = run("train", data, "--out", out, *SLOW, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert "resuming after 0 of 1 epochs" in resumed.stderr
    assert out.exists()


@pytest.fixture
def unhandled_signals() -> Iterator[None]:
    """What ends a process does so by default here, as when it has just been started."""
    defaults = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in defaults.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("unhandled_signals")
def test_interrupted_before_an_epoch_is_done_it_has_not_written_over_the_older_model(
    tiny_model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    ended = threading.Event()

    def interrupt() -> None:
        while signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:  # it is caught when training begins
            if ended.wait(0.01):
                return
        os.kill(os.getpid(), signal.SIGINT)

    data, out = folder(tmp_path / "data", 4, bars=400), tmp_path / "m.pt"
    out.write_bytes(tiny_model.read_bytes())
    threading.Thread(target=interrupt).start()
    try:
        assert main(["train", str(data), "--out", str(out), "--overwrite", *SLOW]) == 1
    finally:
        ended.set()
    assert "interrupted before the first epoch was over" in capfd.readouterr().err
    assert out.read_bytes() == tiny_model.read_bytes()
    assert (tmp_path / "m.last.pt").exists()


def test_a_trained_model_is_never_written_over_by_accident(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data, out = folder(tmp_path / "data", 3), tmp_path / "m.pt"
    command = ["train", str(data), "--out", str(out), "--epochs", "1", *TINY_TRAINING]
    assert main(command) == 0
    trained = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    for path in trained:
        capfd.readouterr()
        assert main(command) == 1
        assert "--overwrite trains anew" in capfd.readouterr().err
        assert all(kept.read_bytes() == content for kept, content in trained.items() if kept.exists())
        path.unlink()
    assert main([*command, "--seed", "1"]) == 0, "all of them are out of the way"
    assert main([*command, "--overwrite"]) == 0
    assert checkpoint.load(out)[1]["seed"] == 0


def test_nothing_to_resume_is_no_reason_to_write_over_a_model(
    tiny_model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "m.pt"
    out.write_bytes(tiny_model.read_bytes())
    assert main(["train", str(folder(tmp_path / "data", 2)), "--out", str(out), "--resume", *TINY_TRAINING]) == 1
    told = capfd.readouterr().err
    assert "--overwrite" in told
    assert "--resume" not in told
    assert out.read_bytes() == tiny_model.read_bytes()


def test_every_field_of_the_recipe_and_the_model_is_explained_and_its_range_checked() -> None:
    assert RECIPE_HELP.keys() == asdict(Recipe()).keys()
    assert MODEL_HELP.keys() == asdict(Config()).keys() - {"grid", "dt", "normalised", "rules"}
    assert RANGES.keys() | CHOICES.keys() | {"persistent", "nesterov", "base_rates"} == RECIPE_HELP.keys()
    for name, (low, high) in RANGES.items():
        for fits in (low, high):
            replace(Recipe(optimiser="sgd"), **{name: fits}).check("both")
        for misfit in (low - 1, high + 1):
            with pytest.raises(ImprovError, match=name):
                replace(Recipe(), **{name: misfit}).check("both")
