"""Any stream of bytes in; complete channel messages, and those of a MIDI clock, out."""

_DATA_BYTES = {0x80: 2, 0x90: 2, 0xA0: 2, 0xB0: 2, 0xC0: 1, 0xD0: 1, 0xE0: 2, 0xF0: 2}
_SYSTEM, _SONG_POSITION, _REALTIME = 0xF0, 0xF2, 0xF8
_CLOCK = (0xF8, 0xFA, 0xFB, 0xFC)  # pulse, start, continue, stop


class Parser:
    """Finds the channel and clock messages in a MIDI byte stream (MIDI 1.0 Detailed Specification, section 2).

    Running status is spelled out. Clock bytes come out at once wherever they stand; other realtime bytes, other system
    messages and stray data bytes are skipped. No input raises, and never more than three bytes are kept. mido's parser
    knows no running status and loses a message with a realtime byte inside.
    """

    def __init__(self) -> None:
        self._status = 0  # 0 where data bytes belong to nothing we know
        self._data = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that `data` completes, each with its status byte, in order."""
        messages = []
        for byte in data:
            if byte >= _REALTIME:
                if byte in _CLOCK:
                    messages.append(bytes((byte,)))
            elif byte >= 0x80:
                self._status = byte if byte < _SYSTEM or byte == _SONG_POSITION else 0
                self._data.clear()
            elif self._status:
                self._data.append(byte)
                if len(self._data) == _DATA_BYTES[self._status & 0xF0]:
                    messages.append(bytes((self._status, *self._data)))
                    self._data.clear()
                    self._status = self._status if self._status < _SYSTEM else 0  # which has no running status
        return messages
