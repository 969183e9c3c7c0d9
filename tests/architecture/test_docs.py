"""What there is has its place in the documents, and they name nothing that there is not."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, get_args, get_origin

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import BaseModel

from connectors import CONNECTORS
from local_models.guards.patterns import LABELS, PATTERNS
from local_models.guards.profiles import built_in
from local_models.guards.rules import RulesGuard
from mcp_gateway import app, pipeline
from mcp_gateway.cli import main
from mcp_gateway.config import DiscoveryGrant, GuardSection, Secret, Server, Settings
from mcp_gateway.core import errors, ports
from mcp_gateway.core.call import Next
from mcp_gateway.core.decision import NEVER, STANDING
from mcp_gateway.core.target import KINDS
from mcp_gateway.ledger.commitment import Commitments
from mcp_gateway.ledger.folder import open_log
from mcp_gateway.limits.memory import LEVELS
from mcp_gateway.services.operations import OPERATIONS
from mcp_gateway.services.own import TOOLS
from policies.reader import OBLIGATIONS
from tests.architecture.documents import DOCS, first_cells, inline, rows, sections
from tests.support.fakes import FakeBroker, FakeHandles, FakeLedger, FakeLimiter, FakeParking

REQUIRED: Final = object()
_CODES: Final = re.compile(r"`[^`]+`(, `[^`]+`)*")

CONFIGURATION = sections((DOCS / "configuration.md").read_text("utf-8"))
COMMANDS = sections((DOCS / "commands.md").read_text("utf-8"))
ARCHITECTURE = sections((DOCS / "architecture.md").read_text("utf-8"))
POLICY = sections((DOCS / "policy.md").read_text("utf-8"))
GUARDS = sections((DOCS / "guards.md").read_text("utf-8"))
SECTIONS: Mapping[str, type[BaseModel]] = {
    name: field.annotation
    for name, field in Settings.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
}


def settings_of(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Each setting under its dotted name, with its default."""
    for name, field in model.model_fields.items():
        default = REQUIRED if field.is_required() else field.get_default(call_default_factory=True)
        inner = [t for t in (field.annotation, *get_args(field.annotation)) if is_section(t)]
        for section in inner:
            named = (
                f"{prefix}{name}.<name>."
                if get_origin(field.annotation) is dict
                else f"{prefix}{name}."
            )
            for key, value in settings_of(section, named):
                yield key, None if default is None and value is REQUIRED else value
        if not inner:
            yield prefix + name, default


def is_section(annotation: Any) -> bool:
    """Whether it is a table of settings; a secret is a value, and so is a grant like another."""
    model = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return model and annotation not in (Secret, DiscoveryGrant)


def described() -> Mapping[str, tuple[str, type[BaseModel]]]:
    """The text and the model of everything that has settings of its own."""
    servers, *_ = CONFIGURATION["servers"].split("\n### ")
    kinds = sections(CONFIGURATION["servers"], 3)
    return {
        **{name: (CONFIGURATION[name], model) for name, model in SECTIONS.items()},
        **{name: (kinds[name], kind.Config) for name, kind in CONNECTORS.items()},
        "servers": (servers, Server),
        "guards": (CONFIGURATION["guards"], GuardSection),
    }


def shown(default: Any) -> list[str]:
    """A default as the documents write it: nothing for what is empty."""
    if isinstance(default, bool):
        return [str(default).lower()]
    if isinstance(default, list):
        return default
    if isinstance(default, float):
        return [f"{default:.15g}"]
    return [str(default)] if default not in ("", None, frozenset(), {}) else []


@pytest.mark.requirement("docs:everything-has-its-place")
def test_every_section_of_the_configuration_has_a_heading() -> None:
    assert list(CONFIGURATION) == list(Settings.model_fields)


@pytest.mark.requirement("docs:everything-has-its-place")
@pytest.mark.parametrize("name", [*SECTIONS, *CONNECTORS, "servers", "guards"])
def test_every_setting_has_its_row_under_its_section_and_no_row_is_of_another(name: str) -> None:
    text, model = described()[name]

    assert sorted(first_cells(text)) == sorted(key for key, _ in settings_of(model))


@pytest.mark.parametrize("name", [*SECTIONS, *CONNECTORS, "servers", "guards"])
def test_every_default_is_the_one_that_is_documented(name: str) -> None:
    text, model = described()[name]
    defaults = dict(settings_of(model))

    for keys, default, *_ in rows(text):
        said = inline(default) if _CODES.fullmatch(default) else []
        for key in inline(keys):
            assert (default == "required") == (defaults[key] is REQUIRED), key
            assert said == ([] if defaults[key] is REQUIRED else shown(defaults[key])), key


def test_every_level_of_limits_has_its_row_with_its_default() -> None:
    found = {row[0].strip("`"): row[1] for row in rows(CONFIGURATION["limits"])}
    assert set(found) == LEVELS

    said = {level: cell.strip("`") for level, cell in found.items() if cell != "none"}
    assert {k: tomllib.loads(v) for k, v in said.items()} == Settings().limits


def test_every_connector_has_its_heading() -> None:
    assert list(sections(CONFIGURATION["servers"], 3)) == list(CONNECTORS)


@pytest.mark.requirement("docs:everything-has-its-place")
def test_every_command_has_a_heading() -> None:
    assert set(COMMANDS) == set(main.commands)


@pytest.mark.requirement("docs:everything-has-its-place")
def test_every_subcommand_is_shown_under_its_group() -> None:
    for name, group in main.commands.items():
        for sub in getattr(group, "commands", {}):
            assert re.search(rf"`{name} {sub}[` ]", COMMANDS[name]), f"{name} {sub}"


@pytest.mark.requirement("docs:everything-has-its-place")
def test_every_refusal_has_a_heading() -> None:
    told = sections((DOCS / "refusals.md").read_text("utf-8"))
    assert list(told) == [refusal.slug for refusal in errors.REFUSALS]
    assert all(text.strip() for text in told.values())


def test_every_refusal_has_the_codes_that_are_documented() -> None:
    told = rows((DOCS / "refusals.md").read_text("utf-8"))
    assert [[row[0].strip("`"), *map(int, row[1:])] for row in told] == [
        [refusal.slug, refusal.code, refusal.status, refusal.admin_status]
        for refusal in errors.REFUSALS
    ]


def literal_list(monkeypatch: pytest.MonkeyPatch) -> Sequence[ports.Stage]:
    """The list that app.py hands to compose()."""
    kept: list[ports.Stage] = []

    def keeping(stages: Sequence[ports.Stage]) -> Next:
        kept[:] = stages
        return pipeline.compose(stages)

    monkeypatch.setattr(app, "compose", keeping)
    app.chain(
        app.Ports(FakeLedger(), FakeParking(), FakeHandles(), [], FakeLimiter(), {}, FakeBroker())
    )
    return kept


@pytest.mark.requirement("docs:everything-has-its-place")
def test_every_stage_is_shown_in_its_order_with_what_it_needs_and_sets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    edge, *found = [[set(inline(cell)) for cell in row] for row in life_of_a_call()]
    stages = literal_list(monkeypatch)

    assert edge[2] == pipeline.EDGE
    assert [row[:3] for row in found] == [
        [{type(stage).__name__.lower()}, set(stage.needs), set(stage.sets)] for stage in stages
    ]


def test_the_stages_discharge_what_every_call_owes_and_refuse_with_refusals() -> None:
    table = list(life_of_a_call())
    discharged = {name for row in table for name in inline(row[3])}
    refused = {name for row in table for name in inline(row[4])}

    assert discharged == {o.name for o in STANDING} | {"guard"}
    assert refused <= {refusal.__name__ for refusal in errors.REFUSALS}


def life_of_a_call() -> Iterator[list[str]]:
    return rows(ARCHITECTURE["The life of a call"])


@pytest.mark.requirement("docs:everything-has-its-place")
def test_every_obligation_is_explained() -> None:
    text = POLICY["Obligations"]
    standing = {o.name for o in STANDING}

    assert {word.partition(":")[0] for word in first_cells(text)} == OBLIGATIONS
    assert standing <= set(inline(text))
    assert standing | {o.name for o in NEVER} <= set(inline(ARCHITECTURE["The life of a call"]))


def test_every_kind_of_target_is_named() -> None:
    assert set(inline(POLICY["Target patterns"])) >= KINDS - {"none"}


@pytest.mark.requirement("docs:everything-has-its-place")
def test_every_operation_and_every_tool_of_the_gateways_own_is_named() -> None:
    text = POLICY["Acts of administrators"]

    assert first_cells(text) == [f"operation/gateway/{name}" for name in OPERATIONS]
    assert set(inline(text)) >= {f"tool/gateway/{tool['name']}" for tool in TOOLS}


@pytest.mark.requirement("docs:everything-has-its-place")
def test_every_guard_profile_label_and_rule_is_named() -> None:
    rules = list(rows(GUARDS["The rules guard"]))

    assert first_cells(GUARDS["Profiles"]) == list(built_in(RulesGuard()))
    assert set(first_cells(GUARDS["The rules guard"])) == LABELS
    assert [row[1].strip("`") for row in rules] == [pattern.rule for pattern in PATTERNS]


def test_every_rule_of_the_guard_stands_under_its_label() -> None:
    label, found = "", {}
    for row in rows(GUARDS["The rules guard"]):
        label = row[0].strip("`") or label
        found[row[1].strip("`")] = label

    assert found == {pattern.rule: pattern.label for pattern in PATTERNS}


@pytest.mark.requirement("docs:everything-has-its-place")
async def test_every_file_of_a_log_is_explained(tmp_path: Path) -> None:
    key, secret = Ed25519PrivateKey.generate(), Commitments(b"k" * 32)
    log = await open_log(tmp_path, "test", key, secret)
    log.checkpoint()
    await log.aclose()
    text = (DOCS / "ledger.md").read_text("utf-8")

    assert {path.name for path in log.folder.iterdir()} == set(first_cells(text))
