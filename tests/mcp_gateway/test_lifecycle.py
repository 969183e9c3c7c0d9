import asyncio
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import pytest

from mcp_gateway import app, lifecycle
from mcp_gateway.config import ConfigError, Settings, validated
from mcp_gateway.core.entry import Entry, Receipt
from mcp_gateway.core.errors import Overloaded
from mcp_gateway.home import Home
from mcp_gateway.ledger import files, reader
from mcp_gateway.lifecycle import Configurations
from mcp_gateway.parts import Parts, close, troubles
from mcp_gateway.services import sources

ORDERS = {"connector": "openapi", "url": "http://127.0.0.1:9", "document": "builtin:orders"}


class Life:
    """A gateway without a server, and what takes its configurations."""

    def __init__(self, parts: Parts, path: Path, seen: sources.Contents) -> None:
        self.parts = parts
        self.path = path
        self.renewed = 0
        self.configurations = Configurations(parts, path, seen, self.renew)

    def renew(self) -> None:
        self.renewed += 1

    def kinds(self) -> list[str]:
        lines = reader.entries(self.parts.home.ledger)
        return [k["kind"] for k in lines if k["kind"].startswith("configuration.")]


@pytest.fixture
async def life(tmp_path: Path) -> AsyncIterator[Life]:
    home = Home(tmp_path / "var")
    home.prepare()
    home.config.write_text('[gateway]\ncontact = "first"\n')
    settings, seen = sources.read(home.config)
    parts = await app.build(settings, home)
    yield Life(parts, home.config, seen)
    await close(parts)


def full(_: Entry) -> Awaitable[Receipt]:
    raise Overloaded("the gateway cannot record this call: the disk is full")


@pytest.mark.requirement("reload:unrecorded-it-is-not-done")
async def test_what_cannot_be_recorded_is_not_put_in_force(
    life: Life, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    before = life.parts.current.of("default")
    monkeypatch.setattr(life.parts.log, "append", full)
    await life.configurations.take(validated({"servers": {"orders": ORDERS}}))

    assert life.parts.current.of("default") is before
    assert life.parts.snapshots.running == {}
    assert "the disk is full" in troubles(life.parts)["configuration refused"]
    assert "cannot be recorded" in caplog.text


async def test_a_refusal_that_cannot_be_recorded_is_said_all_the_same(
    life: Life, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(life.parts.log, "append", full)
    await life.configurations.take(validated({"servers": {"a": {"connector": "pigeon"}}}))

    assert "no connector 'pigeon'" in troubles(life.parts)["configuration refused"]
    assert "the refusal cannot be recorded" in caplog.text


@pytest.mark.requirement("snapshot:a-bad-file-is-refused")
async def test_what_the_server_cannot_take_is_refused_with_the_rest(life: Life) -> None:
    def cannot() -> None:
        raise ConfigError("network.tls: the key is not that of the certificate")

    refusing = Configurations(life.parts, life.path, {}, cannot)
    await refusing.take(validated({"gateway": {"contact": "second"}}))

    assert life.parts.settings.gateway.contact == "first"
    assert "the key is not that" in life.parts.rejected
    assert life.kinds() == ["configuration.refused"]


@pytest.mark.requirement("reload:both-triggers")
async def test_a_hangup_reads_the_file_even_if_it_did_not_change(life: Life) -> None:
    task = asyncio.ensure_future(life.configurations.on_hangup())
    for count in (1, 2):
        life.configurations.hang_up()
        async with asyncio.timeout(5):
            while len(life.kinds()) < count:
                await asyncio.sleep(0.01)
    task.cancel()

    assert life.kinds() == ["configuration.applied"] * 2
    assert life.renewed == 2


@pytest.mark.requirement("reload:both-triggers")
async def test_what_was_read_already_is_not_read_again(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal and the change that it is about are one reload."""
    monkeypatch.setattr(sources, "LOOK_EVERY", 30)
    following = asyncio.ensure_future(life.configurations.follow())
    life.path.write_text('[gateway]\ncontact = "second"\n')
    await life.configurations.reload()
    await asyncio.sleep(0.5)
    quiet = life.kinds()
    life.path.write_text("[")
    async with asyncio.timeout(5):
        while len(life.kinds()) < 2:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.5)
    following.cancel()

    assert quiet == ["configuration.applied"]
    assert life.kinds() == ["configuration.applied", "configuration.refused"]


async def test_configurations_are_taken_one_after_the_other(life: Life) -> None:
    def contact(name: str) -> Settings:
        return validated({"gateway": {"contact": name}, "servers": {"orders": ORDERS}})

    await asyncio.gather(*(life.configurations.take(contact(f"c{n}")) for n in range(5)))

    assert life.parts.settings.gateway.contact == "c4"
    assert life.kinds() == ["configuration.applied"] * 5
    assert set(life.parts.snapshots.running) == {"orders"}


async def test_what_goes_on_beside_the_calls_begins_and_ends_with_the_gateway(
    life: Life,
) -> None:
    life.parts.settings = validated({"ledger": {"checkpoint_every": 0.01}})
    lifecycle.begin(life.parts)
    log = life.parts.log.folder
    async with asyncio.timeout(5):
        while not (log / files.CHECKPOINT).exists():
            await asyncio.sleep(0.01)
    running = set(life.parts.jobs._tasks)

    await life.parts.jobs.aclose()
    assert running == {
        "revocations",
        "questions",
        "changed lists",
        "open streams",
        "checkpoints",
        "failed authentication",
        *life.parts.wired.jobs,
    }
    assert life.parts.jobs._tasks == {}
