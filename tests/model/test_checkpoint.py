import io
import pickle
import resource
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from improv.errors import ImprovError
from improv.model import checkpoint
from improv.model.config import CORES, Config
from improv.model.sequence_model import SequenceModel

CONFIG = Config(hidden=3, recurrent=2, core="gru", low=60, n_pitches=4)
ON_ONE_FILE = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)


def content(**changes: object) -> dict[str, object]:
    """What a good checkpoint holds, but for `changes`."""
    model = SequenceModel(CONFIG)
    good = {"format": checkpoint.FORMAT, "config": dict(vars(CONFIG)), "weights": model.state_dict(), "training": {}}
    return {**good, **changes}


def refusal(path: Path) -> str:
    """The one line that refuses `path`, which must come without any warning."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with pytest.raises(ImprovError) as caught:
            checkpoint.load(path)
    line = str(caught.value)
    assert str(path) in line
    assert len(line.splitlines()) == 1
    assert not warned, [str(warning.message) for warning in warned]
    return line


def saved(path: Path, value: object, *, zipped: bool = True) -> Path:
    torch.save(value, path, _use_new_zipfile_serialization=zipped)
    return path


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("learn_u0", [True, False])
def test_a_model_comes_back_exactly_as_it_was_saved(tmp_path: Path, core: str, learn_u0: bool) -> None:
    model = SequenceModel(Config(hidden=9, recurrent=4, core=core, grid=1 / 3, normalised=False, learn_u0=learn_u0))
    checkpoint.save(tmp_path / "deep" / "m.pt", model, epochs=7, history=[{"valid": -1.5}])
    loaded, training = checkpoint.load(tmp_path / "deep" / "m.pt")
    assert loaded.config == model.config
    assert training == {"epochs": 7, "history": [{"valid": -1.5}]}
    assert not loaded.training
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name


@given(noise=st.binary(max_size=400))
@ON_ONE_FILE
def test_random_bytes_are_refused(tmp_path: Path, noise: bytes) -> None:
    for beginning in (b"", b"PK\x03\x04", b"\x80\x02"):
        (tmp_path / "m.pt").write_bytes(beginning + noise)
        refusal(tmp_path / "m.pt")


@given(share=st.floats(0, 1, exclude_max=True))
@ON_ONE_FILE
def test_a_truncated_file_is_refused(tmp_path: Path, share: float) -> None:
    whole = _bytes_of_a_model()
    (tmp_path / "m.pt").write_bytes(whole[: int(share * len(whole))])
    refusal(tmp_path / "m.pt")


@given(bits=st.lists(st.integers(0, 8 * 20_000), min_size=1, max_size=20))
@settings(ON_ONE_FILE, max_examples=150)
def test_a_file_with_flipped_bits_is_a_sound_model_or_refused(tmp_path: Path, bits: list[int]) -> None:
    damaged = bytearray(_bytes_of_a_model())
    for bit in bits:
        damaged[bit // 8 % len(damaged)] ^= 1 << bit % 8
    (tmp_path / "m.pt").write_bytes(damaged)
    with suppress(ImprovError):  # nothing else may be raised
        model, _ = checkpoint.load(tmp_path / "m.pt")
        model.config.check()
        assert all(tensor.isfinite().all() for tensor in model.state_dict().values())


def _bytes_of_a_model() -> bytes:
    buffer = io.BytesIO()
    torch.manual_seed(0)
    torch.save(content(), buffer)
    return buffer.getvalue()


class Intruder:
    """Unpickled freely, it would create a file."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> object:
        return Path.touch, (self.trace,)


@pytest.mark.parametrize("where", ["everything", "format", "config", "weights", "training"])
@pytest.mark.parametrize("how", ["zip", "legacy", "pickle"])
def test_a_malicious_file_runs_nothing(tmp_path: Path, where: str, how: str) -> None:
    trace = tmp_path / "trace"
    value = Intruder(trace) if where == "everything" else content(**{where: Intruder(trace)})
    if how == "pickle":
        (tmp_path / "m.pt").write_bytes(pickle.dumps(value))
    else:
        saved(tmp_path / "m.pt", value, zipped=how == "zip")
    refusal(tmp_path / "m.pt")
    assert not trace.exists()
    pickle.loads(pickle.dumps(Intruder(trace)))
    assert trace.exists(), "the trap itself does not work"


@pytest.mark.parametrize(
    "value",
    [
        None,
        "improv RNN-RBM",
        torch.zeros(3),
        [1, 2],
        {},
        {"state_dict": torch.nn.Linear(2, 2).state_dict(), "epoch": 3},
        content(format="another program"),
        content(format=torch.zeros(3)),
        content(config=None),
        content(config={}),
        content(config={**vars(CONFIG), "hidden": 8192}),
        content(config={**vars(CONFIG), "hidden": 10**30}),
        content(config={**vars(CONFIG), "hidden": -3}),
        content(config={**vars(CONFIG), "grid": 1e-300}),
        content(config={**vars(CONFIG), "grid": "a quarter"}),
        content(config={**vars(CONFIG), "temperature": float("nan")}),
        content(config={**vars(CONFIG), "temperature": "warm"}),
        content(config={**vars(CONFIG), "solo": 0.0}),
        content(config={**vars(CONFIG), "core": ["gru"]}),
        content(weights=None),
        content(weights={}),
        content(weights=list(SequenceModel(CONFIG).state_dict())),
        content(weights=dict.fromkeys(SequenceModel(CONFIG).state_dict())),
        content(weights={name: tensor.double() for name, tensor in SequenceModel(CONFIG).state_dict().items()}),
        content(weights={name: tensor.to("meta") for name, tensor in SequenceModel(CONFIG).state_dict().items()}),
        content(weights={**SequenceModel(CONFIG).state_dict(), "rbm.b_v": torch.zeros(8).to_sparse()}),
        content(weights={**SequenceModel(CONFIG).state_dict(), "more": torch.zeros(1)}),
        content(training=None),
        content(training=3),
    ],
)
def test_a_foreign_file_is_refused(tmp_path: Path, value: object) -> None:
    refusal(saved(tmp_path / "m.pt", value))


@pytest.mark.parametrize("poison", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite_are_refused(tmp_path: Path, poison: float) -> None:
    model = SequenceModel(CONFIG)
    model.rbm.W.data[1, 2] = poison
    checkpoint.save(tmp_path / "m.pt", model)
    assert "W holds numbers that are not finite" in refusal(tmp_path / "m.pt")


def test_a_small_file_cannot_claim_all_memory(tmp_path: Path) -> None:
    config = Config(hidden=8192, recurrent=8192, core="lstm", low=60, n_pitches=4)
    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in SequenceModel(config).state_dict().items()}
    weights = {name: torch.zeros(1).expand(shape) for name, shape in shapes.items()}
    path = saved(tmp_path / "m.pt", content(config=dict(vars(config)), weights=weights))
    assert path.stat().st_size < 10_000
    assert "not stored in full" in refusal(path)


def test_a_file_too_large_to_be_a_model_is_not_even_read(tmp_path: Path) -> None:
    with (tmp_path / "m.pt").open("wb") as file:
        file.truncate(checkpoint.MAX_BYTES + 1)
    assert "larger than" in refusal(tmp_path / "m.pt")


def test_archives_of_other_kinds_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "rolls.npz", train_frames=np.zeros((3, 88), np.uint8))
    refusal(tmp_path / "rolls.npz")
    with zipfile.ZipFile(tmp_path / "script.pt", "w") as archive:  # looks like TorchScript, which holds code
        for name in ("data.pkl", "constants.pkl", "version"):
            archive.writestr(f"script/{name}", b"3\n")
    refusal(tmp_path / "script.pt")


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "m.pt")
    assert "directory" in refusal(tmp_path)


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Writing beyond `size` bytes fails, as on a full disk."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)


def test_a_full_disk_leaves_the_old_model_and_no_half_one(tmp_path: Path) -> None:
    old, new = SequenceModel(CONFIG), SequenceModel(CONFIG)
    checkpoint.save(tmp_path / "m.pt", old)
    with files_of_at_most(2000), pytest.raises(ImprovError, match="cannot write"):
        checkpoint.save(tmp_path / "m.pt", new)
    assert torch.equal(checkpoint.load(tmp_path / "m.pt")[0].rbm.W, old.rbm.W)
    assert [path.name for path in tmp_path.iterdir()] == ["m.pt"]


def test_an_interrupted_save_leaves_the_old_model_and_no_half_one(tmp_path: Path) -> None:
    class Interruption:
        def __reduce__(self) -> object:
            raise KeyboardInterrupt

    old = SequenceModel(CONFIG)
    checkpoint.save(tmp_path / "m.pt", old)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(tmp_path / "m.pt", SequenceModel(CONFIG), interruption=Interruption())
    assert torch.equal(checkpoint.load(tmp_path / "m.pt")[0].rbm.W, old.rbm.W)
    assert [path.name for path in tmp_path.iterdir()] == ["m.pt"]


def test_where_no_file_can_be_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "m.pt", tmp_path):
        with pytest.raises(ImprovError, match="cannot write"):
            checkpoint.save(path, SequenceModel(CONFIG))


def test_a_small_file_that_unpacks_to_a_huge_one_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("archive/data/0", "w") as member:
        for _ in range((checkpoint.MAX_BYTES >> 24) + 1):
            member.write(bytes(1 << 24))
    assert (tmp_path / "m.pt").stat().st_size < 4 << 20
    assert "larger than" in refusal(tmp_path / "m.pt")
