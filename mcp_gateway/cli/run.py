"""`serve` and `init`: the gateway in the foreground, and what it needs to begin."""

import asyncio
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import uvicorn
import uvloop
from watchfiles import Change, awatch

from mcp_gateway import app
from mcp_gateway.cli.options import data_option
from mcp_gateway.config import ConfigError, Settings, load
from mcp_gateway.core.entry import Entry
from mcp_gateway.core.principal import Principal
from mcp_gateway.home import Home
from mcp_gateway.ledger.commitment import Commitments
from mcp_gateway.ledger.folder import open_log
from mcp_gateway.store.database import Database
from mcp_gateway.store.keys import LOCAL, Keys

ADMIN = "admin"
ROLES = frozenset({"admin", "user"})


@click.command()
@data_option
@click.option("--config", type=click.Path(path_type=Path), help="default: gateway.toml in --data")
@click.option("--samples", type=click.Path(path_type=Path), help="folder of the sample upstreams")
def serve(data: Path, config: Path | None, samples: Path | None) -> None:
    """Run the gateway. The first time, generate what is missing and print how to connect."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("watchfiles").setLevel(logging.WARNING)
    home = Home(data)
    home.prepare()
    home.write_defaults(samples)
    path = config or home.config
    settings = load(path)
    key = _first_key(home, settings)
    click.echo(_welcome(home, settings, key))
    sys.stdout.flush()
    uvloop.run(_serve(settings, home, path))


@click.command()
@data_option
@click.option("--samples", type=click.Path(path_type=Path), help="folder of the sample upstreams")
@click.option("--reset-admin", is_flag=True, help="end every key of the administrator, print a new")
def init(data: Path, samples: Path | None, *, reset_admin: bool) -> None:
    """Write a configuration and register a first administrator."""
    home = Home(data)
    home.prepare()
    home.write_defaults(samples)
    settings = load(home.config)
    if reset_admin:
        click.echo(asyncio.run(_reset(home, settings)))
        return
    key = _first_key(home, settings)
    click.echo(f"The configuration is {home.config}.")
    click.echo(key or "There is a key already: --reset-admin makes another one.")


async def _serve(settings: Settings, home: Home, path: Path) -> None:
    parts = await app.build(settings, home)
    _settle_memory()
    server = Server(app.server(parts).config, parts)
    loop = asyncio.get_running_loop()
    hangup = asyncio.Event()
    loop.add_signal_handler(signal.SIGHUP, hangup.set)
    beside = [
        # Ended below, before what they use is closed.
        loop.create_task(app.background(parts)),
        loop.create_task(_watch(parts, path)),
        loop.create_task(_on_hangup(parts, path, hangup)),
    ]
    try:
        await server.serve()
    finally:
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        await app.close(parts)


def _settle_memory() -> None:
    """What start-up made lives for ever: the collector need not look at it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 20, 20)


class Server(uvicorn.Server):
    """Turns readiness red at the first signal; calls in flight get the grace time."""

    def __init__(self, config: uvicorn.Config, parts: app.Parts) -> None:
        super().__init__(config)
        self._parts = parts

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Takes the signals without raising them again at the end: the ledger is still open."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._leave, number)
        yield

    def _leave(self, number: signal.Signals) -> None:
        self._parts.draining = True
        self.handle_exit(number, None)


async def _watch(parts: app.Parts, path: Path) -> None:
    """Reads the configuration again when it, or a rules file beside it, changes."""

    def wanted(_: Change, name: str) -> bool:
        return name.endswith((path.name, ".csv"))

    async for _ in awatch(path.parent, watch_filter=wanted, recursive=False):
        await _reload(parts, path)


async def _on_hangup(parts: app.Parts, path: Path, hangup: asyncio.Event) -> None:
    while True:
        await hangup.wait()
        hangup.clear()
        await _reload(parts, path)


async def _reload(parts: app.Parts, path: Path) -> None:
    try:
        settings = await asyncio.to_thread(load, path)
    except ConfigError as error:
        await app.refuse(parts, str(error))
        return
    await app.reload(parts, settings)


def _first_key(home: Home, settings: Settings) -> str:
    """A key for the first administrator, when there is no key at all; else nothing."""
    database = Database.open(home.database)
    try:
        keys = Keys(database)
        if keys.list(settings.gateway.tenant):
            return ""
        return keys.create(_administrator(settings), int(time.time()))[1]
    finally:
        database.close()


def _administrator(settings: Settings) -> Principal:
    return Principal(LOCAL, ADMIN, settings.gateway.tenant, roles=ROLES)


async def _reset(home: Home, settings: Settings) -> str:
    """A new key for the administrator; in the ledger before it is worth anything."""
    log = await open_log(
        home.ledger,
        home.installation(),
        home.signing_key(),
        Commitments(home.commitment_secret()),
    )
    database = Database.open(home.database)
    try:
        body = {"subject": ADMIN, "issuer": LOCAL, "uid": os.getuid()}
        await log.append(Entry("key.reset", body=body))
        keys, now = Keys(database), int(time.time())
        keys.revoke_subject(ADMIN, settings.gateway.tenant, now)
        return keys.create(_administrator(settings), now)[1]
    finally:
        database.close()
        await log.aclose()


def _welcome(home: Home, settings: Settings, key: str) -> str:
    """What to paste where. The key is shown once."""
    url = f"{settings.gateway.public}/mcp"
    shown = key or "YOUR_KEY"
    lines = [f"MCP gateway   {url}", f"Ledger        {home.ledger}", f"Configuration {home.config}"]
    if key:
        lines += ["", "Your API key, shown this once:", f"  {key}"]
    else:
        lines += ["", "Keys are kept; `mcp-gateway init --reset-admin` replaces a lost one."]
    lines += [
        "",
        "Claude Code:",
        f'  claude mcp add --transport http gateway {url} -H "Authorization: Bearer {shown}"',
        "",
        "Cursor (~/.cursor/mcp.json):",
        f'  {{"mcpServers": {{"gateway": {{"url": "{url}",',
        f'    "headers": {{"Authorization": "Bearer {shown}"}}}}}}}}',
        "",
        "Codex:",
        f"  export MCP_GATEWAY_KEY={shown}",
        f"  codex mcp add gateway --url {url} --bearer-token-env-var MCP_GATEWAY_KEY",
        "",
    ]
    return "\n".join(lines)
