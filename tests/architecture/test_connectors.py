"""docs/connectors.md has every kind with its keys, and an example that works."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from connectors import CONNECTORS, entries
from mcp_gateway.config import Settings
from mcp_gateway.core.credential import NONE
from mcp_gateway.core.target import Target
from tests.architecture.documents import first_cells, inline, rows
from tests.support.calls import call

TEXT = (Path(__file__).parents[2] / "docs" / "connectors.md").read_text("utf-8")


def section(name: str) -> str:
    found = re.search(rf"^## {name}$(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert found, f"docs/connectors.md has no heading {name!r}"
    return found[1]


@pytest.mark.parametrize("kind", CONNECTORS)
def test_every_connector_has_a_heading_with_its_keys(kind: str) -> None:
    rows = re.findall(r"^\| `(\w+)` \|", section(kind), re.MULTILINE)

    assert rows == list(CONNECTORS[kind].Config.model_fields)


@pytest.mark.parametrize("kind", CONNECTORS)
def test_every_connector_has_an_example_that_is_a_configuration(kind: str) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", section(kind), re.DOTALL)

    (server,) = Settings.model_validate(tomllib.loads(example)).servers.values()

    assert server.connector == kind
    CONNECTORS[kind].Config.model_validate(server.own())


async def test_the_connector_that_is_written_there_works() -> None:
    (program,) = re.findall(r"```python\n(.*?)```", section("Writing a connector"), re.DOTALL)
    written: dict[str, Any] = {"__name__": "moon"}
    exec(compile(program, "docs/connectors.md", "exec"), written)  # our own page

    kind = written["Moon"]
    connector = await kind.open("moon", kind.Config(digits=2), None)
    (definition,) = await connector.discover(NONE)
    made = call(params={"name": "moon__phase", "arguments": {}})
    made.target = Target("tool", "moon", definition.name)
    result = await connector.send(made)
    await connector.aclose()

    assert re.fullmatch(r"\d+\.\d\d days", result.view()["content"][0]["text"])


@pytest.mark.requirement("catalogue:documented")
@pytest.mark.parametrize("name", entries.names())
def test_every_entry_of_the_catalogue_has_its_row_as_its_file_has_it(name: str) -> None:
    found = {row[0]: row for row in rows(section("The catalogue"))}
    entry = entries.entry(name)
    about = entry.about
    clients = {"manual": "register one there", "dynamic": "registers itself", "": "not known"}

    _, operator, url, grant, client, scopes, variables, verified = found[f"`{name}`"]

    assert (operator, inline(url), inline(grant)) == (
        about.operator,
        [entry.remote.url],
        [about.auth.kind],
    )
    assert client == clients[about.auth.registration]
    assert (inline(scopes), inline(variables)) == (about.auth.scopes, list(entry.remote.variables))
    assert verified == ("yes" if about.verified else "no")
    assert all(quirk in section("The catalogue") for quirk in about.quirks)


def test_no_row_of_the_catalogue_is_of_an_entry_that_is_not_there() -> None:
    assert first_cells(section("The catalogue")) == entries.names()


def test_the_example_of_the_catalogue_is_a_configuration() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", section("The catalogue"), re.DOTALL)

    (server,) = Settings.model_validate(tomllib.loads(example)).servers.values()

    assert server.own()["url"].startswith("https://acme.service-now.com/")
    assert server.governance.labels == {"operator:servicenow", "region:eu", "data:tickets"}
