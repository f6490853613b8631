"""Another program at the end of a JACK MIDI cable: `midi_peer.py play NAME` or `midi_peer.py record NAME`.

Playing, it sends every line of hexadecimal bytes on standard input from its port NAME:out; recording, it prints what
comes to NAME:in as such lines. It says `ready`, and ends when its standard input does.
"""

import sys

import rtmidi


def play(name: str) -> None:
    """Send what standard input says."""
    port = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name=name)
    port.open_virtual_port("out")
    print("ready", flush=True)
    for line in sys.stdin:
        port.send_message(list(bytes.fromhex(line)))
    port.close_port()
    port.delete()


def record(name: str) -> None:
    """Print what comes."""
    port = rtmidi.MidiIn(rtmidi.API_UNIX_JACK, name=name)
    port.set_callback(lambda event, _: print(bytes(event[0]).hex(), flush=True))
    port.open_virtual_port("in")
    print("ready", flush=True)
    sys.stdin.read()
    port.close_port()
    port.delete()


if __name__ == "__main__":
    {"play": play, "record": record}[sys.argv[1]](sys.argv[2])
