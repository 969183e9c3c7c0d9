"""Frames: how an entry lies in a segment: length, CRC-32, payload, padding to 8 bytes."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

HEADER: Final = struct.Struct("<II")
LARGEST: Final = 65_535
"""Bytes of an entry: what a C2SP tlog-tiles bundle can hold."""


@dataclass(frozen=True, slots=True)
class Framed:
    """A frame as found. `sound` is whether its checksum holds."""

    offset: int
    payload: bytes
    sound: bool


def frame(payload: bytes) -> bytes:
    """Raises ValueError for an entry that is too large for the format."""
    if not 0 < len(payload) <= LARGEST:
        raise ValueError(f"an entry of {len(payload)} bytes does not fit {LARGEST}")
    header = HEADER.pack(len(payload), zlib.crc32(payload))
    return header + payload + b"\0" * (-(HEADER.size + len(payload)) % 8)


def frames(segment: bytes) -> Iterator[Framed]:
    """The frames up to the zeros behind the last one.

    Bytes that can be no frame, and bytes behind the end, come last, as one that is not sound.
    """
    offset = 0
    while offset + HEADER.size <= len(segment):
        length, checksum = HEADER.unpack_from(segment, offset)
        end = offset + HEADER.size + length
        if not 0 < length <= LARGEST or end > len(segment):
            break
        payload = segment[offset + HEADER.size : end]
        yield Framed(offset, payload, zlib.crc32(payload) == checksum)
        offset = end + (-(HEADER.size + length) % 8)
    if segment.count(0, offset) < len(segment) - offset:
        yield Framed(offset, b"", sound=False)
