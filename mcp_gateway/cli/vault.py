"""`vault`: the keys that seal secrets, over the admin API of a running gateway."""

import click

from mcp_gateway.cli.admin import ask, key_option, url_option
from mcp_gateway.cli.plain import plain


@click.group()
def vault() -> None:
    """See which keys seal what is secret in the store, and seal it anew."""


@vault.command("keys")
@url_option
@key_option
def list_keys(url: str, key: str) -> None:
    """List the keys, and how many secrets each one wraps."""
    for found in ask(url, key, "GET", "/vault/keys"):
        state = "seals" if found["seals"] else ""
        click.echo(plain(f"{found['id']:20} {found['secrets']:8} {state}".rstrip()))


@vault.command("rewrap")
@url_option
@key_option
def rewrap(url: str, key: str) -> None:
    """Wrap all that other keys wrapped with the one that seals now, while calls go on."""
    made = ask(url, key, "POST", "/vault/rewrap", {})
    click.echo(plain(f"{made['count']} wrapped with {made['key']}"))
    if made["lost"]:
        raise click.ClickException(f"{made['lost']} do not open: the key that wrapped them is gone")
