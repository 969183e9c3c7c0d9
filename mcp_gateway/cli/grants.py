"""`grants`: what people connected, over the admin API of a running gateway."""

import time

import click

from mcp_gateway.cli.admin import ask, key_option, url_option
from mcp_gateway.cli.plain import plain


@click.group()
def grants() -> None:
    """See which upstreams people connected, and end a grant."""


@grants.command("list")
@url_option
@key_option
def list_grants(url: str, key: str) -> None:
    """List all grants: whose, of which server, whether they open it, since when, and used when."""
    for found in ask(url, key, "GET", "/grants"):
        whose = f"{found['issuer']}|{found['subject']}"
        used = _day(found["used"]) if found["used"] else "never"
        since = f"{_day(found['created'])}  used {used:10}"
        known = f"{found['id']}  {found['state']:10} {found['upstream']:16} {whose:30} {since}"
        click.echo(plain(f"{known}  {' '.join(found['scopes'])}".rstrip()))
        if found["reason"]:
            click.echo(plain(f"  {found['reason']}"))


def _day(moment: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(moment))


@grants.command("revoke")
@url_option
@key_option
@click.argument("grant_id")
@click.option("--reason", default="an administrator revoked it", help="for the record")
def revoke_grant(url: str, key: str, grant_id: str, reason: str) -> None:
    """End a grant, within a second, and at the server that issued it where that can be told."""
    asked = {"id": grant_id, "reason": reason}
    ended = ask(url, key, "POST", "/grants/revoke", asked)
    click.echo(plain(f"revoked {ended['id']} of {ended['server']}"))
