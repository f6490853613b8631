"""What is told of ports that come and go."""

import queue

from improv.live.inputs import InputLost
from improv.live.messages import Notice, Problem
from improv.live.news import PortNews
from improv.live.ports import InputPort


def test_a_port_that_is_back_is_told_about_the_same_thing_as_its_loss_and_each_once() -> None:
    inbox: queue.SimpleQueue[object] = queue.SimpleQueue()
    news, organ = PortNews(inbox), InputPort("organ", lambda _at, _message: None, lambda _port: None)
    organ.trouble = "organ is gone"
    for connected in (True, False, False, True):
        news.tell(organ, connected)
    told = [inbox.get() for _ in range(inbox.qsize())]
    assert [item for item in told if item != InputLost()] == [
        Problem("organ is gone", about="organ"),
        Notice("organ is connected", about="organ"),
    ]
