"""Commands and reports cross the pipe unchanged, and nothing else does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from improv.live import messages as say


@pytest.mark.parametrize(
    "message",
    [
        say.Play(),
        say.SetKnob("tempo", 93.5),
        say.SetOutput(["virtual", "Keystation"]),
        say.PlayNote(60, 0),
        say.Status("playing", beat=3.25, knobs={"k": 25.0}, inputs={"virtual": True}),
        say.Problem("naïve\nline", fatal=True),
    ],
)
def test_a_message_arrives_as_it_was_sent_on_one_line(message: say.Command | say.Report) -> None:
    line = say.encode(message)
    assert line.count("\n") == 1
    assert say.decode(line) == message


@given(st.text())
def test_anything_else_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="not a message"):
        say.decode(line)
