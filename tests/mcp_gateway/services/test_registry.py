import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.entries import META
from connectors.server_json import ServerJson
from mcp_gateway.config import validated
from mcp_gateway.services.registry import Registry, namespace
from tests.support.server_json import faults

URL = "https://gateway.example.com"
SERVERS = {
    "code": {"connector": "catalog:notion", "governance": {"region": "EU"}},
    "desk": {"connector": "mcp_http", "url": "https://desk.internal.example/mcp"},
}
NAMES = st.text(alphabet="abcdefghij-_09", min_size=1, max_size=8)


def registry() -> Registry:
    return Registry.of(validated({"gateway": {"url": URL}, "servers": SERVERS}))


@pytest.mark.requirement("registry:urls-are-the-gateways")
@pytest.mark.parametrize("name", SERVERS)
def test_a_server_is_listed_in_the_registrys_form_under_the_gateways_url(name: str) -> None:
    listed = registry().entry(name)
    server = ServerJson.model_validate(listed["server"])

    assert faults(listed["server"]) == []
    assert server.name == f"com.example.gateway/{name}"
    assert [remote.url for remote in server.remotes] == [f"{URL}/servers/{name}/mcp"]
    assert "internal.example" not in str(listed)
    assert "notion.com" not in str(listed)


def test_what_the_catalogue_calls_it_and_what_is_known_of_its_operation_is_told() -> None:
    code = registry().entry("code")["server"]

    assert (code["title"], code["_meta"]) == (
        "Notion",
        {META: {"operator": "Notion", "region": "EU"}},
    )
    assert "_meta" not in registry().entry("desk")["server"]


def test_a_version_is_the_gateways_or_the_latest() -> None:
    made = registry()

    assert made.is_version("latest")
    assert made.is_version(made.entry("desk")["server"]["version"])
    assert not made.is_version("0")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://gateway.example.com:8443", "com.example.gateway"),
        ("http://127.0.0.1:8080", "127.0.0.1"),
        ("http://[::1]:8080", "--1"),
        ("http://localhost", "localhost"),
        ("https://my_gateway.example.", "example.my-gateway"),
    ],
)
def test_a_namespace_is_the_host_from_its_end(url: str, name: str) -> None:
    assert namespace(url) == name


@pytest.mark.requirement("registry:pages")
@given(st.sets(NAMES, max_size=12), st.integers(1, 5))
def test_pages_have_every_server_once_and_in_order(names: set[str], limit: int) -> None:
    found: list[str] = []
    after = ""
    for _ in range(len(names) + 1):
        page = registry().page(list(names), after, limit)
        found += page.names
        after = page.last
        if not after:
            break

    assert found == sorted(names)


def test_a_search_finds_a_part_of_the_name() -> None:
    names = list(SERVERS)

    assert registry().page(names, "", 9, "/co").names == ["code"]
    assert registry().page(names, "", 9, "nobody").names == []
