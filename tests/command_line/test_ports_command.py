"""`improv ports` as a script sees it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable

import pytest
from jack_machine import MidiPeer


def improv_ports(*options: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run it in a process of its own."""
    command = [sys.executable, "-m", "improv", "ports", *options]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **env}, timeout=60, check=False)


@pytest.mark.jack
def test_ports_of_other_programs_are_printed(midi_peer: Callable[[str, str], MidiPeer]) -> None:
    midi_peer("play", "keyboard")
    done = improv_ports("--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {
        "backend": "JACK",
        "inputs": ["keyboard:out"],
        "outputs": ["synth"],
        "virtual": True,
    }
    text = improv_ports().stdout
    assert "JACK" in text
    assert "keyboard:out" in text
    assert "`improv out`" in text
    assert "synth (" in text, "JACK is a sound system too"


def test_without_a_midi_system_it_says_so_and_succeeds() -> None:
    done = improv_ports("--json", IMPROV_MIDI="jack", JACK_DEFAULT_SERVER="improv-nobody")
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert found.pop("outputs") in ([], ["synth"]), "sound may be had all the same"
    assert found == {"backend": None, "inputs": [], "virtual": False}
    assert done.stderr.startswith("improv: no MIDI system is running")
    assert len(done.stderr.splitlines()) == 1
