"""What a token says is read strictly: for whom, of whom, when, and who acts."""

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from joserfc import jws

from mcp_gateway.oauth.claims import TokenRefused
from mcp_gateway.oauth.rfc9068 import AccessTokens
from tests.support.tokens import (
    AUDIENCE,
    EXPECTED,
    ISSUER,
    NOW,
    RSA,
    claims,
    signed,
    verifying,
)

GOOD = {"alg": "RS256", "kid": "rsa", "typ": "at+jwt"}


HERE = "https://gateway.example.com/servers/time/mcp"


def _refused(token: bytes, match: str = ".", tokens: AccessTokens | None = None) -> None:
    with pytest.raises(TokenRefused, match=match):
        (tokens or verifying()).accept(token, HERE)


@pytest.mark.parametrize(
    "issuer",
    [None, "", ISSUER + "/", ISSUER.upper(), "http://login.example.com", [ISSUER], 5],
)
def test_a_token_of_another_issuer_is_refused(issuer: Any) -> None:
    _refused(signed(claims(iss=issuer)), "another issuer")


@pytest.mark.requirement("identity:tokens-are-for-us")
@pytest.mark.parametrize(
    "audience",
    [
        None,
        "",
        [],
        "https://elsewhere.example.com",
        AUDIENCE + "/",
        AUDIENCE.removesuffix("/mcp"),
        AUDIENCE + " https://elsewhere.example.com",
        ["https://elsewhere.example.com"],
    ],
)
def test_a_token_for_another_audience_is_refused(audience: Any) -> None:
    _refused(signed(claims(aud=audience)), "another audience")


@pytest.mark.parametrize("audience", [{AUDIENCE: 1}, [AUDIENCE, 5], [[AUDIENCE]], 5, True])
def test_an_audience_that_is_neither_text_nor_a_list_of_it_is_refused(audience: Any) -> None:
    _refused(signed(claims(aud=audience)), "aud is not a list")


@pytest.mark.requirement("identity:tokens-are-for-us")
def test_one_audience_of_several_is_enough() -> None:
    token = signed(claims(aud=["https://elsewhere.example.com", AUDIENCE]))

    assert verifying().accept(token, HERE).principal.subject == "alice"


@pytest.mark.requirement("identity:tokens-are-for-us")
def test_a_token_for_one_endpoint_is_taken_there_and_nowhere_else() -> None:
    orders = "https://gateway.example.com/servers/orders/mcp"
    token = signed(claims(aud=orders))
    tokens = verifying()

    assert tokens.accept(token, orders).principal.subject == "alice"
    for other in ("", AUDIENCE, orders.replace("orders", "time"), orders + "/"):
        with pytest.raises(TokenRefused, match="another audience"):
            tokens.accept(token, other)


@pytest.mark.requirement("identity:tokens-are-in-time")
@pytest.mark.parametrize("name", ["iat", "exp", "nbf"])
@pytest.mark.parametrize("value", [1.5, float(NOW), 1e308, "1800000000", True, [], {}])
def test_a_time_is_in_whole_seconds(name: str, value: Any) -> None:
    _refused(signed(claims(**{name: value})), f"no {name} in whole seconds")


@pytest.mark.parametrize("literal", [b"1e400", b"-1e400", b"NaN", b"Infinity"])
def test_a_number_that_is_no_number_is_no_time(literal: bytes) -> None:
    content = json.dumps(claims(exp=12345)).encode().replace(b"12345", literal)
    token = jws.serialize_compact(GOOD, content, RSA, algorithms=["RS256"])

    _refused(token.encode(), "no exp in whole seconds")


@pytest.mark.requirement("identity:tokens-are-in-time")
@pytest.mark.parametrize("name", ["iat", "exp"])
def test_a_token_without_its_times_is_refused(name: str) -> None:
    _refused(signed(claims(**{name: None})), f"no {name}")


@pytest.mark.requirement("identity:lifetimes-are-capped")
@pytest.mark.parametrize(
    ("issued", "expires"),
    [
        (NOW, NOW + 3601),
        (0, NOW + 1),
        (-(10**30), NOW + 1),
        (NOW, 10**300),
        (NOW - 1, 2**63),
    ],
)
def test_a_token_that_lives_too_long_is_refused(issued: int, expires: int) -> None:
    _refused(signed(claims(iat=issued, exp=expires)), "lives longer than 3600 s")


@pytest.mark.requirement("identity:tokens-are-in-time")
@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"iat": NOW - 400, "exp": NOW - 31}, "expired"),
        ({"iat": NOW - 400, "exp": -1}, "expired"),
        ({"iat": NOW + 31, "exp": NOW + 90}, "not valid yet"),
        ({"nbf": NOW + 31}, "not valid yet"),
        ({"nbf": 10**300}, "not valid yet"),
    ],
)
def test_a_token_out_of_its_time_is_refused(changes: dict[str, Any], match: str) -> None:
    _refused(signed(claims(**changes)), match)


@pytest.mark.parametrize(
    "changes",
    [
        {"iat": NOW - 400, "exp": NOW - 30},
        {"iat": NOW + 30, "exp": NOW + 90},
        {"nbf": NOW + 30},
        {"iat": NOW - 10, "exp": NOW + 3590},
        {"nbf": 0},
    ],
)
def test_clocks_may_differ_by_half_a_minute(changes: dict[str, Any]) -> None:
    assert verifying().accept(signed(claims(**changes)), HERE).principal.subject == "alice"


@pytest.mark.parametrize("subject", [None, "", 5, ["alice"], {"id": "alice"}])
def test_a_token_that_names_nobody_is_refused(subject: Any) -> None:
    _refused(signed(claims(sub=subject)), "sub is not text|no subject")


@pytest.mark.parametrize("actor", ["agent", [], {}, {"sub": ""}, {"sub": 5}, 5, True, False])
def test_an_actor_that_cannot_be_read_is_not_nobody(actor: Any) -> None:
    _refused(signed(claims(act=actor)), "act names nobody")


@pytest.mark.parametrize("name", ["client_id", "jti"])
@pytest.mark.parametrize("value", [5, ["a"], {"a": 1}, True])
def test_a_claim_that_should_be_text_and_is_not_is_refused(name: str, value: Any) -> None:
    _refused(signed(claims(**{name: value})), f"{name} is not text")


def test_a_token_without_id_is_known_by_its_digest_and_without_a_client_by_none() -> None:
    token = signed(claims(jti=None, client_id=None))

    accepted = verifying().accept(token, HERE)

    digest = hashlib.sha256(token).hexdigest()
    alice = f"{ISSUER}|alice"
    token_name = f"token:{ISSUER}|sha256:{digest}"
    assert accepted.names == {f"subject:{alice}", f"sessionless:{alice}", token_name}
    assert accepted.principal.client == ""


def test_a_token_is_known_by_the_session_at_its_issuer_too() -> None:
    accepted = verifying().accept(signed(claims(sid="s-1", fam="not ours")), HERE)

    assert accepted.names - {f"subject:{ISSUER}|alice", f"token:{ISSUER}|t-1"} == {
        f"session:{ISSUER}|s-1",
        "client:runtime",
    }
    assert accepted.issued == NOW - 10


@pytest.mark.parametrize(
    ("value", "roles"),
    [
        (None, set()),
        ("user admin", {"user", "admin"}),
        (["user", "on call"], {"user", "on call"}),
        ("", set()),
        ([], set()),
    ],
)
def test_roles_are_a_list_or_a_text_of_words(value: Any, roles: set[str]) -> None:
    assert verifying().accept(signed(claims(roles=value)), HERE).principal.roles == roles


@pytest.mark.parametrize("name", ["roles", "scope"])
@pytest.mark.parametrize("value", [{"admin": True}, [1], [["admin"]], 5, True])
def test_words_in_any_other_shape_are_refused(name: str, value: Any) -> None:
    _refused(signed(claims(**{name: value})), f"{name} is not a list of words")


def test_roles_and_tenant_are_read_from_the_claims_that_are_configured() -> None:
    tokens = verifying(replace(EXPECTED, roles_claim="groups", tenant_claim="org"))
    token = signed(claims(roles=["admin"], groups=["user"], org="globex"))

    principal = tokens.accept(token, HERE).principal

    assert principal.tenant == "globex"
    assert principal.roles == {"user"}
    for org in (None, "", 5, ["acme"]):
        _refused(signed(claims(org=org)), "org is not text|no tenant", tokens)


@pytest.mark.requirement("identity:groups-and-tenants")
@pytest.mark.parametrize(
    ("path", "changes", "roles"),
    [
        ("realm_access.roles", {"realm_access": {"roles": ["user"]}}, {"user"}),
        ("realm_access.roles", {"realm_access": {}}, set()),
        ("realm_access.roles", {}, set()),
        ("a.b.c", {"a": {"b": {"c": "user admin"}}}, {"user", "admin"}),
        ("https://acme.example/roles", {"https://acme.example/roles": ["user"]}, {"user"}),
        ("a.b", {"a.b": ["user"], "a": {"b": ["admin"]}}, {"user"}),
    ],
)
def test_a_claim_is_found_by_its_name_or_by_the_path_to_it(
    path: str, changes: dict[str, Any], roles: set[str]
) -> None:
    tokens = verifying(replace(EXPECTED, roles_claim=path))

    accepted = tokens.accept(signed(claims(roles=["admin"], **changes)), HERE)

    assert accepted.principal.roles == roles


@pytest.mark.requirement("identity:groups-and-tenants")
@pytest.mark.parametrize("above", [["roles"], "roles", 5, True])
def test_a_path_through_what_is_no_object_is_refused(above: Any) -> None:
    tokens = verifying(replace(EXPECTED, roles_claim="realm.roles"))

    _refused(signed(claims(realm=above)), "what is above it is no object", tokens)


@pytest.mark.requirement("identity:groups-and-tenants")
@pytest.mark.parametrize(
    ("groups", "roles"),
    [
        (["Ops"], {"admin", "user"}),
        (["Domain Users", "Everybody"], {"user"}),
        (["admin"], set()),
        (["ops", "OPS", "Ops "], set()),
        ([], set()),
    ],
)
def test_with_a_map_a_group_gives_its_roles_and_others_nothing(
    groups: list[str], roles: set[str]
) -> None:
    role_map = {"Ops": frozenset({"admin", "user"}), "Domain Users": frozenset({"user"})}
    tokens = verifying(replace(EXPECTED, roles_claim="groups", role_map=role_map))

    accepted = tokens.accept(signed(claims(groups=groups)), HERE)

    assert accepted.principal.roles == roles


@pytest.mark.requirement("identity:groups-and-tenants")
def test_with_a_map_a_token_of_any_other_tenant_is_refused() -> None:
    expected = replace(EXPECTED, tenant_claim="tid", tenant_map={"9f-1": "acme"})
    tokens = verifying(expected)

    assert tokens.accept(signed(claims(tid="9f-1")), HERE).principal.tenant == "acme"
    for tid in ("9f-2", "acme", "", None, ["9f-1"]):
        _refused(signed(claims(tid=tid)), "not among those|tid is not text", tokens)
