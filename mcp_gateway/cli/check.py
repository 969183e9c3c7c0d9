"""`check` and `explain`: what a configuration would do, without serving anything."""

from collections.abc import Iterator
from pathlib import Path

import click

from connectors.entries import entry
from mcp_gateway.cli.options import data_option
from mcp_gateway.config import ConfigError, Secret, Settings, load
from mcp_gateway.config.catalogued import CATALOG
from mcp_gateway.core.principal import Principal
from mcp_gateway.home import CONFIG, Home
from mcp_gateway.services.compiled import compile_policy, compiled
from mcp_gateway.services.issuer import unheard
from mcp_gateway.store.database import Database
from mcp_gateway.store.keys import LOCAL, Keys
from policies import explain as explained
from policies import parse_target


def _loaded(data: Path, config: Path | None) -> tuple[Settings, Path]:
    """The settings, and the folder that its paths are relative to."""
    path = config or (data / CONFIG if (data / CONFIG).exists() else None)
    return load(path), (path.parent if path else data)


@click.command()
@data_option
@click.option("--config", type=click.Path(exists=True, path_type=Path))
def check(data: Path, config: Path | None) -> None:
    """Read everything and run the policy's suites. Exit 1 with every reason that speaks against."""
    settings, base = _loaded(data, config)
    engine = compiled(settings, base).engine
    for warning in [*engine.warnings, *_unreadable(settings), *_unheard(settings)]:
        click.echo(f"warning: {warning}")
    for said in _catalogued(settings):
        click.echo(said)
    rules, servers = len(engine.rules.rules), len(settings.servers)
    click.echo(f"ok: {rules} rules ({engine.digest}), {servers} servers")


def _unreadable(settings: Settings) -> Iterator[str]:
    """Secrets may be where the gateway runs and not here: no fault, and worth knowing."""
    for name, reference in _secrets(settings):
        try:
            if reference:
                reference.read()
        except ConfigError as error:
            yield f"{name}: {error}"


def _secrets(settings: Settings) -> Iterator[tuple[str, Secret | None]]:
    for name, server in settings.servers.items():
        for grant in filter(None, (server.grant, server.discovery_grant)):
            for secret in (grant.secret, grant.client_secret, grant.client_key):
                yield f"servers.{name}", secret
    yield "identity", settings.identity.client_secret
    login = settings.authorization.login
    yield "authorization.login", login.secret if login else None
    for name, program in settings.authorization.clients.items():
        yield f"authorization.clients.{name}", program.secret
    vault = settings.vault
    pin = vault.pkcs11.pin if vault.pkcs11 else None
    for secret in (vault.key, *vault.previous, pin):
        yield "vault", secret


def _catalogued(settings: Settings) -> Iterator[str]:
    """Of each server from the catalogue, whether anybody tried what stands there."""
    for name, server in settings.servers.items():
        if server.entry:
            yield f"servers.{name}: {CATALOG}{server.entry} is {entry(server.entry).standing}"


def _unheard(settings: Settings) -> Iterator[str]:
    """What cannot be revoked elsewhere in time."""
    for issuer, said in unheard(settings.identity).items():
        yield f"{issuer}: {said}"


@click.command()
@data_option
@click.option("--config", type=click.Path(exists=True, path_type=Path))
@click.option("--as", "subject", required=True, help="a subject, or issuer|subject")
@click.option("--role", "roles", multiple=True, help="a role that their token or key brings")
@click.argument("method")
@click.argument("target")
def explain(
    data: Path, config: Path | None, subject: str, roles: tuple[str, ...], method: str, target: str
) -> None:
    """Say which rule decides METHOD on TARGET (kind/server/name), and why. Exit 1 unless allowed.

    Without --role, the roles of one of the gateway's own are those of its keys in the store.
    """
    settings, base = _loaded(data, config)
    engine = compile_policy(settings, base)
    try:
        asked = parse_target(target)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    identity = settings.identity.aliases.get(subject, subject)
    issuer, name = _parted(identity)
    tenant = settings.gateway.tenant
    held = frozenset(roles) or (
        _roles(Home(data), name, tenant) if issuer == LOCAL else frozenset()
    )
    principal = Principal(issuer, name, tenant, roles=held)
    explanation = explained(engine, principal, asked, method)
    click.echo(str(explanation))
    if explanation.word != "ALLOW":
        raise SystemExit(1)


def _parted(identity: str) -> tuple[str, str]:
    """Issuer and subject; a bare name is a subject of the gateway's own keys."""
    if "|" not in identity:
        return LOCAL, identity
    issuer, _, name = identity.partition("|")
    return issuer, name


def _roles(home: Home, subject: str, tenant: str) -> frozenset[str]:
    if not home.database.exists():
        return frozenset()
    database = Database.open(home.database)
    try:
        keys = Keys(database).list(tenant)
        return frozenset(r for k in keys if k.subject == subject and not k.revoked for r in k.roles)
    finally:
        database.close()
