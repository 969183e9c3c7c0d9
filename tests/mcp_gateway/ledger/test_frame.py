import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.ledger.frame import LARGEST, frame, frames

PAYLOADS = st.lists(st.binary(min_size=1, max_size=60), max_size=8)


@given(PAYLOADS, st.integers(0, 100))
def test_frames_are_read_as_they_were_written_with_zeros_behind(
    payloads: list[bytes], zeros: int
) -> None:
    segment = b"".join(map(frame, payloads)) + bytes(zeros)

    found = list(frames(segment))

    assert [each.payload for each in found] == payloads
    assert all(each.sound for each in found)
    assert all(each.offset % 8 == 0 for each in found)


@given(PAYLOADS.filter(bool), st.data())
def test_a_segment_that_was_cut_gives_what_is_whole_and_says_that_it_was(
    payloads: list[bytes], data: st.DataObject
) -> None:
    whole = b"".join(map(frame, payloads))
    segment = whole[: data.draw(st.integers(0, len(whole) - 1))]

    found = list(frames(segment))
    sound = [each.payload for each in found if each.sound]

    assert sound == payloads[: len(sound)]
    assert len(found) - len(sound) <= 1
    assert len(sound) < len(payloads) or not segment.endswith(frame(payloads[-1]))


@given(PAYLOADS.filter(bool), st.data())
def test_a_changed_bit_is_noticed(payloads: list[bytes], data: st.DataObject) -> None:
    segment = bytearray(b"".join(map(frame, payloads)))
    place = data.draw(st.integers(0, len(segment) - 1))
    segment[place] ^= 1 << data.draw(st.integers(0, 7))

    found = list(frames(bytes(segment)))
    padding = [e.payload for e in found] == payloads and all(e.sound for e in found)

    assert padding == in_padding(payloads, place)


def in_padding(payloads: list[bytes], place: int) -> bool:
    """Whether a place lies behind a payload, where nothing is said."""
    for payload in payloads:
        if place < len(frame(payload)):
            return place >= 8 + len(payload)
        place -= len(frame(payload))
    return False


@pytest.mark.parametrize("size", [0, LARGEST + 1])
def test_what_no_frame_holds_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"{size} bytes"):
        frame(bytes(size))


def test_the_largest_fits() -> None:
    assert [len(each.payload) for each in frames(frame(b"x" * LARGEST))] == [LARGEST]


@pytest.mark.parametrize(
    "tail",
    [b"\xff\xff\xff\xff\0\0\0\0", b"\x00\x00\x01\x00\0\0\0\0", b"\0\0\0\0\1\0\0\0", b"\1"],
    ids=["longer than any", "longer than the rest", "without a length", "no header"],
)
def test_bytes_that_can_be_no_frame_come_last_as_one_that_is_not_sound(tail: bytes) -> None:
    segment = frame(b"entry") + tail

    first, last = frames(segment)

    assert first.sound
    assert (last.sound, last.offset, last.payload) == (False, len(frame(b"entry")), b"")
