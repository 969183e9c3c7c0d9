"""The event-stream codec (WHATWG HTML, section 9.2)."""

from dataclasses import dataclass
from typing import Final

KEEP_ALIVE: Final = b":\n\n"
MOST: Final = 8 * 1024 * 1024
_BOM: Final = b"\xef\xbb\xbf"
_FIELD: Final = len(b"data: ")
_DIGITS: Final = 9


@dataclass(frozen=True, slots=True)
class Event:
    """One dispatched event: `data` with its lines joined by a line feed."""

    data: bytes
    event: str = "message"
    id: str = ""


def encode(data: bytes, event: str = "message", id_: str = "") -> bytes:
    """One event. `data` may hold line ends, and is split over several lines then.

    Raises ValueError for a name or an id that would end its line.
    """
    if "\n" in event + id_ or "\r" in event + id_:
        raise ValueError("the name and the id of an event have one line")
    lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in data else data
    fields = lines.replace(b"\n", b"\ndata: ")
    named = b"id: %b\n" % id_.encode() if id_ else b""
    return b"%bevent: %b\ndata: %b\n\n" % (named, event.encode(), fields)


def priming(id_: str, retry: int) -> bytes:
    """An event without data, from which a client can come back (2025-11-25, after `retry` ms)."""
    return b"id: %b\nretry: %d\ndata: \n\n" % (id_.encode(), retry)


class Decoder:
    """Bytes in any cut to events. Lines may end in CR LF, LF or CR.

    A line ends with its CR: an event is there as soon as its last byte is, whatever follows.
    Comments are dropped. `most` bounds the data of one event, and any line. `last_id` is where the
    stream may be taken up again, `retry` the milliseconds until then that were asked for.
    """

    def __init__(self, most: int = MOST, *, last_id: str = "") -> None:
        self.retry: int | None = None
        self._most = most
        self._started = False
        self._after_cr = False
        self._rest = bytearray()
        self._data = bytearray()
        self._any = False
        self._event = ""
        self._id = last_id

    @property
    def last_id(self) -> str:
        return self._id

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that this chunk completes. Raises ValueError for one that is too large."""
        if not self._started:
            chunk = self._start(chunk)
        if self._after_cr and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._after_cr = False
        lines = chunk.splitlines()
        if not lines:
            return []
        self._after_cr = chunk.endswith(b"\r")
        last = b"" if chunk.endswith((b"\n", b"\r")) else lines.pop()
        if lines and self._rest:
            lines[0] = bytes(self._rest) + lines[0]
            self._rest.clear()
        events = [event for line in lines if (event := self._line(line))]
        self._rest += last
        self._bounded(len(self._rest) - _FIELD)
        return events

    def _start(self, chunk: bytes) -> bytes:
        """What is left when a byte order mark is gone, nothing while it may be under way."""
        chunk = bytes(self._rest) + chunk
        if len(chunk) < len(_BOM) and _BOM.startswith(chunk):
            self._rest[:] = chunk
            return b""
        self._rest.clear()
        self._started = True
        return chunk.removeprefix(_BOM)

    def _line(self, line: bytes) -> Event | None:
        if not line:
            return self._dispatch()
        self._bounded(len(line) - _FIELD)
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._add(value)
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
        elif name == b"id" and b"\0" not in value:
            self._id = value.decode("utf-8", "replace")
        elif name == b"retry" and value.isdigit() and len(value) <= _DIGITS:
            self.retry = int(value)
        return None

    def _add(self, value: bytes) -> None:
        if self._any:
            self._data += b"\n"
        self._any = True
        self._data += value
        self._bounded(len(self._data))

    def _bounded(self, size: int) -> None:
        if size > self._most:
            raise ValueError(f"an event of more than {self._most} bytes")

    def _dispatch(self) -> Event | None:
        event = Event(bytes(self._data), self._event or "message", self._id) if self._any else None
        self._data.clear()
        self._any, self._event = False, ""
        return event
