"""The one port that is listened to: changed under the player's hands, it leaves nothing held."""

import queue
import threading
from collections.abc import Callable

import pytest
from jack_machine import MidiPeer, eventually

from improv.live.inputs import Arrived, InputLost, PlayerInput
from improv.live.ports import Patchbay

pytestmark = pytest.mark.jack


@pytest.mark.usefixtures("jack_server")
def test_a_port_that_is_left_is_told_lost_after_its_last_message(midi_peer: Callable[[str, str], MidiPeer]) -> None:
    inbox: queue.SimpleQueue[object] = queue.SimpleQueue()
    keyboard = midi_peer("play", "keyboard")
    with Patchbay() as patchbay:
        player = PlayerInput(patchbay, inbox)
        player.set("keyboard")
        assert eventually(lambda: player.states() == {"keyboard": True})
        playing = threading.Thread(target=keyboard.send, args=[bytes([0x90, 60, 1 + n % 127]) for n in range(20_000)])
        playing.start()
        assert eventually(lambda: inbox.qsize() > 100)
        player.set("")
        assert eventually(lambda: player.states() == {})
        playing.join()
    arrived = [inbox.get() for _ in range(inbox.qsize())]
    assert isinstance(arrived[-1], InputLost)
    assert all(isinstance(item, Arrived) for item in arrived[:-1])
