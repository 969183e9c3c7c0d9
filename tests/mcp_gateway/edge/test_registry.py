from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from connectors.server_json import ServerJson
from tests.support.gateway import GatewayUnderTest, gateway_under_test
from tests.support.raw_server import listening

PATH = "/v0.1/servers"
CONFIG = """
[policy]
rules = ["own.csv"]

[servers.orders]
connector = "openapi"
url = "@ORDERS@"
document = "builtin:orders"

[servers.away]
connector = "mcp_http"
url = "http://127.0.0.1:9/mcp"

[servers.code]
connector = "catalog:notion"
discovery = "pinned"
"""
RULES = """\
p, 0, guests, role:guest, *, catalog/*/*, *, , allow,
p, 0, guests-away, role:guest, *, tool/away/*, *, , allow,
p, 0, guests-gone, role:guest, *, tool/orders/no_longer_there, *, , allow,
p, 1, desk, role:user, *, catalog/orders/*, *, , allow,
p, 2, desk-tools, role:user, *, tool/orders/*, *, , allow,
p, 3, admins, role:admin, *, */*/*, *, , allow,
"""


@pytest.fixture(scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GatewayUnderTest]:
    folder = tmp_path_factory.mktemp("registry")
    (folder / "var").mkdir(0o700)
    (folder / "var" / "own.csv").write_text(RULES)
    async with (
        listening() as url,
        gateway_under_test(folder, CONFIG.replace("@ORDERS@", url)) as running,
    ):
        await running.serving("orders")
        running.key("guest", "guest")
        await running.parts.keyring.refresh()
        yield running


@pytest.fixture
async def public(gateway: GatewayUnderTest) -> AsyncIterator[httpx2.AsyncClient]:
    before = gateway.parts.settings
    registry = before.registry.model_copy(update={"public": True})
    await gateway.take(before.model_copy(update={"registry": registry}))
    async with httpx2.AsyncClient(base_url=gateway.url) as http:
        yield http
    await gateway.take(before)


async def read(gateway: GatewayUnderTest, subject: str, path: str = PATH, **said: Any) -> Any:
    async with gateway.http(subject) as http:
        return await http.get(path, **said)


def names(answer: httpx2.Response) -> list[str]:
    return [found["server"]["name"].rpartition("/")[2] for found in answer.json()["servers"]]


@pytest.mark.requirement("registry:who-may-know")
async def test_each_caller_reads_of_the_servers_they_may_know(gateway: GatewayUnderTest) -> None:
    assert names(await read(gateway, "alice")) == ["orders"]
    assert names(await read(gateway, "admin")) == ["away", "code", "orders"]
    assert names(await read(gateway, "stranger")) == []


@pytest.mark.requirement("registry:who-may-know")
async def test_who_may_list_a_server_and_use_nothing_of_it_reads_nothing_of_it(
    gateway: GatewayUnderTest,
) -> None:
    """Of a server of which nothing is known yet, listing is all that can be asked for."""
    assert names(await read(gateway, "guest")) == ["away"]


@pytest.mark.requirement("registry:who-may-know")
async def test_without_a_credential_nothing_is_read(gateway: GatewayUnderTest) -> None:
    async with httpx2.AsyncClient(base_url=gateway.url) as http:
        for path in (PATH, f"{PATH}/127.0.0.1%2Forders/versions/latest"):
            answer = await http.get(path)

            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.requirement("registry:official-api")
async def test_a_server_and_its_versions_are_found_by_the_name_that_the_list_has(
    gateway: GatewayUnderTest,
) -> None:
    (listed,) = (await read(gateway, "alice")).json()["servers"]
    server = ServerJson.model_validate(listed["server"])
    path = f"{PATH}/{quote(server.name, safe='')}/versions"

    versions = (await read(gateway, "alice", path)).json()
    latest = (await read(gateway, "alice", f"{path}/latest")).json()
    exact = (await read(gateway, "alice", f"{path}/{server.version}")).json()

    assert server.remotes[0].url == f"{gateway.url}/servers/orders/mcp"
    assert versions == {"servers": [listed], "metadata": {"count": 1}}
    assert latest == exact == listed


@pytest.mark.requirement("registry:official-api")
async def test_what_is_not_there_is_told_in_the_apis_form(gateway: GatewayUnderTest) -> None:
    for path in ("127.0.0.1%2Forders/versions/9", "x%2Forders/versions", "orders/versions/latest"):
        answer = await read(gateway, "alice", f"{PATH}/{path}")

        assert (answer.status_code, answer.json()) == (404, {"error": "Server not found"})


@pytest.mark.requirement("registry:pages")
async def test_a_page_leads_to_the_next_one(gateway: GatewayUnderTest) -> None:
    first = await read(gateway, "admin", params={"limit": 2})
    cursor = first.json()["metadata"]["nextCursor"]
    second = await read(gateway, "admin", params={"limit": 2, "cursor": cursor})

    assert (names(first), names(second)) == (["away", "code"], ["orders"])
    assert second.json()["metadata"] == {"count": 1}


async def test_a_search_and_a_version_narrow_the_list(gateway: GatewayUnderTest) -> None:
    found = await read(gateway, "admin", params={"search": "cod", "version": "latest"})

    assert names(found) == ["code"]
    assert names(await read(gateway, "admin", params={"version": "9"})) == []


@pytest.mark.parametrize(
    "asked",
    [
        {"limit": "0"},
        {"limit": "101"},
        {"limit": "-1"},
        {"limit": "9" * 200},
        {"limit": "1" * 5000},
        {"cursor": "é"},
        {"cursor": "/w=="},
        {"cursor": "_w=="},
    ],
)
async def test_what_is_no_page_is_refused(gateway: GatewayUnderTest, asked: dict[str, str]) -> None:
    assert (await read(gateway, "admin", params=asked)).status_code == 400


@pytest.mark.requirement("registry:public")
async def test_a_public_registry_is_read_by_anybody_from_any_page(
    public: httpx2.AsyncClient,
) -> None:
    answer = await public.get(PATH, headers={"origin": "https://elsewhere.example"})

    assert names(answer) == ["away", "code", "orders"]
    assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.requirement("registry:public")
async def test_else_a_page_of_another_origin_reads_nothing(gateway: GatewayUnderTest) -> None:
    foreign = {"origin": "https://elsewhere.example"}
    own = {"origin": gateway.url}

    refused = await read(gateway, "alice", headers=foreign)
    answer = await read(gateway, "alice", headers=own)

    assert refused.status_code == 403
    assert "access-control-allow-origin" not in refused.headers
    assert answer.headers["access-control-allow-origin"] == gateway.url
    assert "origin" in answer.headers["vary"]


async def test_a_browser_may_ask_what_it_may_send(gateway: GatewayUnderTest) -> None:
    async with httpx2.AsyncClient(base_url=gateway.url) as http:
        asked = await http.options(PATH, headers={"origin": gateway.url})

    assert (asked.status_code, asked.content) == (204, b"")
    assert "authorization" in asked.headers["access-control-allow-headers"]
