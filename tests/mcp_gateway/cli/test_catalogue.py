import json
import tomllib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from connectors.entries import names
from mcp_gateway.config import validated
from tests.mcp_gateway.cli.conftest import run

SERVER: dict[str, Any] = {
    "name": "com.example/order_desk",
    "title": 'The "desk"',
    "description": "Orders.",
    "version": "1.0.0",
    "remotes": [
        {
            "type": "streamable-http",
            "url": "https://{tenant}.example.com/mcp",
            "variables": {"tenant": {"description": "Yours"}},
            "headers": [
                {"name": "X-API-Key", "isSecret": True, "isRequired": True},
                {"name": "X-Region"},
            ],
        }
    ],
}


def imported(folder: Path, *words: str, **changes: Any) -> Result:
    file = folder / "server.json"
    file.write_text(json.dumps({**SERVER, **changes}), "utf-8")
    return run("servers", "import", str(file), *words)


def remotes(**changes: Any) -> dict[str, Any]:
    return {"remotes": [{**SERVER["remotes"][0], **changes}]}


@pytest.mark.requirement("catalogue:governance-view")
def test_the_catalogue_is_listed_with_what_is_known_of_each_entry() -> None:
    said = run("servers", "catalogue").output

    for name in names():
        assert f"\ncatalog:{name} " in f"\n{said}"
    for word in ("operator", "region", "retention", "data classes", "terms", "not verified"):
        assert said.count(f"\n  {word}") == len(names())
    assert "\n  operator      GitHub\n  region        not known\n" in said


@pytest.mark.requirement("registry:import")
def test_what_is_imported_is_a_section_that_can_be_served(tmp_path: Path) -> None:
    said = imported(tmp_path, "--variable", "tenant=acme").output

    (server,) = validated(tomllib.loads(said)).servers.values()
    assert list(tomllib.loads(said)["servers"]) == ["order-desk"]
    assert (server.connector, server.own()) == ("mcp_http", {"url": "https://acme.example.com/mcp"})
    assert (server.grant.kind, server.grant.header, server.grant.prefix) == (
        "static",
        "X-API-Key",
        "",
    )
    assert "# It also asks for the header X-Region" in said


@pytest.mark.parametrize(
    ("value", "prefix"), [("Bearer {token}", "Bearer "), ("{token}", ""), ("", "")]
)
def test_a_header_that_begins_with_a_word_keeps_it(tmp_path: Path, value: str, prefix: str) -> None:
    header = {"name": "Authorization", "isSecret": True, "value": value}
    said = imported(tmp_path, **remotes(url="https://a.example/mcp", headers=[header]))

    grant = tomllib.loads(said.output)["servers"]["order-desk"]["grant"]
    assert grant["prefix"] == prefix


def test_a_name_that_is_the_gateways_own_is_another_one(tmp_path: Path) -> None:
    plain = remotes(url="https://a.example/mcp")
    for name, key in (("a/gateway", "imported"), ("a/...", "imported"), ("a/b.c", "b-c")):
        said = imported(tmp_path, name=name, **plain).output
        assert list(tomllib.loads(said)["servers"]) == [key]


@pytest.mark.parametrize(
    ("words", "changes", "said"),
    [
        ((), {}, "give --variable tenant="),
        (("--variable", "tenant"), {}, "NAME=VALUE"),
        (("--variable", "host=a"), {}, "no variable 'host'"),
        (("--variable", "tenant=evil.example/"), {}, "the variable tenant is"),
        ((), {"remotes": []}, "it has no remote"),
        ((), {"name": "x"}, "name: "),
        (
            (),
            remotes(url="https://a.example/", headers=[{"name": "A", "isSecret": True}] * 2),
            "several",
        ),
    ],
)
def test_what_cannot_be_imported_says_why(
    tmp_path: Path, words: tuple[str, ...], changes: dict[str, Any], said: str
) -> None:
    result = imported(tmp_path, *words, **changes)

    assert result.exit_code == 1
    assert said in result.output


def test_check_says_of_each_server_of_the_catalogue_whether_it_was_tried(tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text('[servers.n]\nconnector = "catalog:notion"\n')

    said = run("check", "--config", str(config), "--data", str(tmp_path)).output

    assert "servers.n: catalog:notion is not verified: nobody tried it, its facts are from " in said


async def test_labels_are_shown_with_their_server(
    admin: Callable[..., Awaitable[Result]], gateway: Any
) -> None:
    before = gateway.parts.settings
    orders = before.servers["orders"]
    governed = orders.model_copy(
        update={"governance": orders.governance.model_copy(update={"region": "EU"})}
    )
    await gateway.take(
        before.model_copy(update={"servers": {**before.servers, "orders": governed}})
    )
    said = (await admin("servers", "list")).output
    await gateway.take(before)

    assert "  labels: region:eu\n" in said
