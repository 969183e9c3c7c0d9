"""One HTTP/1.1 answer, read strictly (RFC 9112): what could be read in two ways is refused."""

from typing import Final

from httptools import HttpParserError, HttpResponseParser

from mcp_gateway.wire.failures import HttpFailed, TooLarge

HEAD_LIMIT: Final = 64 * 1024
"""Bytes of a head, of trailers, or of anything else that is not body."""
HEADERS_LIMIT: Final = 256
EVENT_STREAM: Final = "text/event-stream"
BODILESS: Final = frozenset({204, 304})
PIECE: Final = 256 * 1024
"""Bytes of a stream that are taken away at once, however many wait."""
_OK: Final = 200


class Answer:
    """Reads one answer, in pieces of any size.

    `started` once the head is whole, `complete` once all is, `reusable` when the connection may
    then carry another request, `trailing` when bytes came behind the end. A whole answer has at
    most `most` bytes; one that is `streamed` (asked for, or an event stream) has no bound, and
    is to be taken away as it comes. One that `spills` becomes such a stream when it turns out
    to be larger, at its head where that says so.
    `bodiless`: the answer to HEAD or CONNECT.
    """

    __slots__ = (
        "_bodiless",
        "_body",
        "_fault",
        "_fed",
        "_most",
        "_parser",
        "_size",
        "_spills",
        "complete",
        "failure",
        "headers",
        "reusable",
        "started",
        "status",
        "streamed",
        "trailing",
        "waiting",
    )

    def __init__(
        self,
        most: int,
        *,
        bodiless: bool = False,
        streamed: bool = False,
        spills: bool = False,
    ) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.started = False
        self.complete = False
        self.reusable = False
        self.trailing = False
        self.streamed = streamed
        self.waiting = 0
        self.failure: HttpFailed | None = None
        self._most = most
        self._bodiless = bodiless
        self._spills = spills
        self._body: bytes | bytearray = b""
        self._size = 0
        self._fed = 0
        self._fault: HttpFailed | None = None
        self._parser = HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        """The next bytes of the connection. Raises HttpFailed for what is no sound answer.

        Bytes behind the end of the answer are no fault of it; they make the connection useless.
        """
        self._fed += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserError as error:
            if not self.complete:
                raise self._fault or broken(str(error)) from None
            self.reusable, self.trailing = False, True
        if self._fed > HEAD_LIMIT and not self.complete:
            raise TooLarge(f"more than {HEAD_LIMIT} bytes without any of the body", sent=True)

    def end(self) -> None:
        """The connection ended in good order. Raises HttpFailed when the answer was not whole."""
        if self.complete:
            return
        if not self.started or self._framed:
            raise HttpFailed("the connection ended before the answer was whole", sent=True)
        self.complete = True

    def take(self) -> bytes:
        """What has arrived of the body since the last time; of a stream a piece of that."""
        if self.streamed and self.waiting > PIECE:
            return self._piece()
        body, self._body, self.waiting = bytes(self._body), b"", 0
        return body

    def _piece(self) -> bytes:
        if isinstance(self._body, bytes):
            self._body = bytearray(self._body)
        with memoryview(self._body) as view:
            piece = bytes(view[:PIECE])
        del self._body[:PIECE]
        self.waiting -= PIECE
        return piece

    @property
    def _framed(self) -> bool:
        """Whether the answer says where it ends (RFC 9112, section 6.3)."""
        return "content-length" in self.headers or "transfer-encoding" in self.headers

    # what the parser calls

    def on_message_begin(self) -> None:
        if self.complete:
            self._refuse(broken("another one follows"))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._size += len(name) + len(value)
        if self._size > HEAD_LIMIT or len(self.headers) >= HEADERS_LIMIT:
            self._refuse(TooLarge("more headers than anybody needs", sent=True))
        if self.started:
            return  # A trailer, which must not pass for a header.
        key, text = name.decode("latin-1").lower(), value.decode("latin-1").strip(" \t")
        known = self.headers.get(key)
        self.headers[key] = text if known is None else f"{known}, {text}"

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        version = self._parser.get_http_version()
        if version not in ("1.1", "1.0"):
            self._refuse(broken("it is of another version"))
        if 100 <= status < 200 and status != 101:
            self.headers = {}
            return
        if not 200 <= status < 600:
            self._refuse(broken(f"status {status} was not asked for"))
        self.status = status
        self._check_framing(version)
        self.streamed = self.streamed or media_type(self.headers) == EVENT_STREAM
        self._check_body()
        self.started = True
        if self._bodiless:
            # Never reused: whether a body follows after all cannot be told from the next answer.
            self.complete = True

    def _check_framing(self, version: str) -> None:
        length = self.headers.get("content-length")
        coding = self.headers.get("transfer-encoding")
        if coding is not None:
            if coding.lower() != "chunked" or version == "1.0":
                self._refuse(broken(f"it has the transfer encoding {coding!r}"))
            if length is not None:
                self._refuse(broken("it has two lengths"))
        if length is not None and not (length.isascii() and length.isdecimal()):
            self._refuse(broken(f"it has the length {length!r}"))

    def _check_body(self) -> None:
        coding = self.headers.get("content-encoding", "identity")
        if coding.lower() not in ("identity", ""):
            self._refuse(broken(f"it is encoded as {coding!r}, though only plain was asked for"))
        if self.streamed or self._bodiless or self.status in BODILESS:
            return
        if int(self.headers.get("content-length", 0)) > self._most:
            self._overflow()

    def on_body(self, data: bytes) -> None:
        if self.complete:
            self._refuse(broken("it has a body"))
        self._fed = 0
        self.waiting += len(data)
        if self.waiting > self._most and not self.streamed:
            self._overflow()
        if not self._body:
            self._body = data
            return
        if isinstance(self._body, bytes):
            self._body = bytearray(self._body)
        self._body += data

    def _overflow(self) -> None:
        """It is larger than may be held: passed on as it comes, or refused."""
        if not self._spills or self.status != _OK:
            self._refuse(TooLarge(f"an answer of more than {self._most} bytes", sent=True))
        self.streamed = True

    def on_message_complete(self) -> None:
        if not self.started or self.complete:
            return
        self.complete = True
        self.reusable = self._parser.should_keep_alive()
        if self.status in BODILESS and self.headers.get("content-length", "0") != "0":
            self.reusable = False

    def _refuse(self, fault: HttpFailed) -> None:
        """Stops the parser; the fault comes out of `feed`."""
        self._fault = fault
        raise fault


def broken(why: str) -> HttpFailed:
    return HttpFailed(f"the answer is not sound HTTP: {why}", sent=True)


def media_type(headers: dict[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()
