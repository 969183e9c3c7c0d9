"""`verify` and `audit`: the ledger, proved and read, with nothing but its files."""

import json
import time
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from mcp_gateway.cli.following import Following
from mcp_gateway.cli.options import data_option
from mcp_gateway.cli.plain import plain
from mcp_gateway.ledger import files, reader
from mcp_gateway.ledger.note import NoteError, parse_verifier
from mcp_gateway.ledger.verify import CANNOT_KNOW, Report
from mcp_gateway.ledger.verify import verify as verified

FOLLOW_PAUSE = 0.5
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@click.command()
@click.argument("ledger", type=click.Path(path_type=Path), default=Path("var/ledger"))
@click.option("--key", "keys", type=click.Path(exists=True, path_type=Path), help="verifier keys")
def verify(ledger: Path, keys: Path | None) -> None:
    """Check the ledger in the folder LEDGER, offline. Exit 0 intact, 1 damaged, 2 no ledger.

    --key names a file of verifier lines kept elsewhere, which count instead of those beside the
    logs.
    """
    try:
        reports = verified(ledger, _keys(keys))
    except FileNotFoundError as error:
        raise click.UsageError(str(error)) from None
    for report in reports:
        _show(report)
    click.echo("What this cannot show:")
    for limit in CANNOT_KNOW:
        click.echo(f"  {limit}")
    if any(report.damage for report in reports):
        raise SystemExit(1)


@click.group()
def audit() -> None:
    """Read the ledger."""


@audit.command()
@data_option
@click.option("-n", "count", default=20, show_default=True)
@click.option("--follow", is_flag=True, help="go on as entries come")
@click.option("--json", "as_json", is_flag=True)
def tail(data: Path, count: int, *, follow: bool, as_json: bool) -> None:
    """Show the last entries."""
    ledger = _there(data)
    following = Following(ledger)
    for line in deque(following.fresh(), maxlen=count):
        _print(line, as_json=as_json)
    while follow:
        time.sleep(FOLLOW_PAUSE)
        for line in following.fresh():
            _print(line, as_json=as_json)


@audit.command()
@data_option
@click.option("--call", help="a call id")
@click.option("--principal", help="part of a subject")
@click.option("--target", help="part of kind/server/name")
@click.option("--outcome", help="ok, error, forbidden, throttled, …")
@click.option("--rule", help="the rule that decided")
@click.option("--since", default="", help="an ISO time, or 30m, 12h, 7d")
@click.option("--json", "as_json", is_flag=True)
def search(data: Path, since: str, *, as_json: bool, **asked: str | None) -> None:
    """Show the entries that fit every option."""
    if principal := asked.pop("principal", None):
        asked["subject"] = principal
    wanted = {field: text for field, text in asked.items() if text}
    for line in reader.matching(_there(data), wanted, _since(since)):
        _print(line, as_json=as_json)


@audit.command()
@data_option
@click.argument("call")
def show(data: Path, call: str) -> None:
    """Show every entry of one CALL, whole. Exit 1 when there is none."""
    found = reader.of_call(_there(data), call)
    if not found:
        raise click.ClickException(f"the ledger has no call {call!r}")
    for line in found:
        click.echo(json.dumps(line, indent=2, sort_keys=True, ensure_ascii=False))


def _there(data: Path) -> Path:
    """The ledger of a data folder. What is not there must not look like one that is empty."""
    ledger = data / "ledger"
    if not files.logs(ledger):
        raise click.UsageError(f"{ledger} holds no log")
    return ledger


def _keys(path: Path | None) -> dict[str, str] | None:
    if path is None:
        return None
    lines = [line for line in path.read_text("utf-8").splitlines() if line.strip()]
    try:
        return {parse_verifier(line)[0]: line.strip() for line in lines}
    except NoteError as error:
        raise click.UsageError(f"{path}: {error}") from None


def _show(report: Report) -> None:
    state = "DAMAGED" if report.damage else "intact"
    click.echo(
        f"{report.log}: {state}: {report.entries} entries, {report.signed} of them under "
        f"{report.checkpoints} checkpoints"
    )
    for line in [*report.damage, *report.notes]:
        click.echo(f"  {line}")


def _print(line: reader.Line, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(line, sort_keys=True, ensure_ascii=False))
        return
    click.echo(plain("  ".join(_columns(line))))


def _columns(line: reader.Line) -> Iterator[str]:
    moment = datetime.fromtimestamp(line["time"] / 1e6, UTC)
    yield moment.strftime("%Y-%m-%d %H:%M:%S")
    yield f"{line.get('outcome', line['kind']):18}"
    yield f"{line.get('subject', '-'):12}"
    yield _what(line)
    if "rule" in line:
        yield f"rule {line['rule']}"
    if "micros" in line:
        yield f"{line['micros'] / 1000:.1f} ms"
    if "call" in line:
        yield line["call"]


def _what(line: reader.Line) -> str:
    """The method and target of a call; of an event, what it says in clear."""
    if "method" in line:
        return f"{line['method']} {line.get('target', '')}"
    plain = {"v", "log", "index", "time", "kind", "call", "commit", "subject"}
    rest: dict[str, Any] = {key: value for key, value in line.items() if key not in plain}
    return json.dumps(rest, sort_keys=True, ensure_ascii=False) if rest else ""


def _since(text: str) -> int:
    """Microseconds of Unix time. Raises click.UsageError."""
    if not text:
        return 0
    if text[:-1].isdigit() and text[-1] in _UNITS:
        moment = datetime.now(UTC) - timedelta(**{_UNITS[text[-1]]: int(text[:-1])})
        return int(moment.timestamp() * 1e6)
    try:
        moment = datetime.fromisoformat(text)
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1e6)
    except ValueError:
        raise click.UsageError(f"{text!r} is no time: write 2026-11-24T10:00, 30m, 12h") from None
