from pathlib import Path

import pytest

import policies
from policies import Engine, parse_target, suites
from tests.policies.rulebook import load

RULES = (
    "p, 10, all, role:dev, acme, tool/github/*, tools/call, , allow,",
    "p, 20, more, role:dev, acme, tool/*/*, tools/call, , allow,",
)
CASE = """
[[case]]
as = "alice"
roles = ["dev"]
tenant = "acme"
action = "tools/call"
target = "tool/github/add"
expect = "allow"
rule = "all"
"""


def said(engine: Engine, folder: Path, text: str) -> list[str]:
    file = folder / "suite.toml"
    file.write_bytes(text.encode("latin-1"))
    return [f"{failure.where}: {failure.said}" for failure in suites.run(engine, [file])]


def test_a_case_that_comes_out_as_expected_is_no_failure(tmp_path: Path) -> None:
    assert said(load(tmp_path, *RULES), tmp_path, CASE) == []


@pytest.mark.requirement("policy:suites")
@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('"allow"', '"deny"', "suite.toml, case 1: expected deny:\nALLOW  local|alice"),
        ('"all"', '"more"', "expected the rule more"),
        ('["dev"]', "[]", "expected allow"),
        ("tool/github/add", "tool/github", "is no target"),
        ("tool/github/add", "none/a/b", ""),
        ('"allow"', '"maybe"', "expect"),
        ("roles", "role", "role"),
        ("[[case]]", "case", "suite.toml"),
        ('"alice"', '"\xe9"', "utf-8"),
    ],
)
def test_anything_else_is_a_failure_that_says_why(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    found = said(load(tmp_path, *RULES), tmp_path, CASE.replace(old, new))
    assert len(found) == 1
    assert expected in found[0]


def test_a_suite_that_asks_nothing_is_a_failure(tmp_path: Path) -> None:
    assert said(load(tmp_path, *RULES), tmp_path, "case = []")
    assert said(load(tmp_path, *RULES), tmp_path, "")


def test_a_missing_suite_is_a_failure(tmp_path: Path) -> None:
    assert suites.run(load(tmp_path, *RULES), [tmp_path / "none.toml"])


@pytest.mark.requirement("policy:suites")
def test_the_rules_that_ship_pass_their_suite() -> None:
    folder = Path(policies.__file__).parent
    engine = policies.load([folder / "builtin" / "first-run.csv"])
    assert suites.run(engine, [folder / "suites" / "first-run.toml"]) == []
    assert list(engine.warnings) == []


@pytest.mark.parametrize("text", ["", "tool", "tool/a", "tool//a", "tool/a/", "tol/a/b"])
def test_a_target_has_three_parts(text: str) -> None:
    with pytest.raises(ValueError, match="write kind/server/name"):
        parse_target(text)


def test_only_the_name_of_a_target_holds_slashes() -> None:
    assert str(parse_target("resource/files/file:///a/b")) == "resource/files/file:///a/b"
    assert parse_target("resource/files/file:///a/b").name == "file:///a/b"
