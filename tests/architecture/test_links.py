"""What a document points at is there."""

import re
from pathlib import Path

import pytest

from tests.architecture.documents import DOCS, ROOT, documents, inline, links, name_of, prose

_FILE = re.compile(r"([\w.-]+/)+[\w.-]+\.(py|md|toml|csv|conf|json|lock)|([\w-]+/)+")
_PLACES = (ROOT, ROOT / "mcp_gateway")
THE_OPERATORS_OWN = ("var/", "stable/")
"""Folders of an installation, which no checkout has."""
every_document = pytest.mark.parametrize("path", documents(), ids=name_of)


def anchors(path: Path) -> set[str]:
    """The headings of a document, as links name them."""
    headings = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.requirement("docs:links-lead-somewhere")
@every_document
def test_no_link_is_dead(path: Path) -> None:
    for link in links(path):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        found = (path.parent / name).resolve() if name else path
        assert found.exists(), link
        assert found.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(found), link


@pytest.mark.requirement("docs:links-lead-somewhere")
@every_document
def test_no_file_that_is_named_is_missing(path: Path) -> None:
    named = [word for word in inline(prose(path)) if "/" in word and _FILE.fullmatch(word)]
    ours = [word for word in named if not word.startswith(THE_OPERATORS_OWN)]

    assert [word for word in ours if not any((place / word).exists() for place in _PLACES)] == []


@pytest.mark.requirement("docs:links-lead-somewhere")
def test_every_page_is_reached_from_the_readme() -> None:
    reached, open_ = set[Path](), [ROOT / "README.md"]
    while open_:
        page = open_.pop()
        if page in reached:
            continue
        reached.add(page)
        found = [(page.parent / link.partition("#")[0]).resolve() for link in links(page)]
        found += [each / "README.md" for each in found if each.is_dir()]
        open_ += [each for each in found if each.suffix == ".md" and each.exists()]

    assert set(DOCS.rglob("*.md")) - reached == set()
