"""`tokens`: takes back what was issued, over the admin API of a running gateway."""

import time
from typing import Any

import click

from mcp_gateway.cli.admin import ask, key_option, url_option
from mcp_gateway.cli.plain import plain


@click.group()
def tokens() -> None:
    """Revoke tokens before they expire, and see what is revoked."""


@tokens.command("revoke")
@url_option
@key_option
@click.option("--token", "token", type=click.File("r"), help="a file with the token; - reads it")
@click.option("--jti", default="", help="one token, as issuer|jti")
@click.option("--subject", default="", help="everything of a subject, or issuer|subject")
@click.option("--client", default="", help="everything that a program was given")
@click.option("--key-id", "revoked_key", default="", help="one API key")
@click.option("--family", default="", help="everything that came of one log-in")
@click.option("--for-good", is_flag=True, help="what is issued later too, until it is restored")
@click.option("--reason", default="", help="for the record")
def revoke(url: str, key: str, token: Any, jti: str, revoked_key: str, **asked: Any) -> None:
    """End what goes by ONE of these names, within a second, with all that it opened."""
    named = token.read().strip() if token else jti
    body = {**asked, "token": named, "key": revoked_key}
    click.echo(plain(f"revoked {ask(url, key, 'POST', '/tokens/revoke', body)['revoked']}"))


@tokens.command("revoked")
@url_option
@key_option
def revoked(url: str, key: str) -> None:
    """List what is revoked, beside API keys."""
    for found in ask(url, key, "GET", "/tokens/revoked"):
        click.echo(plain(f"{found['name']}  {_until(found)}  {found['reason']}".rstrip()))


@tokens.command("restore")
@url_option
@key_option
@click.argument("name")
def restore(url: str, key: str, name: str) -> None:
    """Take the revocation of NAME back."""
    click.echo(
        plain(f"restored {ask(url, key, 'POST', '/tokens/restore', {'name': name})['restored']}")
    )


def _until(found: dict[str, Any]) -> str:
    if found["before"]:
        return f"all that was issued by {_time(found['before'])}"
    return f"until {_time(found['ends'])}" if found["ends"] else "for good"


def _time(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
