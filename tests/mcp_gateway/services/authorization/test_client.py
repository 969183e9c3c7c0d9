import hashlib
import json
from pathlib import Path

import pytest

from mcp_gateway.config import WorkloadSection
from mcp_gateway.oauth.server.rfc7591 import registered
from mcp_gateway.services.authorization.client import (
    digest_of,
    of_document,
    of_row,
    of_section,
)
from mcp_gateway.store.rows import ClientRow
from tests.support.tokens import EC, public

SECRET = "marked-secret"
ROW = ClientRow(
    id="abc",
    kind="dcr",
    name="App",
    redirects='["http://127.0.0.1/cb"]',
    secret=hashlib.sha256(SECRET.encode()).hexdigest(),
    method="client_secret_basic",
    grants="authorization_code refresh_token",
    created=1,
)


def section(tmp_path: Path, **said: object) -> WorkloadSection:
    (tmp_path / "secret").write_text(SECRET)
    return WorkloadSection.model_validate({"secret": {"file": str(tmp_path / "secret")}, **said})


def test_who_registered_is_never_more_than_their_own_word() -> None:
    client = of_row(ROW)

    assert (client.id, client.kind, client.verified) == ("abc", "dcr", False)
    assert client.redirects == ("http://127.0.0.1/cb",)
    assert client.grants == {"authorization_code", "refresh_token"}
    assert client.roles == frozenset()
    assert client.mode == "unknown"


def test_a_client_shows_its_own_secret_and_no_other() -> None:
    client = of_row(ROW)

    assert client.shows(SECRET)
    assert not client.shows("another")
    assert not client.shows("")


def test_a_client_without_a_secret_shows_none_not_even_an_empty_one() -> None:
    public_one = of_document(
        "https://a.example/c", registered({"redirect_uris": ["http://[::1]"]}), None
    )

    assert not public_one.shows("")
    assert not public_one.shows("anything")


def test_no_secret_is_in_what_is_shown_of_a_client() -> None:
    shown = repr(of_row(ROW))

    assert SECRET not in shown
    assert ROW.secret not in shown
    assert repr(digest_of(SECRET)) not in shown


def test_a_client_that_is_a_url_is_vouched_for_by_its_host() -> None:
    said = registered({"client_name": "App", "redirect_uris": ["http://127.0.0.1/cb"]})

    client = of_document("https://a.example/c", said, None)

    assert (client.kind, client.host, client.name, client.verified) == (
        "cimd",
        "a.example",
        "App",
        True,
    )


def test_a_program_of_the_configuration_has_what_stands_there(tmp_path: Path) -> None:
    client = of_section("ci", section(tmp_path, roles=["ci"], scopes=["mcp"]), b"")

    assert (client.id, client.kind, client.method) == ("ci", "registered", "client_secret_basic")
    assert client.grants == {"client_credentials"}
    assert client.roles == {"ci"}
    assert client.scopes == {"mcp"}
    assert client.mode == "unattended"
    assert client.redirects == ()
    assert client.shows(SECRET)


def test_a_program_with_keys_signs_and_has_no_secret() -> None:
    client = of_section("ci", WorkloadSection(jwks="jwks.json"), json.dumps(public(EC)).encode())

    assert client.method == "private_key_jwt"
    assert client.keys is not None
    assert not client.shows("")


@pytest.mark.parametrize("jwks", [b"{", b"{}", b"[]", b'{"keys": []}', b'{"keys": 5}'])
def test_what_is_no_key_set_is_said_to_be_none(jwks: bytes) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        of_section("ci", WorkloadSection(jwks="jwks.json"), jwks)
