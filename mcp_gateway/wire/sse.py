"""The event-stream codec (WHATWG HTML, section 9.2)."""

from dataclasses import dataclass
from typing import Final

KEEP_ALIVE: Final = b":\n\n"
_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Event:
    """One dispatched event: `data` with its lines joined by a line feed."""

    data: bytes
    event: str = "message"
    id: str = ""


def encode(data: bytes, event: str = "message") -> bytes:
    """One event. `data` may hold line feeds, and is split over several lines then."""
    lines = b"".join(b"data: " + line + b"\n" for line in data.split(b"\n"))
    return b"event: " + event.encode() + b"\n" + lines + b"\n"


class Decoder:
    """Bytes in any cut to events. Lines may end in CR LF, LF or CR."""

    def __init__(self, most: int = 8 * 1024 * 1024) -> None:
        self._most = most
        self._rest = b""
        self._started = False
        self._size = 0
        self._data: list[bytes] = []
        self._event = ""
        self._id = ""

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that this chunk completes. Raises ValueError for one that is too large."""
        text = self._rest + chunk
        if not self._started:
            if len(text) < len(_BOM) and _BOM.startswith(text):
                self._rest = text
                return []
            text, self._started = text.removeprefix(_BOM), True
        held = text.endswith(b"\r")
        body = text[:-1] if held else text
        lines = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._rest = lines.pop() + (b"\r" if held else b"")
        events = [event for line in lines if (event := self._line(line))]
        if len(self._rest) + self._size > self._most:
            raise ValueError(f"an event of more than {self._most} bytes")
        return events

    def _line(self, line: bytes) -> Event | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
            self._size += len(value) + 1
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
        elif name == b"id" and b"\0" not in value:
            self._id = value.decode("utf-8", "replace")
        return None

    def _dispatch(self) -> Event | None:
        data, name = self._data, self._event or "message"
        self._data, self._event, self._size = [], "", 0
        return Event(b"\n".join(data), name, self._id) if data else None
