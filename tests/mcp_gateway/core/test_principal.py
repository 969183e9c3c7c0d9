from dataclasses import fields, replace
from typing import Any

from mcp_gateway.core.principal import Principal
from tests.support.calls import ALICE

OTHER: dict[str, Any] = {"roles": frozenset({"x"}), "scopes": frozenset({"x"})}


def test_every_field_is_compared() -> None:
    for each in (field for field in fields(Principal) if field.init):
        changed = replace(ALICE, **{each.name: OTHER.get(each.name, "other")})
        assert changed != ALICE, each.name
        assert hash(changed) != hash(ALICE), each.name


def test_the_same_subject_of_two_issuers_is_two_identities() -> None:
    assert ALICE.identity == "local|alice"
    assert replace(ALICE, issuer="https://login.example.com").identity != ALICE.identity


def test_a_mode_that_nobody_set_is_unknown() -> None:
    assert Principal("local", "bob", "acme").mode == "unknown"
