"""`keys`, `servers`, `access`: operations, over the admin API of a running gateway."""

import json
import time
from collections.abc import Mapping
from typing import Any

import click
import httpx2

from mcp_gateway.cli.plain import plain

url_option = click.option(
    "--url",
    default="http://127.0.0.1:8080",
    show_default=True,
    envvar="MCP_GATEWAY_URL",
    show_envvar=True,
)
key_option = click.option(
    "--key",
    required=True,
    envvar="MCP_GATEWAY_KEY",
    show_envvar=True,
    help="an administrator's API key",
)


@click.group()
def keys() -> None:
    """Create, list and revoke API keys."""


@keys.command("create")
@url_option
@key_option
@click.option("--subject", required=True, help="whom the key stands for")
@click.option("--role", "roles", multiple=True, default=("user",), show_default=True)
@click.option("--scope", "scopes", multiple=True)
@click.option("--client", default="", help="the program that will use it")
@click.option("--mode", default="unknown", show_default=True)
@click.option("--days", default=90, show_default=True, help="0 is for ever")
def create_key(url: str, key: str, **asked: Any) -> None:
    """Create a key and print it, this once."""
    asked["roles"], asked["scopes"] = list(asked["roles"]), list(asked["scopes"])
    made = ask(url, key, "POST", "/keys", asked)
    click.echo(made["key"])
    click.echo(f"id {made['id']}; it cannot be shown again", err=True)


@keys.command("list")
@url_option
@key_option
def list_keys(url: str, key: str) -> None:
    """List the keys, the ended ones too."""
    for found in ask(url, key, "GET", "/keys"):
        state = _state(found)
        roles = ",".join(found["roles"])
        whose = f"{found['subject']:20} {roles:20} {found['client']}"
        click.echo(plain(f"{found['id']}  {state:8} {whose}"))


@keys.command("revoke")
@url_option
@key_option
@click.argument("key_id")
def revoke_key(url: str, key: str, key_id: str) -> None:
    """End a key, within a second."""
    ask(url, key, "POST", "/keys/revoke", {"id": key_id})
    click.echo(f"revoked {key_id}")


@click.group()
def servers() -> None:
    """See the upstreams, and accept changed definitions."""


@servers.command("list")
@url_option
@key_option
def list_servers(url: str, key: str) -> None:
    """List the upstreams, what is wrong with them, and what is held back."""
    for found in ask(url, key, "GET", "/servers"):
        state = found["trouble"] or f"{found['served']} definitions served"
        click.echo(plain(f"{found['name']:16} {found['connector']:12} {state}"))
        if found["labels"]:
            click.echo(plain(f"  labels: {', '.join(found['labels'])}"))
        for target, reason in found["held"].items():
            click.echo(plain(f"  held back: {target}: {reason}"))


@servers.command("diff")
@url_option
@key_option
@click.argument("server", default="")
def differences(url: str, key: str, server: str) -> None:
    """Show what SERVER, or every one, lists otherwise than it was approved."""
    for found in ask(url, key, "POST", "/servers/diff", {"server": server}):
        era = f" ({found['era']} era)" if found["era"] else ""
        click.echo(plain(f"{found['target']}: {found['state']}{era}"))
        for line in found["diff"]:
            click.echo(plain(f"  {line}"))


@servers.command("accept")
@url_option
@key_option
@click.argument("server")
@click.argument("name", default="")
def accept(url: str, key: str, server: str, name: str) -> None:
    """Take what is held back of SERVER as reviewed: NAME, or all of it."""
    asked = {"server": server, "name": name}
    for target in ask(url, key, "POST", "/servers/accept", asked)["accepted"]:
        click.echo(plain(f"accepted {target}"))


@click.group()
def access() -> None:
    """See who asked for access."""


@access.command("list")
@url_option
@key_option
def list_access(url: str, key: str) -> None:
    """List the open requests."""
    for found in ask(url, key, "GET", "/access"):
        click.echo(
            plain(f"{found['id']}  {found['identity']}  {found['target']}  {found['reason']}")
        )


def _state(key: Mapping[str, Any]) -> str:
    if key["revoked"]:
        return "revoked"
    return "expired" if 0 < key["expires"] < time.time() else "valid"


def ask(url: str, key: str, method: str, path: str, body: Any = None) -> Any:
    """The answer. A refusal ends the command with its words."""
    headers = {"authorization": f"Bearer {key}"}
    try:
        answer = httpx2.request(
            method, f"{url.rstrip('/')}/admin{path}", headers=headers, json=body, timeout=30
        )
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise click.ClickException(plain(f"no gateway answers at {url}: {error}")) from None
    except UnicodeError:
        raise click.ClickException("the key holds what no key holds") from None
    try:
        content = answer.json()
    except json.JSONDecodeError:
        raise click.ClickException(f"{url} answered {answer.status_code} and no JSON") from None
    if answer.status_code >= 400:
        said = content.get("error", content) if isinstance(content, dict) else content
        raise click.ClickException(plain(str(said)))
    return content
