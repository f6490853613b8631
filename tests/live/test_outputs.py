"""The outputs: whatever goes wrong with one, nobody waits for it."""

import queue

import pytest

from improv.errors import ImprovError
from improv.live.outputs import Output, Outputs, Unopened


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ImprovError("several match"), "several match"),
        (OSError("the system refuses"), "cannot open organ: the system refuses"),
        (RuntimeError(), "cannot open organ: RuntimeError"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_output_that_does_not_open_is_told_and_not_waited_for(error: Exception, text: str) -> None:
    def refuse(_name: str) -> Output:
        raise error

    inbox: queue.SimpleQueue[Unopened] = queue.SimpleQueue()
    outputs = Outputs(refuse, inbox, lambda function: function())
    outputs.set(["organ"])
    assert outputs.waiting
    told = inbox.get_nowait()
    assert told == Unopened("organ", text)
    outputs.unopened(told)
    assert not outputs.waiting
