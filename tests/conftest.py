"""What tests of several rooms share; see jack_machine."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from jack_machine import JackServer, MidiPeer, missing

from improv.model import checkpoint
from improv.model.config import Config
from improv.model.sequence_model import SequenceModel

torch.set_num_threads(1)  # more make small models slower, and the tests' other processes late


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint, made on the spot, that plays two or three notes a frame around middle C."""
    torch.manual_seed(0)
    model = SequenceModel(Config(hidden=8, recurrent=8))
    assert model.rbm is not None
    model.rbm.b_v.data.fill_(-6.0)
    model.rbm.b_v.data[30:50] = -2.0
    path = tmp_path_factory.mktemp("model") / "tiny.pt"
    checkpoint.save(path, model)
    return path


@pytest.fixture
def music_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's music folder, for this process and its children."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_MUSIC_DIR", str(tmp_path / "music"))
    return tmp_path / "music"


@pytest.fixture(scope="session")
def _jack_server() -> Iterator[JackServer]:
    if not all(shutil.which(tool) for tool in ("jackd", "jack_wait", "jack_lsp", "jack_connect")):
        missing("JACK's programs are not installed: jackd2, jack-example-tools")
    server = JackServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def jack_server(_jack_server: JackServer, monkeypatch: pytest.MonkeyPatch) -> JackServer:
    """A running JACK server that this process and its children find by themselves."""
    _jack_server.start()
    for name in ("JACK_DEFAULT_SERVER", "JACK_NO_START_SERVER", "IMPROV_MIDI"):
        monkeypatch.setenv(name, _jack_server.env[name])
    return _jack_server


@pytest.fixture
def midi_peer(jack_server: JackServer) -> Iterator[Callable[[str, str], MidiPeer]]:  # noqa: ARG001 - must run first
    """Starts other programs: `midi_peer("play" or "record", name)`."""
    peers: list[MidiPeer] = []

    def start(role: str, name: str) -> MidiPeer:
        peers.append(MidiPeer(role, name))
        return peers[-1]

    yield start
    for peer in peers:
        if peer.running:
            peer.close()
