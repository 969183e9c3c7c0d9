"""Attacks by a server.json, and on what a registry tells."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from connectors.entries import META
from tests.mcp_gateway.cli.conftest import run
from tests.support.gateway import GatewayUnderTest, gateway_under_test

SERVER: dict[str, Any] = {"name": "com.evil/x", "description": "x", "version": "1.0.0"}
CONFIG = """
[policy]
rules = ["own.csv"]

[servers.secret-desk]
connector = "mcp_http"
url = "http://127.0.0.1:9/mcp"
"""
RULES = """\
p, 1, some, role:user, *, catalog/other/*, *, , allow,
p, 2, all, role:admin, *, */*/*, *, , allow,
"""
PATH = "/v0.1/servers"


@pytest.fixture(scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GatewayUnderTest]:
    folder = tmp_path_factory.mktemp("catalogue")
    (folder / "var").mkdir(0o700)
    (folder / "var" / "own.csv").write_text(RULES)
    async with gateway_under_test(folder, CONFIG) as running:
        yield running


def imported(folder: Path, *words: str, **changes: Any) -> tuple[int, str]:
    file = folder / "server.json"
    file.write_text(json.dumps({**SERVER, **changes}))
    result = run("servers", "import", str(file), *words)
    return result.exit_code, result.output


@pytest.mark.requirement("attack:g1")
@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "http://example.com/mcp",
        "https://127.0.0.1/mcp",
        "https://10.0.0.8/mcp",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:169.254.169.254]/",
        "https://[64:ff9b::7f00:1]/",
        "https://0x7f.1/",
        "https://2130706433/",
        "https://localhost./mcp",
        "https://user:password@example.com/mcp",
        "https://example.com\\@10.0.0.8/mcp",
        'https://example.com/"\ncommand = ["sh"]\n#',
    ],
)
def test_a_file_leads_to_no_file_and_to_nothing_inside(tmp_path: Path, url: str) -> None:
    code, said = imported(tmp_path, remotes=[{"type": "streamable-http", "url": url}])

    assert code == 1
    assert "[servers." not in said


@pytest.mark.requirement("attack:g1")
@pytest.mark.parametrize("value", ["127.0.0.1", "169.254.169.254", "localhost", "a.b@10.0.0.8"])
def test_no_variable_leads_inside_either(tmp_path: Path, value: str) -> None:
    hosted = {"type": "sse", "url": "https://{host}/mcp", "variables": {"host": {"default": value}}}

    code, said = imported(tmp_path, remotes=[hosted])

    assert code == 1
    assert "[servers." not in said


@pytest.mark.requirement("attack:g2")
def test_no_file_starts_a_program(tmp_path: Path) -> None:
    remote = {"type": "streamable-http", "url": "https://example.com/mcp"}
    about = {"command": ["sh", "-c", "id"], "auth": {"kind": "none"}, "guard": "none"}
    package = {"registryType": "npm", "identifier": "evil", "transport": {"type": "stdio"}}

    code, said = imported(tmp_path, remotes=[remote], _meta={META: about}, packages=[package])
    without, told = imported(tmp_path, packages=[package])

    assert code == 0
    assert said.splitlines()[1:] == [
        "[servers.x]",
        'connector = "mcp_http"',
        'url = "https://example.com/mcp"',
    ]
    assert without == 1
    assert "no remote" in told


@pytest.mark.requirement("attack:g2")
@pytest.mark.parametrize(
    "changes",
    [
        {"description": "x\n[servers.y]\ncommand = ['sh']"},
        {"title": "x\rcommand = 1"},
        {"version": "1\n2"},
        {"name": "a/b]\n[c"},
    ],
)
def test_no_word_of_a_file_becomes_a_line_of_its_own(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    remote = {"type": "streamable-http", "url": "https://example.com/mcp"}

    code, said = imported(tmp_path, remotes=[remote], **changes)

    assert code == 1
    assert "\n[" not in said


@pytest.mark.requirement("attack:g3")
async def test_a_server_that_one_may_not_know_is_like_one_that_is_not_there(
    gateway: GatewayUnderTest,
) -> None:
    asked = [PATH, f"{PATH}?search=secret", f"{PATH}?limit=1", f"{PATH}?cursor=YQ=="]
    named = "127.0.0.1%2F{}/versions"
    async with gateway.http("alice") as alice, gateway.http("admin") as admin:
        told = [await alice.get(path) for path in asked]
        there = await alice.get(f"{PATH}/{named.format('secret-desk')}/latest")
        nowhere = await alice.get(f"{PATH}/{named.format('nowhere')}/latest")
        known = await admin.get(f"{PATH}/{named.format('secret-desk')}/latest")

    assert known.status_code == 200
    assert [answer.json() for answer in told] == 4 * [{"servers": [], "metadata": {"count": 0}}]
    assert (there.status_code, there.content) == (nowhere.status_code, nowhere.content)
    assert there.status_code == 404
    assert dict(there.headers) | {"date": ""} == dict(nowhere.headers) | {"date": ""}


@pytest.mark.requirement("attack:g3")
@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer mcpgw_x"}])
async def test_strangers_are_told_nothing_of_which_servers_there_are(
    gateway: GatewayUnderTest, headers: dict[str, str]
) -> None:
    async with httpx2.AsyncClient(base_url=gateway.url, headers=headers) as http:
        there = await http.get(f"{PATH}/127.0.0.1%2Fsecret-desk/versions")
        nowhere = await http.get(f"{PATH}/127.0.0.1%2Fnowhere/versions")

    assert there.status_code == 401
    assert (there.status_code, there.content) == (nowhere.status_code, nowhere.content)


@pytest.mark.requirement("attack:g3")
async def test_a_page_by_another_name_of_this_host_reads_nothing(gateway: GatewayUnderTest) -> None:
    async with gateway.http("admin") as admin:
        rebound = await admin.get(PATH, headers={"host": "rebound.example"})
        foreign = await admin.get(PATH, headers={"origin": "https://evil.example"})

    assert (rebound.status_code, foreign.status_code) == (421, 403)
    assert "secret-desk" not in rebound.text + foreign.text
