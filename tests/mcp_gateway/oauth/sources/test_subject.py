"""Whose token is exchanged: the caller's own, as their provider gave it."""

from dataclasses import replace

import pytest

from mcp_gateway.core.errors import UpstreamFailed
from mcp_gateway.core.principal import Principal
from mcp_gateway.oauth.ports import GrantOptions
from mcp_gateway.oauth.sources.subject import LOGIN, Subjects, reference
from mcp_gateway.oauth.vault import place_of
from tests.mcp_gateway.oauth.sources.exchanging import wanted_of
from tests.support.identity_provider import Authority
from tests.support.oauth_fakes import MemorySecrets

IDP = Authority("https://idp.example.com")
OURS = Authority("https://gateway.example.com")
TOKENS = {"access_token": "login-access", "id_token": "login-id", "refresh_token": "login-refresh"}


def _subjects(secrets: MemorySecrets) -> Subjects:
    return Subjects(secrets, lambda: IDP.url)


async def test_a_token_of_the_external_issuer_is_the_callers_own() -> None:
    token = IDP.signed(sub="ada")

    found = await _subjects(MemorySecrets()).token(
        wanted_of("token_exchange", GrantOptions(), IDP.url, token)
    )

    assert found.reveal() == token


@pytest.mark.requirement("exchange:never-our-own-token")
@pytest.mark.parametrize(
    "shown", [OURS.signed(sub="p-1"), "mcpgw_1234_key", "", "a.b.c", "a.e30.c"]
)
@pytest.mark.parametrize("kind", ["access_token", "id_token", "refresh_token"])
async def test_who_came_with_another_token_has_that_of_their_log_in(shown: str, kind: str) -> None:
    secrets = MemorySecrets()
    options = GrantOptions(subject_token=kind)  # type: ignore[arg-type]
    wanted = wanted_of("token_exchange", options, IDP.url, shown)
    await secrets.put(place_of(wanted.principal, LOGIN, "login"), TOKENS)

    assert (await _subjects(secrets).token(wanted)).reveal() == TOKENS[kind]


@pytest.mark.requirement("exchange:never-our-own-token")
async def test_without_a_log_in_nothing_is_exchanged() -> None:
    wanted = wanted_of("token_exchange", GrantOptions(), IDP.url, OURS.signed(sub="p-1"))

    with pytest.raises(UpstreamFailed, match="log in there"):
        await _subjects(MemorySecrets()).token(wanted)


@pytest.mark.requirement("broker:nobody-elses")
def test_no_two_who_call_have_one_reference() -> None:
    ada = Principal("idp", "ada", "acme", client="code", actor="bot")
    others = [
        replace(ada, **change)  # type: ignore[arg-type]
        for change in (
            {"issuer": "x"},
            {"subject": "eve"},
            {"tenant": "x"},
            {"client": "x"},
            {"actor": ""},
            {"issuer": "idp|ada", "subject": ""},
        )
    ]

    named = {reference("id_jag", "orders", principal) for principal in [ada, *others]}

    assert len(named) == len(others) + 1
    assert all(name.startswith("id_jag:orders:") for name in named)
