import json
from pathlib import Path
from typing import Any

import pytest

from connectors import entries, templates
from connectors.entries import META, entry, of_file
from connectors.server_json import SCHEMA
from tests.support.server_json import faults

FOLDER = Path(entries.__file__).parent / "builtin"
VENDORS = ["atlassian", "github", "google", "linear", "microsoft", "notion"]
VENDORS += ["salesforce", "sentry", "servicenow", "slack", "snowflake", "stripe"]
VALUES = {
    "account": "a-b.example.com",
    "database": "DB",
    "instance": "acme",
    "product": "bigquery",
    "schema": "PUBLIC",
    "server": "x",
}


def changed(**about: Any) -> bytes:
    content = json.loads((FOLDER / "github.json").read_bytes())
    content["_meta"][META] |= about
    return json.dumps(content).encode()


@pytest.mark.requirement("catalogue:twelve-in-the-registrys-form")
def test_the_twelve_are_there() -> None:
    assert entries.names() == VENDORS


@pytest.mark.requirement("catalogue:twelve-in-the-registrys-form")
@pytest.mark.parametrize("name", VENDORS)
def test_every_file_is_of_the_registrys_form_and_says_where_its_facts_are_from(name: str) -> None:
    found = entry(name)
    sourced = {fact for source in found.about.sources for fact in source.facts}

    assert found.server.schema_ == SCHEMA
    assert found.server.name == f"io.github.mcp-gateway/{name}"
    assert {"url", "auth", "operator"} <= sourced
    assert ("scopes" in sourced) == bool(found.about.auth.scopes)
    assert ("quirks" in sourced) == bool(found.about.quirks)


@pytest.mark.requirement("catalogue:twelve-in-the-registrys-form")
@pytest.mark.parametrize("name", VENDORS)
def test_a_second_reader_has_nothing_against_any_file(name: str) -> None:
    assert faults(json.loads((FOLDER / f"{name}.json").read_bytes())) == []


@pytest.mark.parametrize("change", [{"name": "x"}, {"description": ""}, {"remotes": [{}]}])
def test_the_second_reader_reads(change: dict[str, Any]) -> None:
    assert faults(json.loads((FOLDER / "github.json").read_bytes()) | change) != []


@pytest.mark.parametrize("name", VENDORS)
def test_every_url_is_of_the_public_web_once_its_variables_are_filled(name: str) -> None:
    url = entry(name).remote.url

    assert templates.public(templates.fill(url, VALUES))
    assert set(templates.variables_of(url)) == set(entry(name).remote.variables)


@pytest.mark.requirement("catalogue:nothing-is-guessed")
@pytest.mark.parametrize("name", VENDORS)
def test_nobody_has_tried_any_and_each_says_so(name: str) -> None:
    about = entry(name).about

    assert not about.verified
    assert entry(name).standing.startswith("not verified: nobody tried it, its facts are from ")
    for word in (about.region, about.retention, about.terms, *about.data_classes):
        assert not word, "what is published has its source: say it in this test as well"


def test_what_was_tried_says_by_what() -> None:
    tried = of_file("github", changed(verified=True, verifiedBy="a call on 2026-12-01"))

    assert tried.standing == "verified: a call on 2026-12-01"


@pytest.mark.parametrize(
    "about",
    [
        {"verified": True},
        {"verifiedBy": "somebody"},
        {"command": ["sh"]},
        {"auth": {"kind": "free"}},
        {"sources": []},
        {"sources": [{"facts": ["url"], "source": "x", "date": "once"}]},
    ],
)
def test_what_is_not_of_our_form_is_refused(about: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w+: "):
        of_file("github", changed(**about))


def test_a_name_that_is_none_is_not_looked_for_among_files() -> None:
    for name in ("nobody", "../entries", "github.json", ""):
        with pytest.raises(KeyError):
            entry(name)


def test_an_entry_has_a_remote_and_no_packages() -> None:
    content = json.loads((FOLDER / "github.json").read_bytes())

    changes: list[dict[str, Any]] = [{"remotes": []}, {"packages": [{}]}, {"_meta": {}}]
    for change in changes:
        with pytest.raises(ValueError, match="one remote, no packages"):
            of_file("github", json.dumps({**content, **change}).encode())
