"""What is kept comes back as it was, and shows nothing by itself."""

from mcp_gateway.core.principal import Principal
from mcp_gateway.core.secret import Secret
from mcp_gateway.oauth.upstream.kept import Kept, place
from mcp_gateway.oauth.upstream.rfc6749 import Answer

KEPT = Kept(
    Secret("access"),
    "https://as",
    "us",
    "https://up",
    Secret("refresh"),
    Secret("id"),
    9,
    frozenset("ab"),
    frozenset("a"),
)


def test_what_is_kept_comes_back_as_it_was() -> None:
    assert Kept.of(KEPT.mapping()) == KEPT
    assert not {"access", "refresh"} & set(repr(KEPT).split("'"))


def test_a_server_that_gives_no_new_refresh_token_means_the_old_one() -> None:
    found = KEPT.renewed(Answer(Secret("next"), expires_in=60), 1000.5)

    assert (found.access, found.refresh) == (Secret("next"), Secret("refresh"))
    assert (found.expires, found.scopes, found.id) == (1060, frozenset("ab"), Secret("id"))
    assert found.narrowed == frozenset()


def test_a_new_refresh_token_and_other_scopes_take_the_place_of_the_old() -> None:
    answer = Answer(Secret("next"), Secret("rotated"), Secret("id2"), scopes=frozenset("a"))
    found = KEPT.renewed(answer, 1000)

    assert (found.refresh, found.scopes, found.expires) == (Secret("rotated"), frozenset("a"), 0)


def test_two_people_have_two_places() -> None:
    """Also where one writes the bar into a subject that stands between the halves of another."""
    first, second = Principal("a|b", "c", "t"), Principal("a", "b|c", "t")
    assert place(first, "up") != place(second, "up")
