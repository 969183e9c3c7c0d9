import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from click.testing import Result

from mcp_gateway.cli.managed import MANAGED, Gateway
from mcp_gateway.store.clients import Clients
from mcp_gateway.store.rows import ClientRow
from tests.mcp_gateway.cli.conftest import run
from tests.support.gateway import GatewayUnderTest

Admin = Callable[..., Awaitable[Result]]

BASE = "https://gateway.example.com"


@pytest.mark.requirement("clients:managed-files")
@pytest.mark.parametrize("client", list(MANAGED))
def test_the_files_are_written_by_their_names(client: str, tmp_path: Path) -> None:
    into = tmp_path / "new" / client

    ran = run("clients", "export", client, "--url", f"{BASE}/", "--out", str(into))

    assert ran.exit_code == 0
    expected = {file.name: file.content for file in MANAGED[client](Gateway(BASE))}
    assert {path.name: path.read_text("utf-8") for path in into.iterdir()} == expected


@pytest.mark.requirement("clients:says-what-holds")
def test_it_says_of_each_file_whether_the_client_holds_people_to_it(tmp_path: Path) -> None:
    ran = run("clients", "export", "codex", "--url", BASE, "--out", str(tmp_path))

    said = [line for line in ran.output.splitlines() if not line.startswith(" ")]
    assert [line.split(":")[0] for line in said] == [
        "requirements.toml (enforced)",
        "managed_config.toml (suggested)",
    ]


def test_without_a_folder_the_content_is_shown_and_the_words_go_elsewhere() -> None:
    ran = run("clients", "export", "cursor", "--url", BASE)

    assert json.loads(ran.stdout)["mcpServers"]["gateway"]["url"] == f"{BASE}/mcp"
    assert "mcp.json (suggested): " in ran.stderr


@pytest.mark.requirement("clients:snippets")
@pytest.mark.parametrize("client", list(MANAGED))
def test_a_snippet_is_for_one_person_and_names_the_variable_of_the_key(client: str) -> None:
    plain = run("clients", "export", client, "--url", BASE, "--snippet")
    keyed = run("clients", "export", client, "--url", BASE, "--snippet", "--key-variable", "KEY")

    assert f"{BASE}/mcp" in plain.stdout
    assert "Authorization" not in plain.stdout
    shown = {
        "claude": "Bearer $KEY",
        "codex": "--bearer-token-env-var KEY",
        "vscode": "Bearer ${input:key}",
        "cursor": "Bearer ${env:KEY}",
    }
    assert shown[client] in keyed.stdout


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--url", f"{BASE}/mcp"], "without a path"),
        (["--url", f"{BASE}/?a=b"], "without a path"),
        (["--url", f"{BASE}#f"], "without a path"),
        (["--url", "https://me:secret@gateway.example.com"], "credentials do not belong"),
        (["--url", "ftp://gateway.example.com"], "not an http or https URL"),
        (["--url", f'{BASE}"\n[other]'], "characters that no URL has"),
        (["--url", BASE, "--key-variable", 'K"}\n'], "no name of a variable"),
        (["--url", BASE, "--snippet", "--out", "x"], "leave --out away"),
    ],
)
def test_what_cannot_stand_in_a_file_is_refused(words: list[str], why: str) -> None:
    ran = run("clients", "export", "codex", *words)

    assert ran.exit_code == 2
    assert why in ran.output
    assert not ran.stdout


@pytest.mark.requirement("clients:administrators-see-and-revoke")
async def test_programs_are_listed_and_one_is_revoked(
    gateway: GatewayUnderTest, admin: Admin
) -> None:
    row = ClientRow(
        id="abc", kind="dcr", name="App\x1b", redirects='["http://[::1]/cb"]', created=5
    )
    Clients(gateway.parts.database).add(row)

    listed = await admin("clients", "list")
    revoked = await admin("clients", "revoke", "abc", "--reason", "it was stolen")
    again = await admin("clients", "revoke", "abc")
    over = await admin("tokens", "revoked")

    assert re.search(r"^dcr +- +abc  App\S*  to ::1$", listed.output, re.MULTILINE)
    assert "\x1b" not in listed.output
    assert revoked.output == "revoked abc\n"
    assert again.exit_code == 1
    assert "there is no client 'abc'" in again.output
    assert "client:abc" in over.output


async def test_programs_are_for_administrators(admin: Admin) -> None:
    assert (await admin("clients", "list", subject="alice")).exit_code == 1
