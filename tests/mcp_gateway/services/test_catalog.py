from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.core.target import Definition, Kind
from mcp_gateway.services.catalog import build

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


def test_one_address_at_two_servers_is_met_at_each_of_them_only() -> None:
    made = build([defined("resource", "a", "x://y"), defined("resource", "b", "x://y")], NOTHING)

    assert made.names == {}
    assert len(made.local) == 2
    assert made.held["resource/a/x://y"] == "its name is also that of resource/b/x://y"


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
def test_everything_is_either_named_or_held_back(keys: list[tuple[Kind, str, str]]) -> None:
    made = build([defined(*key) for key in keys], NOTHING)

    named = {str(target) for target in made.names.values()}
    assert named | set(made.held) == {f"{kind}/{server}/{name}" for kind, server, name in keys}
    assert not named & set(made.held)
    assert len(named) == len(made.names)
