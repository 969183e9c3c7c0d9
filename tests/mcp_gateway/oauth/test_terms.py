from dataclasses import replace

import pytest

from mcp_gateway.core.credential import Grant
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.target import Target
from mcp_gateway.oauth import terms as the_terms
from mcp_gateway.oauth.terms import Terms

ADA = Principal("https://idp", "ada", "acme", client="code", scopes=frozenset({"mcp"}))
READ, WRITE = frozenset({"read"}), frozenset({"write"})
TOOLS = (("*", READ), ("repo_*", READ | {"repo"}), ("repo_delete", WRITE), ("*_delete", WRITE))


def _terms(grant: Grant) -> Terms:
    return Terms("github", "https://github.example/mcp", grant)


def _tool(name: str) -> Target:
    return Target("tool", "github", name)


@pytest.mark.requirement("broker:least-scopes")
@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("list", {"base", "read"}),
        ("repo_get", {"base", "read", "repo"}),
        ("repo_delete", {"base", "write"}),
        ("user_delete", {"base", "write"}),
    ],
)
def test_a_call_asks_for_the_scopes_of_all_and_of_the_most_specific_pattern(
    name: str, needed: set[str]
) -> None:
    for tools in (TOOLS, TOOLS[::-1]):
        terms = _terms(Grant("service", scopes=frozenset({"base"}), tools=tools))

        assert terms.scopes(_tool(name)) == needed


def test_patterns_are_for_whatever_is_called() -> None:
    terms = _terms(Grant("service", tools=(("file:///secret/*", WRITE),)))

    assert terms.scopes(Target("resource", "github", "file:///secret/a")) == WRITE
    assert terms.scopes(Target("prompt", "github", "greet")) == frozenset()


def test_where_one_consent_is_one_token_every_target_has_the_same() -> None:
    grant = Grant("delegated", scopes=READ, tools=TOOLS)

    assert {_terms(grant).scopes(_tool(name)) for name in ("a", "repo_delete")} == {frozenset()}
    assert _terms(replace(grant, downscope=True)).scopes(_tool("repo_delete")) == READ | WRITE


def test_what_a_target_turned_out_to_need_is_asked_for_from_then_on() -> None:
    terms = _terms(Grant("service", scopes=READ))

    assert terms.step_up(_tool("a"), WRITE) == READ | WRITE
    assert terms.scopes(_tool("a")) == READ | WRITE
    assert terms.scopes(_tool("b")) == READ


def test_what_callers_choose_the_names_of_does_not_grow_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(the_terms, "MOST", 10)
    terms = _terms(Grant("service", scopes=READ))
    for number in range(100):
        terms.scopes(Target("resource", "github", f"file:///{number}"))

    assert len(terms._scopes) <= 10


@pytest.mark.requirement("broker:nobody-elses")
@pytest.mark.parametrize(
    "other",
    [
        {"subject": "eve"},
        {"issuer": "https://other"},
        {"tenant": "other"},
    ],
)
@pytest.mark.parametrize(
    "grant", [Grant("static", per_user=True), Grant("delegated"), Grant("token_exchange")]
)
def test_no_two_people_are_the_same_to_an_upstream(grant: Grant, other: dict[str, str]) -> None:
    terms = _terms(grant)

    assert terms.whose(ADA) != terms.whose(replace(ADA, **other))  # type: ignore[arg-type]


@pytest.mark.requirement("broker:nobody-elses")
def test_what_a_person_connected_is_theirs_with_every_client() -> None:
    terms = _terms(Grant("delegated"))

    assert terms.whose(ADA) == terms.whose(replace(ADA, client="cursor", scopes=frozenset()))


@pytest.mark.requirement("broker:nobody-elses")
@pytest.mark.parametrize("kind", ["token_exchange", "id_jag"])
def test_what_was_exchanged_for_more_is_not_shown_for_less(kind: str) -> None:
    terms = _terms(Grant(kind))  # type: ignore[arg-type]
    others = [replace(ADA, client="x"), replace(ADA, actor="bot"), replace(ADA, scopes=frozenset())]

    assert terms.whose(ADA) not in [terms.whose(other) for other in others]


def test_a_shared_credential_is_the_same_for_all() -> None:
    for grant in (Grant("static"), Grant("service")):
        assert _terms(grant).whose(ADA) == _terms(grant).whose(Principal("x", "y", "z"))
