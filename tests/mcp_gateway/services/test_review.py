from dataclasses import replace
from pathlib import Path

import pytest

from connectors.definitions import define
from mcp_gateway.core.target import Definition
from mcp_gateway.services.review import Review
from mcp_gateway.store.database import Database
from mcp_gateway.store.pins import Pins


def tool(name: str, description: str = "") -> Definition:
    shown = {"name": name, "description": description, "inputSchema": {"type": "object"}}
    return define("desk", "tool", shown)


@pytest.fixture
def review(tmp_path: Path) -> Review:
    return Review(Pins(Database.open(tmp_path / "gateway.db")), clock=lambda: 10)


def test_what_is_listed_the_first_time_is_taken_as_it_is(review: Review) -> None:
    first = review.of("desk", [tool("open")], "review")
    second = review.of("desk", [tool("open")], "review")

    assert (first.served, first.held) == (second.served, second.held) == ([tool("open")], {})


@pytest.mark.requirement("servers:changed-definitions-are-held-back")
def test_what_changed_or_is_new_is_held_back_until_somebody_has_looked(review: Review) -> None:
    review.of("desk", [tool("open"), tool("close")], "review")
    listed = [tool("open", "and delete everything"), tool("close"), tool("fresh")]
    found = review.of("desk", listed, "review")
    review.accept(listed)

    assert found.served == [tool("open"), tool("close")]
    assert found.held["tool/desk/fresh"].startswith("it is new")
    assert "its definition changed from sha256:" in found.held["tool/desk/open"]
    assert review.of("desk", listed, "review").served == listed


@pytest.mark.requirement("servers:the-approved-one-goes-on")
def test_the_approved_form_of_what_changed_is_served_until_its_upstream_refuses_it(
    review: Review,
) -> None:
    approved, changed = tool("open"), tool("open", "and delete everything")
    review.of("desk", [approved], "review")
    before = review.of("desk", [changed], "review")
    after = review.of("desk", [changed], "review", {changed.digest})

    assert (before.served, before.outdated) == ([approved], {approved.digest: changed.digest})
    assert "the approved one is served" in before.held["tool/desk/open"]
    assert (after.served, after.outdated) == ([], {})
    assert "its upstream refuses the approved one" in after.held["tool/desk/open"]


@pytest.mark.requirement("servers:the-approved-one-goes-on")
def test_what_was_approved_is_there_before_its_upstream_has_answered(review: Review) -> None:
    review.of("desk", [tool("open"), tool("close")], "review")

    assert review.approved("desk").served == [tool("close"), tool("open")]
    assert review.approved("other").served == []


def test_a_pin_that_does_not_read_as_it_was_approved_is_not_served(tmp_path: Path) -> None:
    pins = Pins(Database.open(tmp_path / "gateway.db"))
    forged = replace(tool("open"), raw=tool("open", "forged").raw)
    pins.pin([forged], 1)
    review = Review(pins)

    assert review.approved("desk").served == []
    found = review.of("desk", [tool("open", "changed")], "review")
    assert (found.served, found.outdated) == ([], {})
    assert "nothing is served" in found.held["tool/desk/open"]


@pytest.mark.requirement("servers:changed-definitions-are-held-back")
def test_a_name_of_another_kind_or_server_is_not_the_one_that_was_reviewed(review: Review) -> None:
    review.of("desk", [tool("open")], "review")
    prompt = define("desk", "prompt", {"name": "open"})
    assert prompt is not None

    assert set(review.of("desk", [prompt], "review").held) == {"prompt/desk/open"}
    assert review.of("other", [tool("open")], "review").served == [tool("open")]


def test_a_server_that_is_followed_is_served_as_it_changes(review: Review) -> None:
    review.of("desk", [tool("open")], "follow")
    changed = [tool("open", "otherwise"), tool("fresh")]

    assert review.of("desk", changed, "follow").served == changed
    assert review.of("desk", changed, "review").served == changed


@pytest.mark.requirement("connecting:wordings")
def test_where_lists_are_personal_each_wording_is_reviewed_and_all_are_served(
    review: Review,
) -> None:
    first, other = tool("open"), tool("open", "for the sales team")
    review.of("desk", [first], "review", personal=True)
    before = review.of("desk", [first, other, tool("fresh")], "review", personal=True)
    review.accept([other], personal=True)
    after = review.of("desk", [first, other], "review", personal=True)

    assert before.served == [first]
    assert "worded otherwise for somebody" in before.held["tool/desk/open"]
    assert "it is new for somebody" in before.held["tool/desk/fresh"]
    assert (after.served, after.held) == ([other, first], {})
    assert review.wordings("desk") == {("tool", "open"): {first.digest, other.digest}}


@pytest.mark.requirement("connecting:wordings")
def test_a_server_that_is_followed_has_every_wording_taken_once(review: Review) -> None:
    listed = [tool("open"), tool("open", "for the sales team")]
    first = review.of("desk", listed, "follow", personal=True)
    again = review.of("desk", listed, "follow", personal=True)

    assert {d.digest for d in first.served} == {d.digest for d in listed}
    assert (again.served, again.held) == (first.served, {})


def test_where_there_is_one_list_for_all_the_pinned_wording_stands_alone(review: Review) -> None:
    first, other = tool("open"), tool("open", "for the sales team")
    review.accept([first], personal=True)
    review.accept([other], personal=True)

    assert review.approved("desk").served == [other]
    assert review.approved("desk", personal=True).served == [other, first]


def test_what_is_flawed_in_somebodys_list_is_held_back(review: Review) -> None:
    flawed = replace(tool("open"), flaw="it names a member twice")
    found = review.of("desk", [flawed], "review", personal=True)

    assert (found.served, found.held) == ([], {"tool/desk/open": "it names a member twice"})
