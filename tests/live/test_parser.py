"""The parser finds every note in a stream, and nothing in it can hurt."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from improv.live.parser import Parser

DATA = st.integers(0, 127)


def channel_messages() -> st.SearchStrategy[bytes]:
    """Any channel message, notes above all."""
    long = st.builds(
        lambda s, a, b: bytes([s, a, b]), st.sampled_from([0x80, 0x91, 0x9F, 0xA0, 0xB3, 0xE0]), DATA, DATA
    )
    short = st.builds(lambda status, data: bytes([status, data]), st.sampled_from([0xC0, 0xD5]), DATA)
    return long | short


CLOCK = (b"\xf8", b"\xfa", b"\xfb", b"\xfc")
REALTIME = st.sampled_from([*CLOCK, b"\xf9", b"\xfd", b"\xfe", b"\xff"])
SYSTEM = st.builds(lambda body: b"\xf0" + bytes(body) + b"\xf7", st.lists(DATA)) | st.sampled_from(
    [b"\xf1\x05", b"\xf3\x07", b"\xf6", b"\xf7", b"\xf0\x01\x02"]  # the last: cut off
)


def test_messages_come_out_as_they_went_in() -> None:
    assert Parser().feed(b"\x90\x3c\x40\x80\x3c\x00\xc0\x05") == [b"\x90\x3c\x40", b"\x80\x3c\x00", b"\xc0\x05"]


def test_a_note_on_with_velocity_0_is_kept_as_it_is() -> None:
    assert Parser().feed(b"\x90\x3c\x00") == [b"\x90\x3c\x00"]


def test_a_sysex_cut_off_by_a_note_does_not_swallow_it() -> None:
    assert Parser().feed(b"\xf0\x01\x02\x90\x3c\x40") == [b"\x90\x3c\x40"]


def test_data_after_a_sysex_belongs_to_nothing() -> None:
    assert Parser().feed(b"\x90\x3c\x40\xf0\x01\xf7\x3e\x40") == [b"\x90\x3c\x40"]


@given(st.binary(max_size=300), st.lists(st.integers(0, 300)))
def test_any_bytes_split_anywhere_give_the_same_whole_messages(data: bytes, cuts: list[int]) -> None:
    parser, edges = Parser(), [0, *sorted(cuts), len(data)]
    pieces = [data[start:end] for start, end in itertools.pairwise(edges)]
    messages = [message for piece in pieces for message in parser.feed(piece)]
    assert messages == Parser().feed(b"".join(pieces))
    for message in messages:
        if message in CLOCK:
            continue
        assert 0x80 <= message[0] < 0xF0 or message[0] == 0xF2
        assert max(message[1:]) < 0x80
        assert len(message) == (2 if 0xC0 <= message[0] < 0xE0 else 3)


@given(st.lists(channel_messages() | SYSTEM))
def test_system_messages_between_the_notes_are_skipped(stream: list[bytes]) -> None:
    assert Parser().feed(b"".join(stream)) == [message for message in stream if message[0] < 0xF0]


@given(st.lists(channel_messages()), st.data())
def test_realtime_bytes_may_stand_anywhere(stream: list[bytes], data: st.DataObject) -> None:
    dirty = b"".join(
        data.draw(REALTIME | st.just(b""), label="before the byte") + bytes([byte]) for byte in b"".join(stream)
    )
    messages = Parser().feed(dirty)
    assert [message for message in messages if message not in CLOCK] == stream
    assert b"".join(message for message in messages if message in CLOCK) == bytes(
        b for b in dirty if bytes([b]) in CLOCK
    )


def test_a_song_position_is_a_message_and_ends_the_running_status() -> None:
    assert Parser().feed(b"\x90\x3c\x40\xf2\x01\xf8\x02\x3c\x40") == [b"\x90\x3c\x40", b"\xf8", b"\xf2\x01\x02"]


@given(st.lists(channel_messages()))
def test_running_status_means_the_same_as_the_status_spelled_out(stream: list[bytes]) -> None:
    previous, short = 0, b""
    for message in stream:
        short += message[1:] if message[0] == previous else message
        previous = message[0]
    assert Parser().feed(short) == stream


@given(st.binary(max_size=50), st.lists(channel_messages(), min_size=1))
def test_after_any_garbage_the_next_whole_message_is_heard(garbage: bytes, stream: list[bytes]) -> None:
    parser = Parser()
    parser.feed(garbage)
    assert parser.feed(b"".join(stream)) == stream


def test_an_endless_sysex_is_not_kept() -> None:
    parser = Parser()
    for _ in range(100):
        assert parser.feed(b"\xf0" + bytes(10_000)) == []
    assert len(parser._data) == 0
