from pathlib import Path

from mcp_gateway.core.principal import Principal
from tests.policies.rulebook import load, who

LINES = (
    "p, 10, a, role:top, acme, tool/github/*, *, , allow,",
    "p, 20, b, *, *, tool/*/*, *, , deny,",
    "p, 30, c, role:top, *, tool/orders/*, *, , allow,",
    "g, alice, role:dev, acme",
    "g, role:dev, role:top, *",
)


def test_a_principal_counts_as_anybody_themselves_and_their_roles_upwards(tmp_path: Path) -> None:
    chains = load(tmp_path, *LINES).index.subjects(who())
    assert {c.subject: c.through for c in chains} == {
        "*": "everyone",
        "local|alice": "itself",
        "role:dev": "local|alice at rules.csv:4",
        "role:top": "role:dev at rules.csv:5",
    }


def test_a_role_of_another_tenant_or_issuer_is_not_theirs(tmp_path: Path) -> None:
    index = load(tmp_path, *LINES).index
    for principal in (who(tenant="else"), Principal("https://idp", "alice", "acme")):
        assert {"role:dev", "role:top"}.isdisjoint(c.subject for c in index.subjects(principal))


def test_candidates_are_of_the_tenant_the_subjects_and_the_server(tmp_path: Path) -> None:
    engine = load(tmp_path, *LINES)
    assert [r.id for r in engine.candidates(who(), "github")] == ["a", "b"]
    assert [r.id for r in engine.candidates(who(), "orders")] == ["b", "c"]
    assert [r.id for r in engine.candidates(who("eve"), "github")] == ["b"]


def test_a_tenant_called_star_meets_no_rule_twice(tmp_path: Path) -> None:
    engine = load(tmp_path, *LINES)
    assert [r.id for r in engine.candidates(who("a", "top", tenant="*"), "orders")] == ["b", "c"]
