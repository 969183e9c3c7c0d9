import json

import pytest

import skills
from mcp_gateway.core.snapshot import GATEWAY
from mcp_gateway.core.target import Definition
from mcp_gateway.services import own
from mcp_gateway.services.operations import OPERATIONS
from skills import Skill

FOUND = own.definitions(skills.builtin(), list(OPERATIONS))


def test_everything_of_the_gateways_own_is_defined_once() -> None:
    names = [(d.kind, d.name) for d in FOUND]

    assert len(set(names)) == len(names)
    assert {name for kind, name in names if kind == "tool"} == {
        "whoami",
        "explain_denial",
        "request_access",
    }
    assert {name for kind, name in names if kind == "operation"} == set(OPERATIONS)
    assert {("prompt", "request-access"), ("resource", "skill://request-access/SKILL.md")} <= set(
        names
    )
    assert {d.server for d in FOUND} == {GATEWAY}
    assert len({d.digest for d in FOUND}) == len(FOUND)


@pytest.mark.parametrize("definition", FOUND, ids=lambda d: f"{d.kind}-{d.name}")
def test_what_is_listed_is_what_is_defined(definition: Definition) -> None:
    entry = json.loads(definition.raw)

    assert definition.name in (entry.get("name"), entry.get("uri"))
    if definition.kind == "tool":
        assert entry["inputSchema"]["type"] == "object"
        assert set(entry["inputSchema"].get("required", ())) <= set(
            entry["inputSchema"]["properties"]
        )
    if definition.kind == "resource":
        assert entry["size"] > 0


@pytest.mark.parametrize(
    ("path", "media"),
    [
        ("SKILL.md", "text/markdown"),
        ("run.py", "text/x-python"),
        ("a/b.png", "image/png"),
        ("odd", "application/octet-stream"),
    ],
)
def test_a_file_has_the_media_type_of_its_name(path: str, media: str) -> None:
    assert own.media_of(path) == media


def test_what_has_no_name_cannot_be_offered() -> None:
    with pytest.raises(ValueError, match="its name is empty"):
        own.definitions([Skill("", "d", "1", "x", {})], [""])
