"""Programs of the gateway's own that listen on a port."""

import asyncio
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from connectors import application, restarts
from connectors.application import Application, Program, free_port, listens
from mcp_gateway.core.errors import UpstreamFailed
from tests.connectors.conftest import Around
from tests.support.tcp import Server, answering
from tests.support.waiting import until

LISTENS = """
    import os, socket, sys
    server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    assert os.environ["PORT"] == sys.argv[1]
    while True:
        connection, _ = server.accept()
        data = connection.recv(100)
        if b"quit" in data:
            sys.exit("it was asked to quit")
        connection.close()
"""


@asynccontextmanager
async def started(
    around: Around, program: str, ended: list[str] | None = None
) -> AsyncIterator[Application]:
    script = around.services.data.parent / "program.py"
    script.write_text(textwrap.dedent(program), "utf-8")
    made = Program(
        "up",
        "http://127.0.0.1:{port}/mcp",
        [sys.executable, str(script), "{port}"],
        around.services.data / "servers" / "up",
    )
    told = ended if ended is not None else []
    running = Application(made, around.services, lambda: told.append("ended"))
    try:
        yield running
    finally:
        await running.aclose()


async def quit_at(url: str) -> None:
    port = int(url.rpartition(":")[2].partition("/")[0])
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"quit")
    await writer.drain()
    writer.close()


async def test_a_program_is_started_once_for_all_who_need_it(around: Around) -> None:
    async with started(around, LISTENS) as running:
        assert around.ledger.kinds == []
        urls = await asyncio.gather(*(running.url() for _ in range(5)))

    assert len(set(urls)) == 1
    assert urls[0].startswith("http://127.0.0.1:")
    assert around.ledger.kinds == ["spawn", "child.ended"]


@pytest.mark.requirement("upstreams:a-dead-one-fails-its-calls")
async def test_a_program_that_ends_is_told_of_and_started_again_on_another_port(
    around: Around, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restarts, "STEADY", 0.0)
    ended: list[str] = []
    async with started(around, LISTENS, ended) as running:
        first = await running.url()
        await quit_at(first)
        await until(lambda: ended)
        second = await running.url()

    assert first != second


@pytest.mark.requirement("children:growing-pauses")
async def test_a_program_that_ends_soon_is_not_started_at_once_again(around: Around) -> None:
    async with started(around, LISTENS) as running:
        await quit_at(await running.url())
        await until(lambda: "child.ended" in around.ledger.kinds)
        with pytest.raises(UpstreamFailed) as told:
            await running.url()

    assert told.value.reason == "up ended with exit code 1; it will be started again"
    assert told.value.detail == "it was asked to quit"


async def test_a_program_that_ends_before_it_listens_says_why(around: Around) -> None:
    async with started(around, "raise SystemExit('no licence')") as running:
        with pytest.raises(UpstreamFailed, match="up ended with exit code 1") as told:
            await running.url()
        assert told.value.detail == "no licence"
        with pytest.raises(UpstreamFailed, match="will be started again"):
            await running.url()

    assert around.ledger.kinds == ["spawn", "child.ended"]


async def test_a_program_that_never_listens_is_ended(
    around: Around, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(application, "READY", 0.3)
    async with started(around, "import time; time.sleep(600)") as running:
        with pytest.raises(UpstreamFailed, match="up does not listen on its port"):
            await running.url()

        assert around.ledger.kinds == ["spawn", "child.ended"]


@pytest.mark.parametrize("when", ["while it is started", "while it is waited for"])
async def test_whoever_leaves_while_it_starts_leaves_nothing_behind(
    around: Around, when: str
) -> None:
    program = "import time; open('running', 'w').close(); time.sleep(600)"
    running_ = around.services.data / "servers" / "up" / "running"
    async with started(around, program) as running:
        asking = asyncio.ensure_future(running.url())
        await until(lambda: running_.exists() if "waited" in when else around.ledger.kinds)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await until(lambda: "child.ended" in around.ledger.kinds)


async def test_after_it_was_closed_nothing_is_started(around: Around) -> None:
    async with started(around, LISTENS) as running:
        await running.url()
        await running.aclose()

        with pytest.raises(UpstreamFailed, match="is being stopped"):
            await running.url()
    assert around.ledger.kinds == ["spawn", "child.ended"]


async def test_a_port_is_free_until_somebody_listens() -> None:
    assert not await listens(free_port())
    async with answering() as server:
        assert isinstance(server, Server)
        assert await listens(server.port)
