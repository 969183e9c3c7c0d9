"""A grant is one person's for one upstream."""

from dataclasses import replace

from mcp_gateway.core.grants import grant_key
from mcp_gateway.core.principal import Principal

ALICE = Principal("local", "alice", "default", client="key:1", roles=frozenset({"user"}))


def test_a_grant_is_a_persons_whichever_client_and_roles_they_come_with() -> None:
    other = replace(ALICE, client="code", roles=frozenset({"admin"}), scopes=frozenset({"x"}))

    assert grant_key(other, "github") == grant_key(ALICE, "github")


def test_another_person_tenant_or_issuer_has_another_grant() -> None:
    others = [
        replace(ALICE, subject="bob"),
        replace(ALICE, tenant="other"),
        replace(ALICE, issuer="https://login.example"),
    ]

    keys = {grant_key(one, "github") for one in [ALICE, *others]} | {grant_key(ALICE, "slack")}

    assert len(keys) == 5
