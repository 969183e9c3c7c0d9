from pathlib import Path

import pytest

from tests.policies.rulebook import load


@pytest.mark.parametrize(
    ("target", "action", "warned"),
    [
        ("tool/github/*", "tool/call", True),
        ("*/github/*", "tools/cal", True),
        ("tool/github/*", "tools/call", False),
        ("tool/github/*", "*", False),
        ("method/github/*", "vendor/anything", False),
    ],
)
def test_an_action_that_nobody_knows_is_warned_of(
    tmp_path: Path, target: str, action: str, *, warned: bool
) -> None:
    engine = load(tmp_path, f"p, 1, r, role:dev, acme, {target}, {action}, , allow,")
    assert any("no call is known by" in text for text in engine.warnings) is warned


def test_an_approval_on_an_allow_is_warned_of(tmp_path: Path) -> None:
    rule = "p, 1, r, role:dev, acme, tool/a/*, *, , {}, approval:boss"
    assert "write deny" in str(load(tmp_path, rule.format("allow")).warnings)
    assert "write deny" not in str(load(tmp_path, rule.format("deny")).warnings)
