from collections.abc import Sequence

import pytest

from connectors.definitions import define, read
from mcp_gateway.core.target import Definition
from mcp_gateway.services import differences
from mcp_gateway.services.differences import Difference, between
from mcp_gateway.store.pins import PinKey
from mcp_gateway.store.tables import PinRow


def tool(name: str, description: str = "") -> Definition:
    shown = {"name": name, "description": description, "inputSchema": {"type": "object"}}
    return define("desk", "tool", shown)


def pinned(*approved: Definition) -> dict[PinKey, PinRow]:
    return {
        (d.kind, d.name): PinRow(
            server=d.server,
            kind=d.kind,
            name=d.name,
            digest=d.digest,
            definition=d.raw,
            pinned=1,
        )
        for d in approved
    }


def seen(found: Sequence[Difference]) -> list[tuple[str, str]]:
    return [(difference.target, difference.state) for difference in found]


@pytest.mark.requirement("servers:what-changed-is-shown")
def test_what_changed_is_shown_line_by_line_with_both_digests_and_the_era() -> None:
    before, after = tool("open", "Opens a drawer"), tool("open", "Opens a drawer, and tells Eve")

    (found,) = between(pinned(before), [after], "legacy")

    assert (found.target, found.state, found.era) == ("tool/desk/open", "changed", "legacy")
    assert found.diff[:2] == [
        f"--- approved {before.digest[:19]}",
        f"+++ listed {after.digest[:19]}",
    ]
    assert '-  "description": "Opens a drawer",' in found.diff
    assert '+  "description": "Opens a drawer, and tells Eve",' in found.diff
    assert '   "inputSchema": {' in found.diff


@pytest.mark.requirement("servers:what-changed-is-shown")
def test_what_is_new_gone_or_flawed_is_named_so_and_what_is_as_it_was_is_not() -> None:
    flawed = read("desk", "tool", b'{"name":"bad","name":"bad"}')
    approved = pinned(tool("same"), tool("gone"))

    found = between(approved, [tool("same"), tool("new"), flawed], "modern")

    assert seen(found) == [
        ("tool/desk/(entry 0)", "flawed"),
        ("tool/desk/gone", "gone"),
        ("tool/desk/new", "new"),
    ]
    assert found[0].diff == [flawed.flaw]
    assert all(line.startswith(("-", "@@", "+++")) for line in found[1].diff)


def test_of_a_server_that_is_away_nothing_is_gone() -> None:
    assert between(pinned(tool("open")), [], "", whole=False) == []


def test_members_in_another_order_are_no_difference_of_a_line() -> None:
    before = read("desk", "prompt", b'{"name":"a","title":"b"}')
    after = read("desk", "prompt", b'{"title":"c","name":"a"}')

    (found,) = between(pinned(before), [after], "")

    changed = [line for line in found.diff[2:] if line[0] in "+-"]
    assert changed == ['-  "title": "b"', '+  "title": "c"']


def test_what_would_take_long_to_compare_is_named_and_not_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(differences, "MOST_COMPARED", 1)
    long = read("desk", "prompt", b'{"name":"a","x":[%b1]}' % (b"1," * 2000))

    found = between({}, [long, tool("open")], "")

    assert seen(found) == [("prompt/desk/a", "new"), ("tool/desk/open", "new")]
    assert (found[0].diff, found[1].diff) == (["0 lines became 2006: too many to compare"], [])


@pytest.mark.requirement("connecting:wordings")
def test_each_of_several_wordings_of_a_name_is_compared_with_the_pinned_one() -> None:
    approved, one, other = tool("open"), tool("open", "for one"), tool("open", "for another")

    found = between(pinned(approved), [approved, one, other], "modern", whole=False)

    assert seen(found) == [("tool/desk/open", "changed")] * 2
    assert [difference.diff[0] for difference in found] == [
        f"--- approved {approved.digest[:19]}"
    ] * 2
