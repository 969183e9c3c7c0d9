"""`clients`: what makes a runtime reach the gateway, and which programs did."""

import json
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import click

from mcp_gateway.cli import snippets
from mcp_gateway.cli.admin import ask, key_option, url_option
from mcp_gateway.cli.managed import MANAGED, Gateway, ManagedFile
from mcp_gateway.cli.plain import plain
from mcp_gateway.wire.url import parse

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _base(_: click.Context, __: click.Parameter, url: str) -> str:
    try:
        path = parse(url).path
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    if path != "/" or "#" in url:
        raise click.BadParameter("the gateway's own URL is wanted, without a path behind it")
    return url.rstrip("/")


def _variable(_: click.Context, __: click.Parameter, name: str) -> str:
    if name and not _VARIABLE.fullmatch(name):
        raise click.BadParameter(f"{name!r} is no name of a variable")
    return name


@click.group()
def clients() -> None:
    """Configure runtimes for the gateway; see and end the programs that people let in."""


@clients.command("export")
@click.argument("client", type=click.Choice(list(MANAGED)))
@click.option(
    "--url",
    required=True,
    callback=_base,
    envvar="MCP_GATEWAY_URL",
    show_envvar=True,
    help="the URL that people know the gateway by",
)
@click.option(
    "--key-variable",
    default="",
    callback=_variable,
    help="the environment variable with a person's key; without it people log in with a browser",
)
@click.option("--snippet", is_flag=True, help="what one person pastes, which holds nobody to it")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="the folder to write the files into, instead of showing them",
)
def export(client: str, url: str, key_variable: str, out: Path | None, *, snippet: bool) -> None:
    """Write the managed configuration of a client, and say what of it the client enforces."""
    gateway = Gateway(url, key_variable)
    if snippet and out:
        raise click.UsageError("a snippet is shown, not written: leave --out away")
    if snippet:
        click.echo(SNIPPETS[client](gateway))
        return
    for file in MANAGED[client](gateway):
        _give(file, out)


@clients.command("list")
@url_option
@key_option
def list_clients(url: str, key: str) -> None:
    """List the programs that may ask for tokens: how they are known, and where answers go."""
    for found in ask(url, key, "GET", "/clients"):
        state = "revoked" if found["revoked"] else _since(found["used"])
        hosts = ", ".join(found["redirect_hosts"]) or "-"
        known = f"{found['kind']:10} {state:10} {found['id']}"
        click.echo(plain(f"{known}  {found['name'] or '-'}  to {hosts}"))


def _since(used: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(used)) if used else "-"


@clients.command("revoke")
@url_option
@key_option
@click.argument("client_id")
@click.option("--reason", default="an administrator revoked it", help="for the record")
def revoke_client(url: str, key: str, client_id: str, reason: str) -> None:
    """End a program with all that it was given, within a second, until `tokens restore`.

    One that registered itself has to register again then.
    """
    ended = ask(url, key, "POST", "/clients/revoke", {"id": client_id, "reason": reason})
    click.echo(plain(f"revoked {ended['id']}"))


def _give(file: ManagedFile, out: Path | None) -> None:
    if out:
        out.mkdir(parents=True, exist_ok=True)
        (out / file.name).write_text(file.content, "utf-8")
    held = "enforced" if file.enforced else "suggested"
    click.echo(f"{file.name} ({held}): {file.says}.\n  goes to {file.place}", err=not out)
    if not out:
        click.echo(file.content)


SNIPPETS: Final[Mapping[str, Callable[[Gateway], str]]] = {
    "claude": lambda at: snippets.claude(at.endpoint, f"${at.variable}" if at.variable else ""),
    "codex": lambda at: snippets.codex(at.endpoint, at.variable),
    "vscode": lambda at: json.dumps(snippets.vscode(at.endpoint, key=bool(at.variable)), indent=2),
    "cursor": lambda at: json.dumps(
        snippets.cursor(at.endpoint, f"${{env:{at.variable}}}" if at.variable else ""), indent=2
    ),
}
