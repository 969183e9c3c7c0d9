"""Documentation is tested: every section, command and refusal has its heading."""

import re
import tomllib
from pathlib import Path

from mcp_gateway.cli import main
from mcp_gateway.config import Settings
from mcp_gateway.core.errors import REFUSALS

ROOT = Path(__file__).parents[2]


def _headings(name: str) -> set[str]:
    return set(re.findall(r"^## (.+)$", (ROOT / "docs" / name).read_text("utf-8"), re.MULTILINE))


def test_every_section_of_the_configuration_has_a_heading() -> None:
    assert _headings("configuration.md") == set(Settings.model_fields)


def test_every_command_has_a_heading() -> None:
    assert _headings("commands.md") == set(main.commands)


def test_every_refusal_has_a_heading() -> None:
    assert _headings("refusals.md") == {refusal.slug for refusal in REFUSALS}


def test_every_toml_example_of_the_readme_is_a_configuration() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    examples = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)

    assert [Settings.model_validate(tomllib.loads(example)) for example in examples]
