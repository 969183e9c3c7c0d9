"""What a stranger says of itself: read with mistrust, and shown as what it is."""

import sys
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.oauth.server.rfc6749 import OAuthError
from mcp_gateway.oauth.server.rfc7591 import LONGEST_NAME, plain_name, registered

HERE = ["http://127.0.0.1/callback"]
IGNORABLE = {0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180F, 0x3164, 0xFFA0}
"""Default_Ignorable_Code_Point outside of category Cf, as far as it is no variation selector."""


def said(**members: Any) -> dict[str, Any]:
    return {"redirect_uris": HERE, **members}


def test_what_is_left_out_has_the_defaults_of_the_standard() -> None:
    found = registered(said())

    assert found.redirects == tuple(HERE)
    assert found.method == "client_secret_basic"
    assert found.grants == {"authorization_code"}
    assert found.name == ""
    assert found.scopes == frozenset()


def test_what_is_said_is_read_and_no_more() -> None:
    found = registered(
        said(
            client_name="Claude Code (gw)",
            token_endpoint_auth_method="none",
            grant_types=["authorization_code", "refresh_token", "client_credentials"],
            response_types=["code"],
            scope="mcp offline_access",
            redirect_uris=[*HERE, *HERE],
            jwks_uri="http://169.254.169.254/",
            logo_uri="http://169.254.169.254/",
            application_type="native",
        )
    )

    assert found.name == "Claude Code (gw)"
    assert found.method == "none"
    assert found.grants == {"authorization_code", "refresh_token"}
    assert found.scopes == {"mcp", "offline_access"}
    assert found.redirects == tuple(HERE)


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        [],
        "text",
        5,
        said(token_endpoint_auth_method="private_key_jwt"),
        said(token_endpoint_auth_method=["none"]),
        said(token_endpoint_auth_method={"none": 1}),
        said(token_endpoint_auth_method=5),
        said(response_types=["token"]),
        said(response_types=["code", "token"]),
        said(response_types="code"),
        said(response_types=[["code"]]),
        said(grant_types=["refresh_token"]),
        said(grant_types=["implicit"]),
        said(grant_types={"authorization_code": 1}),
        said(scope=["mcp"]),
    ],
)
def test_metadata_that_cannot_be_taken_is_refused_in_the_words_of_the_standard(
    metadata: Any,
) -> None:
    with pytest.raises(OAuthError) as refused:
        registered(metadata)

    assert refused.value.code == "invalid_client_metadata"
    assert refused.value.status == 400


@pytest.mark.requirement("attack:d1")
@pytest.mark.parametrize(
    "redirects",
    [
        None,
        [],
        "https://app.example.com/cb",
        [5],
        [["https://app.example.com/cb"]],
        ["javascript:alert(1)"],
        ["https://app.example.com/cb", "http://evil.example/cb"],
        ["https://app.example.com/cb#f"],
        ["https://*.example.com/cb"],
        [f"https://app.example.com/{n}" for n in range(21)],
    ],
)
def test_no_client_registers_an_address_that_is_none(redirects: Any) -> None:
    with pytest.raises(OAuthError) as refused:
        registered(said(redirect_uris=redirects))

    assert refused.value.code == "invalid_redirect_uri"


def test_a_scope_that_is_none_is_refused() -> None:
    with pytest.raises(OAuthError, match="scope"):
        registered(said(scope='mcp "quoted"'))


@pytest.mark.requirement("attack:d16")
@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Claude Code", "Claude Code"),
        ("  two\t\n lines\r\n", "two lines"),
        ("a\x1b[31mred\x00", "a [31mred"),
        (
            "2026-01-01 client.registered\n2026-01-02 forged",
            "2026-01-01 client.registered 2026-01-02 forged",
        ),
        ("evil\u202egnp.exe", "evil gnp.exe"),
        ("left\u200emark\u061carabic", "left mark arabic"),
        ("soft\u00adhyphen", "soft hyphen"),
        ("zero\u200bwidth\ufeff", "zero width"),
        ("filler\u3164\u115f\u1160.", "filler ."),
        ("tag\U000e0041s", "tag s"),
        ("line\u2028para\u2029", "line para"),
        ("\ud800lone", "lone"),
        ("ﬁne \uff21\uff22\uff23", "fine ABC"),
        ("Bücher é", "Bücher é"),
        ("日本語 クライアント", "日本語 クライアント"),
        ("Клиент", "Клиент"),
        ("x" * 500, "x" * LONGEST_NAME),
        (None, ""),
        (["a"], ""),
    ],
)
def test_a_name_is_one_line_that_shows_as_what_it_is(name: Any, shown: str) -> None:
    assert plain_name(name) == shown


@pytest.mark.requirement("attack:d2")
@pytest.mark.parametrize(
    "name",
    ["Сlaude Code", "Claude Cоde", "Clauԁe Code", "Ϲlaude Code", "Cⅼaudе", "GitHub Сopilot"],  # noqa: RUF001
)
def test_a_name_of_letters_that_look_like_those_of_another_alphabet_is_none(name: str) -> None:
    assert plain_name(name) == ""


@pytest.mark.requirement("attack:d16")
def test_no_character_of_a_name_is_hidden_or_turns_text() -> None:
    for code in range(sys.maxunicode + 1):
        for char in plain_name(chr(code)):
            category = unicodedata.category(char)
            assert char == " " or category[0] not in "CZ", hex(code)
            assert ord(char) not in IGNORABLE, hex(code)
            assert "VARIATION SELECTOR" not in unicodedata.name(char, ""), hex(code)


@given(st.text())
def test_a_name_is_short_and_reading_it_again_changes_nothing(text: str) -> None:
    once = plain_name(text)

    assert len(once) <= LONGEST_NAME
    assert "\n" not in once
    assert once.isprintable()
    assert plain_name(once) == once
