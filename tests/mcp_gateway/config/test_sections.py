from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from mcp_gateway.config import ConfigError, Secret
from mcp_gateway.config.sections import Endpoint, Issuer, Role


def test_a_secret_is_read_from_its_file_or_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text(" hunter2\n", "utf-8")
    monkeypatch.setenv("TOKEN_OF_TESTS", "hunter3")

    assert Secret(file=str(tmp_path / "token")).read() == "hunter2"
    assert Secret(env="TOKEN_OF_TESTS").read() == "hunter3"
    for missing in (Secret(file=str(tmp_path / "none")), Secret(env="NONE_OF_TESTS")):
        with pytest.raises(ConfigError, match="cannot be read"):
            missing.read()


@pytest.mark.requirement("identity:secrets-go-where-nobody-listens")
@pytest.mark.parametrize(
    "url",
    [
        "http://login.example.com/token",
        "http://127.0.0.1.evil.example/token",
        "http://2130706433/token",
        "http://localhost@evil.example/token",
        "https://user:hunter2@login.example.com/token",
        "https://login.example.com\\@evil.example/token",
        "https://login.example.com/token\r\nHost: evil.example",
        "https://login.example.com/#fragment",
        "HTTPS//login.example.com",
        "https://",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "login.example.com",
    ],
)
def test_nothing_secret_is_sent_in_clear_or_to_what_is_no_plain_url(url: str) -> None:
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(Endpoint).validate_python(url)

    assert "hunter2" not in str(refused.value.errors(include_input=False))


@pytest.mark.parametrize(
    "url",
    [
        *("", "https://login.example.com/token?tenant=a", "http://127.0.0.1:9/token"),
        *("http://[::1]:9", "http://localhost:9"),
    ],
)
def test_an_endpoint_is_https_or_of_this_machine(url: str) -> None:
    assert TypeAdapter(Endpoint).validate_python(url) == url


@pytest.mark.parametrize("url", ["https://a.example/?x", "https://a.example/#x"])
def test_an_issuer_has_no_query_and_no_fragment(url: str) -> None:
    with pytest.raises(ValidationError, match="without query"):
        TypeAdapter(Issuer).validate_python(url)


@pytest.mark.parametrize("role", ["", "two roles", "a\n"])
def test_a_role_is_one_word(role: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Role).validate_python(role)


@pytest.mark.requirement("attack:d35")
@pytest.mark.parametrize("value", ["", " \n"])
def test_an_empty_secret_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    (tmp_path / "secret").write_text(value)
    monkeypatch.setenv("EMPTY_OF_TESTS", "")

    for named in ({"file": str(tmp_path / "secret")}, {"env": "EMPTY_OF_TESTS"}):
        with pytest.raises(ConfigError, match="is empty"):
            Secret.model_validate(named).read()
