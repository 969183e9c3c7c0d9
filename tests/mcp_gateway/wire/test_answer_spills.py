"""An answer that may spill is whole up to the bound, and a stream beyond it."""

import pytest

from mcp_gateway.wire.answer import PIECE, Answer
from mcp_gateway.wire.failures import TooLarge
from tests.support.tcp import plain

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@pytest.mark.requirement("streams:ordinary-results-are-whole")
@pytest.mark.parametrize("size", [0, 99, 100])
def test_up_to_the_bound_it_is_whole(size: int) -> None:
    for raw in (plain(b"x" * size), CHUNKED + (chunk(b"x" * size) if size else b"") + b"0\r\n\r\n"):
        answer = Answer(100, spills=True)
        answer.feed(raw)

        assert (answer.complete, answer.streamed) == (True, False)
        assert answer.take() == b"x" * size


def test_at_its_head_where_that_says_so() -> None:
    answer = Answer(100, spills=True)
    answer.feed(b"HTTP/1.1 200 OK\r\ncontent-length: 101\r\n\r\n")

    assert (answer.started, answer.streamed, answer.waiting) == (True, True, 0)


def test_where_it_passes_the_bound_otherwise() -> None:
    answer = Answer(100, spills=True)
    answer.feed(CHUNKED + chunk(b"x" * 100))
    before = answer.streamed
    answer.feed(chunk(b"y"))

    assert (before, answer.streamed) == (False, True)
    assert answer.take() == b"x" * 100 + b"y"


def test_what_waits_is_taken_in_pieces_and_nothing_of_it_is_lost() -> None:
    body = bytes(range(256)) * (PIECE // 100)
    answer = Answer(len(body) - 1, spills=True)
    answer.feed(CHUNKED + chunk(body) + b"0\r\n\r\n")
    pieces = []
    while answer.waiting:
        pieces.append(answer.take())

    assert answer.complete
    assert b"".join(pieces) == body
    assert max(map(len, pieces)) == PIECE


@pytest.mark.parametrize("status", [b"400 Bad Request", b"201 Created"])
def test_only_an_answer_that_succeeded_spills(status: bytes) -> None:
    with pytest.raises(TooLarge):
        Answer(100, spills=True).feed(plain(b"x" * 101, status=status))


def test_who_does_not_spill_is_refused() -> None:
    with pytest.raises(TooLarge):
        Answer(100).feed(plain(b"x" * 101))
