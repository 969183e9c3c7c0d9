"""The event-stream codec (WHATWG HTML, section 9.2)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

KEEP_ALIVE: Final = b":\n\n"
MOST: Final = 8 * 1024 * 1024
_BOM: Final = b"\xef\xbb\xbf"
_FIELD: Final = len(b"data: ")
_DIGITS: Final = 9
_PIECE: Final = 256 * 1024
_UNKNOWN, _DATA, _OTHER = range(3)
"""What is known of a line: nothing yet, that it holds data, or that it does not."""


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
    stream may be taken up again, `retry` the milliseconds until then that were asked for. A
    decoder that `flows` does not refuse what is larger: `flowing` takes over from it.
    """

    def __init__(self, most: int = MOST, *, last_id: str = "", flows: bool = False) -> None:
        self.retry: int | None = None
        self._most = most
        self._flows = flows
        self.flowing: Flowing | None = None
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
        if self._flows and len(self._data) + len(self._rest) > self._most:
            self.flowing = Flowing(self._data, self._rest, begun=self._any, after_cr=self._after_cr)
            self._data, self._rest = bytearray(), bytearray()
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
        if size > self._most and not self._flows:
            raise ValueError(f"an event of more than {self._most} bytes")

    def _dispatch(self) -> Event | None:
        event = Event(bytes(self._data), self._event or "message", self._id) if self._any else None
        self._data.clear()
        self._any, self._event = False, ""
        return event


class Flowing:
    """The data of one event that is too large to be held, as it arrives.

    `data` and `rest` are what a decoder had read of it: data, and a line that goes on.
    """

    def __init__(self, data: bytearray, rest: bytearray, *, begun: bool, after_cr: bool) -> None:
        self._held = (data, rest)
        self._begun = begun
        self._after_cr = after_cr
        self._head = b""
        self._kind = _UNKNOWN
        self.done = False

    def held(self) -> Iterator[bytes]:
        """What had been read, in pieces. Comes before what `feed` gives."""
        data, rest = self._held
        self._held = (bytearray(), bytearray())
        for at in range(0, len(data), _PIECE):
            yield bytes(data[at : at + _PIECE])
        data.clear()
        after_cr, self._after_cr = self._after_cr, False
        for at in range(0, len(rest), _PIECE):
            yield self.feed(bytes(rest[at : at + _PIECE]))
        self._after_cr = after_cr

    def feed(self, chunk: bytes) -> bytes:
        """What these bytes bring of the data; nothing any more once it is `done`."""
        if self._after_cr and chunk:
            chunk = chunk.removeprefix(b"\n")
        made: list[bytes] = []
        for line in chunk.splitlines(keepends=True):
            ended = line.endswith((b"\n", b"\r"))
            made.append(self._part(line.rstrip(b"\r\n"), ended=ended))
            if self.done:
                break
        self._after_cr = chunk.endswith(b"\r") if chunk else self._after_cr
        return b"".join(made)

    def _part(self, text: bytes, *, ended: bool) -> bytes:
        """A part of a line; where that begins, its field decides what becomes of all of it."""
        if self._kind == _UNKNOWN:
            self._head += text
            if len(self._head) < _FIELD and not ended:
                return b""
            text, self._head = self._opened(self._head), b""
        passed = text if self._kind == _DATA else b""
        if ended:
            self._kind = _UNKNOWN
        return passed

    def _opened(self, line: bytes) -> bytes:
        self.done = not line
        name, _, value = line.partition(b":")
        self._kind = _DATA if name == b"data" else _OTHER
        if self._kind == _OTHER:
            return b""
        begun, self._begun = self._begun, True
        return (b"\n" if begun else b"") + value.removeprefix(b" ")
