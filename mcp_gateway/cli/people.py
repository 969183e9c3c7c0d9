"""`people`: who logs in, over the admin API of a running gateway."""

import sys
from typing import Any

import click

from mcp_gateway.cli.admin import ask, key_option, url_option
from mcp_gateway.cli.plain import plain
from mcp_gateway.services.passwords import hashed


def _from_stdin(_: click.Context, __: click.Parameter, stdin: bool) -> str:  # noqa: FBT001  # click's
    """The hash of a password that is asked for twice, or is the first line of standard input.

    It stands in no list of processes, and the gateway is told its hash alone.
    """
    if stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    try:
        return hashed(password)
    except ValueError as error:
        raise click.ClickException(str(error)) from None


password_option = click.option(
    "--password-stdin",
    "password",
    is_flag=True,
    callback=_from_stdin,
    help="read the password from standard input instead of asking for it",
)


@click.group()
def people() -> None:
    """Let people log in with a password, and end what they have."""


@people.command("add")
@url_option
@key_option
@click.argument("name")
@click.option("--role", "roles", multiple=True, default=("user",), show_default=True)
@password_option
def add(url: str, key: str, **asked: Any) -> None:
    """Add NAME, who logs in with a password and is the same person as their API keys."""
    asked["roles"] = list(asked["roles"])
    made = ask(url, key, "POST", "/people", asked)
    click.echo(plain(f"added {made['name']} ({', '.join(made['roles'])})"))


@people.command("list")
@url_option
@key_option
def list_(url: str, key: str) -> None:
    """List who may log in, and who logged in at a provider."""
    for found in ask(url, key, "GET", "/people"):
        state = "disabled" if found["disabled"] else "enabled"
        whose = "" if found["issuer"] == "local" else f"{found['issuer']}|"
        roles = ",".join(found["roles"])
        named = f"{whose}{found['subject']:20} {state:8} {roles:20} {found['name']}"
        click.echo(plain(named.rstrip()))


@people.command("disable")
@url_option
@key_option
@click.argument("name")
def disable(url: str, key: str, name: str) -> None:
    """Keep NAME from logging in, and end their log-ins, tokens and API keys within a second."""
    ask(url, key, "POST", "/people/disable", {"name": name})
    click.echo(plain(f"disabled {name}"))


@people.command("enable")
@url_option
@key_option
@click.argument("name")
def enable(url: str, key: str, name: str) -> None:
    """Let NAME log in again. What was ended stays ended."""
    ask(url, key, "POST", "/people/enable", {"name": name})
    click.echo(plain(f"enabled {name}"))


@people.command("password")
@url_option
@key_option
@click.argument("name")
@password_option
def password_(url: str, key: str, **asked: Any) -> None:
    """Give NAME another password, and end what was begun with the one before."""
    ask(url, key, "POST", "/people/password", asked)
    click.echo(plain(f"{asked['name']} has another password"))


@people.command("remove")
@url_option
@key_option
@click.argument("name")
def remove(url: str, key: str, name: str) -> None:
    """Forget NAME, with all that they have here and all that they connected."""
    ask(url, key, "POST", "/people/remove", {"name": name})
    click.echo(plain(f"removed {name}"))
