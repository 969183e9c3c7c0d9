from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.core.target import Definition, Kind
from mcp_gateway.services import own
from mcp_gateway.services.catalog import build, connects
from mcp_gateway.wire import jsonrpc

NOTHING: dict[str, frozenset[str]] = {}


def defined(kind: Kind, server: str, name: str, digest: str = "") -> Definition:
    return Definition(kind, server, name, b"{}", digest or f"sha256:{kind}{server}{name}")


def test_a_definition_is_found_by_both_of_its_names_and_by_its_digest() -> None:
    tool = defined("tool", "desk", "open")
    made = build([tool], {"desk": frozenset({"orders:read"})})

    target = made.names["tool", "desk__open"]
    assert made.local["tool", "desk", "open"] is target
    assert (target.server, target.name, target.digest) == ("desk", "open", tool.digest)
    assert target.requires == {"orders:read"}
    assert made.definitions == {tool.digest: tool}
    assert made.held == {}


@pytest.mark.requirement("catalogue:labels")
def test_what_is_known_of_a_server_is_a_label_of_each_of_its_targets() -> None:
    claiming = replace(defined("tool", "desk", "open"), labels=frozenset({"claims_read_only"}))
    others = [defined("prompt", "desk", "greet"), defined("tool", "time", "now")]
    made = build([claiming, *others], NOTHING, labels={"desk": frozenset({"region:eu"})})

    assert made.names["tool", "desk__open"].labels == {"claims_read_only", "region:eu"}
    assert made.names["prompt", "desk__greet"].labels == {"region:eu"}
    assert made.names["tool", "time__now"].labels == frozenset()


def test_resources_and_operations_keep_their_own_names() -> None:
    made = build(
        [
            defined("resource", "desk", "note://a"),
            defined("template", "desk", "note://{x}"),
            defined("operation", "gateway", "keys.list"),
            defined("prompt", "desk", "greet"),
        ],
        NOTHING,
    )

    assert set(made.names) == {
        ("resource", "note://a"),
        ("template", "note://{x}"),
        ("operation", "keys.list"),
        ("prompt", "desk__greet"),
    }


def test_two_that_would_share_a_name_are_both_held_back_and_say_why() -> None:
    made = build([defined("tool", "a", "b-c"), defined("tool", "a", "b_c")], NOTHING)

    assert made.names == {}
    assert made.held == {
        "tool/a/b-c": "its name is also that of tool/a/b_c",
        "tool/a/b_c": "its name is also that of tool/a/b-c",
    }
    assert len(made.local) == 2


def test_addresses_that_differ_by_a_hyphen_are_two() -> None:
    made = build(
        [defined("resource", "a", "x://b-c"), defined("resource", "a", "x://b_c")], NOTHING
    )

    assert (len(made.names), made.held) == (2, {})


@pytest.mark.requirement("resources:one-address-of-several-servers")
@pytest.mark.parametrize("kind", ["resource", "template"])
def test_one_address_at_two_servers_is_claimed_by_both(kind: Kind) -> None:
    made = build([defined(kind, "b", "x://y"), defined(kind, "a", "x://y")], NOTHING)

    assert (made.names, made.held) == ({}, {})
    assert [target.server for target in made.claims[kind, "x://y"]] == ["a", "b"]
    assert len(made.local) == 2


def tool(server: str, name: str, meta: object) -> Definition:
    raw = jsonrpc.encode({"name": name, "_meta": meta})
    return Definition("tool", server, name, raw, f"sha256:{server}{name}")


@pytest.mark.requirement("apps:resources-go-with-their-tools")
@pytest.mark.parametrize(
    "meta", [{"ui": {"resourceUri": "ui://desk/view"}}, {"ui/resourceUri": "ui://desk/view"}]
)
def test_what_a_tool_shows_is_its_servers_though_nobody_lists_it(meta: object) -> None:
    two = [tool("desk", "open", meta), tool("desk", "see", meta)]
    made = build(two, {"desk": frozenset({"orders:read"})})

    (claimed,) = made.claims["resource", "ui://desk/view"]
    assert str(claimed) == "resource/desk/ui://desk/view"
    assert (claimed.digest, claimed.requires) == ("sha256:deskopen", frozenset({"orders:read"}))
    assert ("resource", "desk", "ui://desk/view") not in made.local


@pytest.mark.requirement("apps:resources-go-with-their-tools")
def test_what_is_listed_is_claimed_once_and_what_another_lists_is_no_ones_alone() -> None:
    meta = {"ui": {"resourceUri": "ui://desk/view"}}
    own = defined("resource", "desk", "ui://desk/view")
    other = defined("resource", "evil", "ui://desk/view")

    alone = build([tool("desk", "open", meta), own], NOTHING)
    tied = build([tool("desk", "open", meta), other], NOTHING)

    assert (alone.names["resource", "ui://desk/view"].digest, alone.claims) == (own.digest, {})
    servers = {target.server for target in tied.claims["resource", "ui://desk/view"]}
    assert (servers, ("resource", "ui://desk/view") in tied.names) == ({"desk", "evil"}, False)


@pytest.mark.parametrize(
    "meta",
    [
        None,
        [],
        {"ui": {"resourceUri": "https://evil.example"}},
        {"ui": {"resourceUri": 7}},
        {"ui": ["resourceUri"]},
        {"ui": {"resourceUri": "ui://a\nb"}},
        {"ui": {"resourceUri": "ui://" + "a" * 2048}},
    ],
)
def test_what_is_no_address_of_a_view_is_shown_by_nobody(meta: object) -> None:
    assert build([tool("desk", "open", meta)], NOTHING).claims == {}


@pytest.mark.requirement("listing:one-order")
def test_a_catalog_has_one_order_whatever_the_order_of_what_it_is_made_of() -> None:
    found = [defined("tool", s, n) for s in "ba" for n in ("z", "y")]

    there, back = build(found, NOTHING), build(reversed(found), NOTHING)

    assert list(there.names.items()) == list(back.names.items())
    assert list(there.local) == list(back.local)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["tool", "prompt", "resource"]),
            st.sampled_from(["a", "b", "a-b"]),
            st.text("ab-_. ", min_size=1, max_size=4),
        ),
        unique=True,
        max_size=12,
    )
)
def test_everything_is_named_claimed_or_held_back(keys: list[tuple[Kind, str, str]]) -> None:
    made = build([defined(*key) for key in keys], NOTHING)

    named = {str(target) for target in made.names.values()}
    claimed = {str(target) for targets in made.claims.values() for target in targets}
    assert not named & claimed
    assert named | claimed | set(made.held) == {
        f"{kind}/{server}/{name}" for kind, server, name in keys
    }
    assert not named & set(made.held)
    assert len(named) == len(made.names)


@pytest.mark.requirement("connecting:a-tool-stands-for-a-list")
def test_the_tool_that_connects_a_server_is_found_at_both_of_its_endpoints() -> None:
    tool = own.connecting(["desk"])[0]
    made = build([tool, defined("tool", "desk", "open")], NOTHING, ["desk", "gone"])

    target = made.names["tool", "connect_desk"]
    assert made.local["tool", "desk", "connect_desk"] is target
    assert (target.server, connects(target)) == ("gateway", "desk")
    assert connects(made.names["tool", "desk__open"]) == ""


def test_a_tool_of_its_own_keeps_the_name_at_its_servers_endpoint() -> None:
    theirs = defined("tool", "desk", "connect_desk")
    made = build([own.connecting(["desk"])[0], theirs], NOTHING, ["desk"])

    assert made.local["tool", "desk", "connect_desk"].server == "desk"
    assert connects(made.local["tool", "desk", "connect_desk"]) == ""


@pytest.mark.requirement("connecting:wordings")
def test_a_name_in_several_wordings_is_there_once_and_each_of_them_by_its_digest() -> None:
    first, other = (defined("tool", "desk", "open", f"sha256:{n}") for n in "ab")
    made = build([first, other], NOTHING, personal={"desk"})

    assert made.names["tool", "desk__open"].digest == "sha256:a"
    assert made.local["tool", "desk", "open"].digest == "sha256:a"
    assert {key[3]: target.digest for key, target in made.wordings.items()} == {
        "sha256:a": "sha256:a",
        "sha256:b": "sha256:b",
    }
    assert made.definitions.keys() == {"sha256:a", "sha256:b"}
    assert made.held == {}


def test_a_name_that_is_listed_twice_where_there_is_one_list_is_held_back() -> None:
    made = build([defined("tool", "desk", "open", f"sha256:{n}") for n in "ab"], NOTHING)

    assert made.wordings == {}
    assert ("tool", "desk__open") not in made.names
