"""What holds for every subcommand."""

import argparse
import importlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from improv_process import run
from small_music import folder, save_npz

from improv import __version__
from improv.command_line import SUBCOMMANDS, main
from improv.model import checkpoint
from improv.model.config import Config
from improv.model.sequence_model import SequenceModel

HEAVY = {"torch", "numpy", "numba", "mido", "rtmidi", "matplotlib", "tqdm", "PyQt6", "sounddevice"}
NAMES_OF_LOADED = "import sys, improv.command_line as c\ntry: c.main({})\nfinally: print(*sys.modules, file=sys.stderr)"


def test_help_names_every_subcommand() -> None:
    done = run("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert all(name in done.stdout for name in SUBCOMMANDS)
    assert run("--version").stdout == f"improv {__version__}\n"


def test_help_loads_nothing_heavy() -> None:
    script = NAMES_OF_LOADED.format(["--help"])
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    loaded = set(done.stderr.split())
    assert "argparse" in loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_the_help_of_a_subcommand_needs_neither_torch_nor_qt(name: str) -> None:
    script = NAMES_OF_LOADED.format([name, "--help"])
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert f"improv {name}" in done.stdout
    assert not set(done.stderr.split()) & {"torch", "numba", "PyQt6", "matplotlib"}


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["sing"],
        ["train"],
        ["train", "DATA"],
        ["train", "DATA", "--out", "m.pt", "--epochs", "many"],
        ["train", "DATA", "--out", "m.pt", "--seed", "-1"],
        ["train", "DATA", "--out", "m.pt", "--seed", str(2**63)],
        ["train", "DATA", "--out", "m.pt", "--threads", "0"],
        ["train", "DATA", "--out", "m.pt", "--grid", "-1"],
        ["train", "DATA", "--out", "m.pt", "--grid", "nan"],
        ["train", "DATA", "--out", "m.pt", "--core", "transformer"],
        ["train", "DATA", "--out", "m.pt", "--hidden", "-3"],
        ["train", "DATA", "--out", "m.pt", "--recurrent", "9000"],
        ["train", "DATA", "--out", "m.pt", "--grid", "0.0005"],
        ["train", "DATA", "--out", "m.pt", "--grid", "1", "--dt", "0.3"],
        ["train", "DATA", "--out", "m.pt", "--resume", "--overwrite"],
        ["eval", "DATA"],
        ["eval", "DATA", "--model", "m.pt", "--split", "best"],
        ["eval", "DATA", "--model", "m.pt", "--betas", "0"],
        ["eval", "DATA", "--model", "m.pt", "--chains", "1"],
        ["generate"],
        ["generate", "--out", "x.mid", "--bars", "0"],
        ["generate", "--out", "x.mid", "--bars", "1000000000"],
        ["generate", "--out", "x.mid", "--key", "H"],
        ["generate", "--out", "x.mid", "--bars", "2", "--frames", "9"],
        ["generate", "--out", "x.mid", "--temperature", "0"],
        ["generate", "--out", "x.mid", "--temperature", "nan"],
        ["generate", "--out", "x.mid", "--tempo", "1000"],
        ["generate", "--out", "x.mid", "--k", "0"],
        ["generate", "--out", "x.mid", "--k", "some"],
        ["generate", "--out", "x.mid", "--unknown"],
        ["generate", "--out", "x.mid", "--plot", "x.xyz"],
        ["play", "--headless", "--plot", "take"],
        ["play", "--key", "H"],
        ["play", "--seconds", "soon"],
        ["play", "--tempo", "1000"],
        ["play", "--record", "take.wav"],
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_2_with_one_line(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("improv: ")
    assert err.endswith(" --help)\n")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "explanation"),
    [
        (["train", "DATA", "--out", "m.pt", "--epochs", "0"], "epochs must lie in 1..100000"),
        (["train", "DATA", "--out", "m.pt", "--learning-rate", "nan"], "must lie in 0..10"),
        (["train", "DATA", "--out", "m.pt", "--valid-share", "nan"], "must lie in 0..0.99"),
        (["train", "DATA", "--out", "m.png"], "give m.pt"),
        (["train", "DATA", "--out", "."], "is a folder"),
        (["train", "m.pt", "--out", "m.pt"], "named twice"),
        (["play", "--plot", "x.png"], "--headless"),
    ],
)
def test_values_that_can_never_be_exit_2_before_any_file_is_read(
    arguments: list[str], explanation: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    out, err = capfd.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert err.startswith("improv: ")
    assert explanation in err


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_every_option_of_a_subcommand_is_explained(name: str) -> None:
    module = importlib.import_module(f"improv.command_line.{'evaluate' if name == 'eval' else name}")
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    bare = [action.dest for action in parser._actions if not action.help or action.help == action.dest]
    assert not bare
    parser.format_help()  # a stray % in a text raises


def test_words_in_capitals_stay_so_in_descriptions() -> None:
    assert "Train a partner on your MIDI files." in run("train", "--help").stdout


def a_folder(tmp_path: Path, name: str) -> Path:
    (tmp_path / name).mkdir()
    return tmp_path / name


def a_file(tmp_path: Path, name: str, content: bytes = b"no music, no model") -> Path:
    (tmp_path / name).write_bytes(content)
    return tmp_path / name


def a_model(tmp_path: Path, **changes: float) -> Path:
    checkpoint.save(tmp_path / "sound.pt", SequenceModel(Config(hidden=2, recurrent=2, **changes)))  # type: ignore[arg-type]
    return tmp_path / "sound.pt"


def a_poisoned_model(tmp_path: Path) -> Path:
    model = SequenceModel(Config(hidden=2, recurrent=2))
    model.rbm.W.data.fill_(torch.nan)
    checkpoint.save(tmp_path / "poisoned.pt", model)
    return tmp_path / "poisoned.pt"


VALID = ("--split", "valid")
LONG = "a" * 300
Case = tuple[str, Callable[[Path], list[object]]]
FAILURES: dict[str, Case] = {
    "train: missing data": ("does not exist", lambda p: ["train", p / "nowhere", "--out", p / "m.pt"]),
    "train: empty folder": ("no music to read", lambda p: ["train", a_folder(p, "empty"), "--out", p / "m.pt"]),
    "train: not MIDI": ("not a MIDI file", lambda p: ["train", a_file(p, "x.mid"), "--out", p / "m.pt"]),
    "train: no cuda": ("CUDA", lambda p: ["train", folder(p / "d", 2), "--out", p / "m.pt", "--device", "cuda"]),
    "train: other pitches": (
        "covers 128 pitches from 0",
        lambda p: ["train", save_npz(p / "r.npz", low=0, n_pitches=128, train=[9]), "--out", p / "m.pt"],
    ),
    "train: only other splits": (
        "nothing to train on",
        lambda p: ["train", save_npz(p / "r.npz", test=[9]), "--out", p / "m.pt"],
    ),
    "train: only a test split to validate on": (
        "nothing to validate on",
        lambda p: ["train", folder(p / "d", 1), "--out", p / "m.pt", "--valid", save_npz(p / "r.npz", 0.25, test=[9])],
    ),
    "train: grids conflict": (
        "different grids",
        lambda p: ["train", folder(p / "d", 2), save_npz(p / "r.npz", grid=1.0, train=[9]), "--out", p / "m.pt"],
    ),
    "train: a name too long": (
        f"{LONG}.pt: File name too long",
        lambda p: ["train", folder(p / "d", 1), "--out", p / f"{LONG}.pt"],
    ),
    "generate: a name too long": (
        f"{LONG}.mid: File name too long",
        lambda p: ["generate", "--model", a_model(p), "--out", p / f"{LONG}.mid"],
    ),
    "play: a name too long": (
        f"{LONG}.mid: File name too long",
        lambda p: ["play", "--headless", "--record", p / f"{LONG}.mid"],
    ),
    "play: a name too long for the take's journal": (
        f"{LONG[:245]}.mid: File name too long",
        lambda p: ["play", "--headless", "--record", p / f"{LONG[:245]}.mid"],
    ),
    "eval: missing model": ("No such file", lambda p: ["eval", folder(p / "d", 1), "--model", p / "m.pt"]),
    "eval: bad model": ("no model of improv", lambda p: ["eval", p, "--model", a_file(p, "m.pt")]),
    "eval: poisoned model": ("not finite", lambda p: ["eval", p, "--model", a_poisoned_model(p)]),
    "eval: missing data": ("does not exist", lambda p: ["eval", p / "nowhere", "--model", a_model(p)]),
    "eval: other grid": (
        "have frames of 0.5 beats, the model of 0.25",
        lambda p: ["eval", save_npz(p / "r.npz", grid=0.5, test=[9]), "--model", a_model(p)],
    ),
    "eval: no such split": (
        "no split valid, only test",
        lambda p: ["eval", save_npz(p / "r.npz", test=[9]), "--model", a_model(p), *VALID],
    ),
    "eval: no such split beside MIDI files": (
        "no split valid, only test",
        lambda p: ["eval", folder(p / "d", 1), save_npz(p / "r.npz", 0.25, test=[9]), "--model", a_model(p), *VALID],
    ),
    "eval: other pitches": (
        "other pitches",
        lambda p: ["eval", save_npz(p / "r.npz", 0.25, 0, 128, test=[9]), "--model", a_model(p, onsets=False)],
    ),
    "generate: missing model": ("No such file", lambda p: ["generate", "--out", p / "x.mid", "--model", p / "m.pt"]),
    "generate: bad model": ("no model", lambda p: ["generate", "--out", p / "x.mid", "--model", a_file(p, "m.pt")]),
    "generate: model is a folder": ("directory", lambda p: ["generate", "--out", p / "x.mid", "--model", p]),
    "generate: missing prompt": (
        "No such file",
        lambda p: ["generate", "--out", p / "x.mid", "--model", a_model(p), "--prompt", p / "y.mid"],
    ),
    "generate: bad prompt": (
        "not a MIDI file",
        lambda p: ["generate", "--out", p / "x.mid", "--model", a_model(p), "--prompt", a_file(p, "y.mid")],
    ),
    "generate: out is below a file": ("Not a directory", lambda p: ["generate", "--out", a_file(p, "f") / "x.mid"]),
    "generate: no such folder": ("No such file", lambda p: ["generate", "--out", p / "typo" / "x.mid"]),
    "generate: a folder that takes no file": ("folder /proc", lambda _: ["generate", "--out", "/proc/x.mid"]),
    "generate: no such folder for the plot": (
        "No such file",
        lambda p: ["generate", "--out", p / "x.mid", "--plot", p / "typo" / "x.png"],
    ),
    "play: record is below a file": ("Not a directory", lambda p: ["play", "--record", a_file(p, "f") / "take.mid"]),
    "play: no such folder to record to": ("No such file", lambda p: ["play", "--record", p / "typo" / "take.mid"]),
    "play: no such folder for an output": ("No such file", lambda p: ["play", "--output", p / "typo" / "x.mid"]),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_foreseeable_failure_exits_1_with_one_line(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    if name == "train: no cuda" and torch.cuda.is_available():
        pytest.skip("there is one")
    explanation, arguments = FAILURES[name]
    assert main([str(argument) for argument in arguments(tmp_path)]) == 1
    out, err = capfd.readouterr()
    assert out == ""
    lines = [line for line in err.splitlines() if not line.startswith("left out ")]
    assert len(lines) == 1, err
    assert lines[0].startswith("improv: ")
    assert explanation in lines[0]
    assert not (tmp_path / "typo").exists()


def test_a_failure_looks_the_same_from_outside(tmp_path: Path) -> None:
    done = run("eval", tmp_path, "--model", tmp_path / "m.pt")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"improv: cannot read the model {tmp_path / 'm.pt'}: No such file or directory\n"
    assert run("sing").returncode == 2
