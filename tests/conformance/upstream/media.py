"""Content of every kind that a tool, a prompt or a resource may hold, as small as it can be."""

import base64
import struct
import zlib
from typing import Any

JSON = dict[str, Any]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png() -> bytes:
    """One red pixel."""
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + _chunk(b"IDAT", zlib.compress(b"\0\xff\0\0"))


def _wav() -> bytes:
    """No samples at all, 8 bits of one channel."""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 8000, 1, 8)
    return b"RIFF" + struct.pack("<I", 36) + b"WAVE" + form + b"data" + struct.pack("<I", 0)


PNG = base64.b64encode(_png() + _chunk(b"IEND", b"")).decode()
WAV = base64.b64encode(_wav()).decode()
IMAGE: JSON = {"type": "image", "data": PNG, "mimeType": "image/png"}
AUDIO: JSON = {"type": "audio", "data": WAV, "mimeType": "audio/wav"}


def text(value: str) -> JSON:
    return {"type": "text", "text": value}


def embedded(uri: str, kind: str, value: str) -> JSON:
    return {"type": "resource", "resource": {"uri": uri, "mimeType": kind, "text": value}}


def content(*parts: JSON, **more: Any) -> JSON:
    """The result of a tool."""
    return {"content": list(parts), **more}


def said(value: str, **more: Any) -> JSON:
    """The result of a tool that answers in one text."""
    return content(text(value), **more)
