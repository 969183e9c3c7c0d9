"""A decision is one page of four headings, has a status, and is found from the index."""

import re
from pathlib import Path

import pytest

from tests.architecture.documents import DOCS, rows, sections

FOLDER = DOCS / "adr"
ADRS = sorted(FOLDER.glob("[0-9]*.md"))
HEADINGS = ["Context", "Decision", "Rationale", "Consequences"]
LONGEST = 100
_STATUS = re.compile(
    r"^Status: (accepted|proposed|superseded)\b(.*?)\n\n", re.MULTILINE | re.DOTALL
)
_SUPERSEDED_BY = re.compile(r"superseded by \[(\d{4})\]")
_SUPERSEDES = re.compile(r"supersedes \[(\d{4})\]")
every_adr = pytest.mark.parametrize("adr", ADRS, ids=lambda path: path.stem)


def status(adr: Path) -> str:
    found = _STATUS.search(adr.read_text("utf-8"))
    assert found, f"{adr.name} has no status"
    return f"{found[1]}{found[2]}"


def title(adr: Path) -> str:
    return adr.read_text("utf-8").partition("\n")[0].removeprefix(f"# {adr.name[:4]}: ")


@every_adr
@pytest.mark.requirement("docs:decisions-have-one-form")
def test_a_decision_is_one_page_of_four_headings_with_a_status(adr: Path) -> None:
    text = adr.read_text("utf-8")

    assert re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", adr.name)
    assert text.startswith(f"# {adr.name[:4]}: ")
    assert text.index("\nStatus: ") < text.index("\n## Context")
    assert status(adr)
    assert list(sections(text)) == HEADINGS
    assert all(body.strip() for body in sections(text).values())
    assert len(text.splitlines()) <= LONGEST


@pytest.mark.requirement("docs:decisions-have-one-form")
def test_no_two_decisions_have_one_number() -> None:
    numbers = [adr.name[:4] for adr in ADRS]
    assert sorted(set(numbers)) == numbers


@every_adr
def test_what_is_superseded_and_what_supersedes_it_name_each_other(adr: Path) -> None:
    by_number = {other.name[:4]: other for other in ADRS}
    number = adr.name[:4]
    successors = _SUPERSEDED_BY.findall(status(adr))

    assert bool(successors) == status(adr).startswith("superseded")
    for successor in successors:
        assert number in _SUPERSEDES.findall(status(by_number[successor]))
    for earlier in _SUPERSEDES.findall(status(adr)):
        assert number in _SUPERSEDED_BY.findall(status(by_number[earlier]))


def test_the_index_has_every_decision_with_its_title_and_status() -> None:
    index = list(rows((FOLDER / "README.md").read_text("utf-8")))
    expected = [
        [f"[{adr.name[:4]}]({adr.name})", title(adr), status(adr).partition(" ")[0].strip(".,;:")]
        for adr in ADRS
    ]
    assert index == expected
