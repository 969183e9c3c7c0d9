import asyncio
from typing import Any

import pytest

from mcp_gateway.edge.joined import MOST, Joined


class Transport(asyncio.Transport):
    """Keeps what reaches the system, call by call."""

    def __init__(self) -> None:
        super().__init__(extra={"peername": ("127.0.0.1", 7)})
        self.written: list[bytes] = []
        self.closed = False
        self.aborted = False
        self.reading = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = True

    def is_closing(self) -> bool:
        return self.closed or self.aborted

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def get_write_buffer_size(self) -> int:
        return 0


@pytest.fixture
async def pair() -> tuple[Transport, Joined]:
    transport = Transport()
    return transport, Joined(transport, asyncio.get_running_loop())


async def test_what_one_turn_writes_leaves_at_once_and_in_order(pair: tuple[Any, Joined]) -> None:
    transport, joined = pair
    joined.write(b"head")
    joined.write(bytearray(b"body"))
    assert transport.written == []
    assert joined.get_write_buffer_size() == 8
    await asyncio.sleep(0)
    assert transport.written == [b"headbody"]
    assert joined.get_write_buffer_size() == 0


async def test_turns_are_not_joined(pair: tuple[Any, Joined]) -> None:
    transport, joined = pair
    for data in (b"one", b"two"):
        joined.write(data)
        await asyncio.sleep(0)
    assert transport.written == [b"one", b"two"]


async def test_a_large_answer_does_not_pile_up(pair: tuple[Any, Joined]) -> None:
    transport, joined = pair
    joined.write(b"head")
    joined.write(b"x" * MOST)
    joined.write(b"y")
    assert [len(part) for part in transport.written] == [MOST + 4]
    await asyncio.sleep(0)
    assert b"".join(transport.written) == b"head" + b"x" * MOST + b"y"


async def test_closing_sends_what_is_held_and_aborting_does_not(
    pair: tuple[Any, Joined],
) -> None:
    transport, joined = pair
    joined.write(b"last")
    joined.close()
    assert (transport.written, joined.is_closing()) == ([b"last"], True)

    other = Transport()
    dropped = Joined(other, asyncio.get_running_loop())
    dropped.write(b"last")
    dropped.abort()
    await asyncio.sleep(0)
    assert (other.written, other.aborted) == ([], True)


async def test_nothing_is_written_to_a_connection_that_closed_in_between(
    pair: tuple[Any, Joined],
) -> None:
    transport, joined = pair
    joined.write(b"late")
    transport.closed = True
    await asyncio.sleep(0)
    assert transport.written == []


async def test_the_rest_is_the_transports_own(pair: tuple[Any, Joined]) -> None:
    transport, joined = pair
    joined.pause_reading()
    assert not transport.reading
    joined.resume_reading()
    assert transport.reading
    assert joined.get_extra_info("peername") == ("127.0.0.1", 7)
    assert joined.get_extra_info("nothing", "else") == "else"
