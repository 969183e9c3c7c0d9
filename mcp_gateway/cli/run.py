"""`serve` and `init`: the gateway in the foreground, and what it needs to begin."""

import asyncio
import gc
import os
import signal
import time
from pathlib import Path

import click
import uvloop

from mcp_gateway import app, lifecycle
from mcp_gateway.cli.options import data_option
from mcp_gateway.cli.welcome import welcome
from mcp_gateway.config import Settings, load
from mcp_gateway.core.entry import Entry
from mcp_gateway.core.ports import Ledger
from mcp_gateway.core.principal import Principal
from mcp_gateway.home import Home
from mcp_gateway.ledger.append import Log
from mcp_gateway.ledger.commitment import Commitments
from mcp_gateway.ledger.folder import open_log
from mcp_gateway.parts import close
from mcp_gateway.services import sources
from mcp_gateway.serving import Server
from mcp_gateway.store.database import Database
from mcp_gateway.store.keys import LOCAL, Keys
from mcp_gateway.telemetry import logs

ADMIN = "admin"
ROLES = frozenset({"admin", "user"})


@click.command()
@data_option
@click.option("--config", type=click.Path(path_type=Path), help="default: gateway.toml in --data")
@click.option("--samples", type=click.Path(path_type=Path), help="folder of the sample upstreams")
def serve(data: Path, config: Path | None, samples: Path | None) -> None:
    """Run the gateway. The first time, generate what is missing and print how to connect."""
    home = Home(data)
    home.prepare()
    home.write_defaults(samples)
    path = config or home.config
    settings, seen = sources.read(path)
    logs.configure(settings.telemetry.log_level, settings.telemetry.log_format)
    uvloop.run(_serve(home, path, settings, seen))


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
    key = asyncio.run(_registered(home, settings, reset=reset_admin))
    if not reset_admin:
        click.echo(f"The configuration is {home.config}.")
    click.echo(key or "There is a key already: --reset-admin makes another one.")


async def _serve(home: Home, path: Path, settings: Settings, seen: sources.Contents) -> None:
    parts = await app.build(settings, home, path.parent)

    async def listening() -> None:
        key = await _first_key(parts.log, parts.database, settings.gateway.tenant)
        await parts.keyring.refresh()
        click.echo(welcome(home, path, settings, key))

    try:
        server = Server(parts, listening)
        configurations = lifecycle.Configurations(parts, path, seen, server.renew_certificate)
        lifecycle.begin(parts)
        parts.jobs.start("watching the configuration", configurations.follow)
        parts.jobs.start("signals", configurations.on_hangup)
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, configurations.hang_up)
        _settle_memory()
        await server.serve_until_told()
    finally:
        await close(parts)


def _settle_memory() -> None:
    """What start-up made lives for ever: the collector need not look at it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


async def _registered(home: Home, settings: Settings, *, reset: bool) -> str:
    """The text of a new key of the administrator; empty when there is one and none was asked."""
    tenant, database = settings.gateway.tenant, Database.open(home.database)
    try:
        if not reset and Keys(database).list(tenant):
            return ""
        log = await _log(home)
        try:
            return await (_reset if reset else _first_key)(log, database, tenant)
        finally:
            await log.aclose()
    finally:
        database.close()


async def _first_key(ledger: Ledger, database: Database, tenant: str) -> str:
    """A key for the first administrator, when there is no key at all; else nothing."""
    keys = Keys(database)
    if await asyncio.to_thread(keys.list, tenant):
        return ""
    await ledger.append(Entry("key.first", body=_about()))
    return (await asyncio.to_thread(keys.create, _administrator(tenant), int(time.time())))[1]


async def _reset(ledger: Ledger, database: Database, tenant: str) -> str:
    """A new key for the administrator; in the ledger before it is worth anything."""
    await ledger.append(Entry("key.reset", body=_about()))
    keys, now = Keys(database), int(time.time())
    await asyncio.to_thread(keys.revoke_subject, ADMIN, tenant, now)
    return (await asyncio.to_thread(keys.create, _administrator(tenant), now))[1]


async def _log(home: Home) -> Log:
    """A log of this process, beside the one of a gateway that may be running."""
    commitments = Commitments(home.commitment_secret())
    return await open_log(home.ledger, home.installation(), home.signing_key(), commitments)


def _about() -> dict[str, str | int]:
    return {"subject": ADMIN, "issuer": LOCAL, "uid": os.getuid()}


def _administrator(tenant: str) -> Principal:
    return Principal(LOCAL, ADMIN, tenant, roles=ROLES)
