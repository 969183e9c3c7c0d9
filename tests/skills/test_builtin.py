import re

import click
import pytest

import skills
from mcp_gateway.cli.main import main
from mcp_gateway.services.own import TOOLS

SKILLS = {skill.name: skill for skill in skills.builtin()}
TOOL_NAMES = {f"gateway__{tool['name']}" for tool in TOOLS}
FIELDS = {"name", "description", "license", "compatibility", "metadata", "allowed-tools"}
"""All that the Agent Skills specification allows; a validator refuses any other."""


@pytest.mark.requirement("skills:two-that-ship")
def test_two_skills_ship() -> None:
    assert set(SKILLS) == {"request-access", "review-the-ledger"}
    assert len({skill.digest for skill in SKILLS.values()}) == 2


@pytest.mark.parametrize("skill", SKILLS.values(), ids=SKILLS.keys())
def test_a_description_says_when_to_use_the_skill(skill: skills.Skill) -> None:
    assert "Use " in skill.description
    assert skill.version != "0.0.0"
    assert len(skill.text.splitlines()) < 500


@pytest.mark.requirement("skills:two-that-ship")
def test_request_access_names_tools_that_exist() -> None:
    named = set(re.findall(r"gateway__\w+", SKILLS["request-access"].text))
    assert named == TOOL_NAMES


@pytest.mark.requirement("skills:two-that-ship")
def test_review_the_ledger_names_commands_that_exist() -> None:
    lines = re.findall(r"^    mcp-gateway (.+)$", SKILLS["review-the-ledger"].text, re.MULTILINE)
    assert len(lines) >= 4
    for line in lines:
        assert known(line.split()), line


def known(words: list[str]) -> bool:
    """Whether the command exists, with every option that is written."""
    command: click.Command | None = main
    while words and isinstance(command, click.Group):
        command = command.commands.get(words.pop(0))
    if command is None:
        return False
    options = {text for each in command.params for text in each.opts}
    return {word for word in words if word.startswith("-")} <= options


@pytest.mark.parametrize("skill", SKILLS.values(), ids=SKILLS.keys())
def test_front_matter_has_no_field_that_validators_refuse(skill: skills.Skill) -> None:
    head = skill.text.split("---\n")[1]
    assert set(re.findall(r"^([a-z-]+):", head, re.MULTILINE)) <= FIELDS
