"""`servers catalogue` and `servers import`: what is known of vendors' servers, and of others'."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import click

from connectors import entries, templates
from connectors.entries import KINDS, Entry
from connectors.server_json import Header, Remote, ServerJson, read
from mcp_gateway.cli.plain import plain
from mcp_gateway.core.snapshot import GATEWAY

UNKNOWN: Final = "not known"
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


@click.command("catalogue")
def catalogue() -> None:
    """List the servers of the catalogue: who operates each, where, and what becomes of data."""
    for name in entries.names():
        for line in described(entries.entry(name)):
            click.echo(plain(line))


def described(entry: Entry) -> Iterator[str]:
    """Some lines for people."""
    about = entry.about
    yield f"catalog:{entry.name:12} {entry.server.title or entry.name}"
    yield f"  url           {entry.remote.url}"
    client = {"manual": "; register a client there first"}.get(about.auth.registration, "")
    yield f"  grant         {about.auth.kind}{client}"
    yield f"  operator      {about.operator or UNKNOWN}"
    yield f"  region        {about.region or UNKNOWN}"
    yield f"  retention     {about.retention or UNKNOWN}"
    yield f"  data classes  {', '.join(about.data_classes) or UNKNOWN}"
    yield f"  terms         {about.terms or UNKNOWN}"
    yield f"  {entry.standing}"


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--variable", "given", multiple=True, help="NAME=VALUE, for the URL")
def import_(file: Path, given: tuple[str, ...]) -> None:
    """Print the section that the server of FILE (a server.json) would have. Nothing is changed."""
    try:
        server = read(file.read_bytes())
        click.echo("\n".join(section(server, _values(given))))
    except ValueError as error:
        raise click.ClickException(plain(f"{file}: {error}")) from None


def section(server: ServerJson, values: Mapping[str, str]) -> Iterator[str]:
    """The lines of a section. What asks to be started is not: commands are written by hand.

    Raises ValueError for a server that cannot be reached, or must not be reached like this.
    """
    if not server.remotes:
        raise ValueError("it has no remote; a package is started by a command of yours, if at all")
    remote = server.remotes[0]
    url = templates.public(templates.fill(remote.url, _filled(remote, values)))
    yield f"# {server.title or server.name}, {server.version}: {server.description}"
    yield f"[servers.{_key(server.name)}]"
    yield f"connector = {_text(KINDS[remote.type])}"
    yield f"url = {_text(url)}"
    yield from _grant([header for header in remote.headers if header.is_secret])
    for header in remote.headers:
        if not header.is_secret:
            yield f"# It also asks for the header {header.name}, which no connector sends."


def _values(given: tuple[str, ...]) -> dict[str, str]:
    """Raises ValueError for what is no pair."""
    if any("=" not in pair for pair in given):
        raise ValueError("a variable is given as NAME=VALUE")
    return dict(pair.split("=", 1) for pair in given)


def _filled(remote: Remote, values: Mapping[str, str]) -> Mapping[str, str]:
    """Raises ValueError for a variable that is missing, or is none of the server's."""
    needed = templates.variables_of(remote.url)
    if unknown := sorted(values.keys() - set(needed)):
        raise ValueError(f"its url has no variable {unknown[0]!r}")
    found = {name: values.get(name) or remote.variables[name].default for name in needed}
    if missing := [name for name in needed if not found[name]]:
        asked = " ".join(f"--variable {name}=…" for name in missing)
        raise ValueError(f"its url has variables: give {asked}")
    return found


def _grant(secret: list[Header]) -> Iterator[str]:
    """One secret header is a credential; with several nobody can say which one it is."""
    if len(secret) > 1:
        raise ValueError("it asks for several secret headers, and a grant shows one")
    for header in secret:
        bearer = header.value.startswith("Bearer ")
        shown = f'header = {_text(header.name)}, prefix = "{"Bearer " if bearer else ""}"'
        yield f'grant = {{ kind = "static", per_user = true, {shown} }}'


def _key(name: str) -> str:
    """The name here: what stands behind the slash, of letters, digits and hyphens."""
    key = "-".join(_BARE.findall(name.rpartition("/")[2].replace("_", "-"))).strip("-")
    return key if key not in ("", GATEWAY) else "imported"


def _text(text: str) -> str:
    """A string of TOML; all that is printable is written as it is."""
    return json.dumps(text, ensure_ascii=False)
