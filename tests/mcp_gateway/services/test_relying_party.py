"""The gateway as a client of the provider that people log in at."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from joserfc.jwk import ECKey

from mcp_gateway.config import LoginSection
from mcp_gateway.oauth.upstream.discovery import Discovery
from mcp_gateway.services.relying_party import LoginFailed, RelyingParty
from mcp_gateway.wire.http import HttpClient, Network
from tests.support.identity_provider import CLIENT, SECRET, Authority, authority
from tests.support.logging_in import asked

CALLBACK = "https://gateway.example.com/oauth/login/callback"
STATE = "s" * 43


@pytest.fixture
def there() -> Iterator[Authority]:
    with authority() as made:
        yield made


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    client = HttpClient(Network(loopback=True))
    yield client
    await client.aclose()


@pytest.fixture
def party(http: HttpClient) -> RelyingParty:
    return RelyingParty(Discovery(http), http, b"k" * 32)


@pytest.fixture
def section(there: Authority, monkeypatch: pytest.MonkeyPatch) -> LoginSection:
    monkeypatch.setenv("LOGIN_SECRET", SECRET)
    return section_of(there.url)


def section_of(issuer: str, **more: Any) -> LoginSection:
    said = {"issuer": issuer, "client": CLIENT, "secret": {"env": "LOGIN_SECRET"}, **more}
    return LoginSection.model_validate(said)


async def answered(
    party: RelyingParty, section: LoginSection, there: Authority, **query: str
) -> Any:
    begun = asked(await party.asking(section, STATE, CALLBACK))
    there.answers["id_token"] = there.signed(
        "JWT", sub="ada", aud=CLIENT, nonce=begun["nonce"], name="Ada L."
    )
    return await party.answered(section, {"state": STATE, "code": "c", **query}, CALLBACK)


@pytest.mark.requirement("login:at-a-provider")
async def test_the_code_is_redeemed_with_the_verifier_of_its_state_by_any_process(
    party: RelyingParty, section: LoginSection, there: Authority, http: HttpClient
) -> None:
    begun = asked(await party.asking(section, STATE, CALLBACK))
    other = RelyingParty(Discovery(http), http, b"k" * 32)

    found, kept = await answered(other, section, there)

    assert (found.subject, found.name) == ("ada", "Ada L.")
    assert kept.access.reveal() in there.given
    assert begun["scope"] == "openid profile offline_access"
    [redeemed] = there.asked
    assert redeemed.client == CLIENT
    assert redeemed.form["redirect_uri"] == CALLBACK
    assert len(redeemed.form["code_verifier"]) == 43
    assert redeemed.form["code_verifier"] != begun["code_challenge"]


async def test_a_key_that_the_provider_has_taken_since_is_known_at_once(
    party: RelyingParty, section: LoginSection, there: Authority
) -> None:
    await answered(party, section, there)
    there.key = ECKey.generate_key("P-256", {"kid": "k", "use": "sig"})

    found, _ = await answered(party, section, there)

    assert found.subject == "ada"


async def test_a_client_without_a_secret_is_sent_only_where_the_verifier_is_checked(
    party: RelyingParty, section: LoginSection, there: Authority
) -> None:
    there.metadata["code_challenge_methods_supported"] = ["plain"]
    public = section.model_copy(update={"secret": None})

    with pytest.raises(LoginFailed, match="cannot log you in"):
        await party.asking(public, STATE, CALLBACK)
    confidential = await party.asking(section, STATE, CALLBACK)
    assert asked(confidential)["code_challenge_method"] == "S256"


async def test_a_provider_that_cannot_be_asked_logs_nobody_in_and_what_it_is_called_is_said(
    party: RelyingParty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGIN_SECRET", SECRET)

    with pytest.raises(LoginFailed, match="Example Works cannot log you in just now"):
        await party.asking(section_of("http://127.0.0.1:9", name="Example Works"), STATE, CALLBACK)


async def test_a_secret_that_cannot_be_read_logs_nobody_in_and_is_not_named(
    party: RelyingParty, there: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = section_of(there.url, secret={"env": "NOT_THERE_AT_ALL"})
    monkeypatch.delenv("NOT_THERE_AT_ALL", raising=False)

    with pytest.raises(LoginFailed) as failed:
        await party.asking(section, STATE, CALLBACK)

    assert "NOT_THERE" not in str(failed.value)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"code": "", "error": "access_denied"}, "you were not let in, or did not agree"),
        ({"error": "strange"}, "it does not say why"),
    ],
)
async def test_a_refusal_is_said_in_words(
    party: RelyingParty,
    section: LoginSection,
    there: Authority,
    query: dict[str, str],
    words: str,
) -> None:
    with pytest.raises(LoginFailed, match=words):
        await answered(party, section, there, **query)

    assert not there.asked


async def test_a_client_that_the_provider_does_not_know_logs_nobody_in(
    party: RelyingParty, section: LoginSection, there: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGIN_SECRET", "another")

    with pytest.raises(LoginFailed, match="did not log you in"):
        await answered(party, section, there)
