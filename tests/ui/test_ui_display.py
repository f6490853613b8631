import os
import subprocess
import sys

import pytest


@pytest.mark.skipif(sys.platform != "linux", reason="a display is named by a variable on Linux alone")
@pytest.mark.parametrize(
    ("named", "reason"),
    [
        ({}, "no display"),
        ({"DISPLAY": ":4096"}, "could not connect to display :4096"),
        ({"DISPLAY": ":4096", "QT_QPA_PLATFORM": "cinema"}, 'Could not find the Qt platform plugin "cinema"'),
    ],
    ids=["none", "one that does not answer", "a plugin that is missing"],
)
def test_where_no_window_can_be_opened_one_line_says_so(named: dict[str, str], reason: str) -> None:
    other = {name: value for name, value in os.environ.items() if "DISPLAY" not in name and name != "QT_QPA_PLATFORM"}
    command = [sys.executable, "-m", "improv", "play"]
    done = subprocess.run(command, env={**other, **named}, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("improv: ")
    assert done.stderr.endswith("`improv play --headless`\n")
    assert len(done.stderr.splitlines()) == 1
    assert reason in done.stderr
