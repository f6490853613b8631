"""Raw MIDI channel messages, as bytes."""

NOTE_OFF, NOTE_ON, CONTROL, PROGRAM_CHANGE, CHANNEL_PRESSURE = 0x80, 0x90, 0xB0, 0xC0, 0xD0
SUSTAIN, SOUND_OFF, NOTES_OFF = 64, 120, 123
CHANNELS = 16


def length_of(status: int) -> int:
    """Bytes in a channel message that begins with `status`; 0 where no channel message does."""
    if not 0x80 <= status < 0xF0:
        return 0
    return 2 if status & 0xF0 in (PROGRAM_CHANGE, CHANNEL_PRESSURE) else 3


def is_channel_message(message: bytes) -> bool:
    """Whether `message` is one whole channel message."""
    return len(message) > 1 and len(message) == length_of(message[0]) and max(message[1:]) < 0x80


def split(stream: bytes) -> tuple[list[bytes], bytes]:
    """The whole channel messages in `stream`, and the begun one at its end; what belongs to none is passed over."""
    messages: list[bytes] = []
    while stream:
        length = length_of(stream[0])
        if length > len(stream):
            break
        if is_channel_message(stream[:length]):
            messages.append(stream[:length])
            stream = stream[length:]
        else:
            stream = stream[1:]
    return messages, stream
