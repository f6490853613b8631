"""Any stream of bytes in, complete channel messages out."""

_DATA_BYTES = {0x80: 2, 0x90: 2, 0xA0: 2, 0xB0: 2, 0xC0: 1, 0xD0: 1, 0xE0: 2}
_SYSTEM, _REALTIME = 0xF0, 0xF8


class Parser:
    """Finds the channel messages in a MIDI byte stream (MIDI 1.0 Detailed Specification, section 2).

    Running status is spelled out. Realtime bytes are skipped wherever they stand, system messages and stray data bytes
    too. No input raises, and never more than three bytes are kept. mido's parser knows no running status and loses
    a message with a realtime byte inside.
    """

    def __init__(self) -> None:
        self._status = 0  # 0 where data bytes belong to nothing we know
        self._data = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The channel messages that `data` completes, each with its status byte, in order."""
        messages = []
        for byte in data:
            if byte >= _REALTIME:
                continue
            if byte >= 0x80:
                self._status = byte if byte < _SYSTEM else 0  # a system message ends the running status
                self._data.clear()
            elif self._status:
                self._data.append(byte)
                if len(self._data) == _DATA_BYTES[self._status & 0xF0]:
                    messages.append(bytes((self._status, *self._data)))
                    self._data.clear()
        return messages
