"""Whose token is exchanged: the caller's own, as their provider gave it."""

from dataclasses import replace

import pytest

from mcp_gateway.core.errors import UpstreamFailed
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.secret import Secret
from mcp_gateway.oauth.ports import GrantOptions
from mcp_gateway.oauth.sources.subject import Subjects, reference
from tests.mcp_gateway.oauth.sources.exchanging import subjects_of, wanted_of
from tests.support.identity_provider import Authority

IDP = Authority("https://idp.example.com")
OURS = Authority("https://gateway.example.com")
SUBJECTS = subjects_of(IDP)


async def test_a_token_of_the_external_issuer_is_the_callers_own() -> None:
    token = IDP.signed(sub="ada")

    found = await SUBJECTS.token(wanted_of("token_exchange", GrantOptions(), IDP.url, token))

    assert found.reveal() == token


@pytest.mark.requirement("exchange:never-our-own-token")
@pytest.mark.parametrize(
    "shown", [OURS.signed(sub="p-1"), "mcpgw_1234_key", "", "a.b.c", "a.e30.c"]
)
async def test_who_came_with_anything_else_has_nothing_that_could_be_exchanged(shown: str) -> None:
    wanted = wanted_of("token_exchange", GrantOptions(), IDP.url, shown)

    with pytest.raises(UpstreamFailed, match="log in there"):
        await SUBJECTS.token(wanted)


@pytest.mark.requirement("exchange:of-the-log-in")
async def test_who_came_with_our_token_has_that_of_their_log_in_which_stays_here() -> None:
    ours = OURS.signed(sub="p-1")
    asked: list[Principal] = []

    async def of_log_in(principal: Principal) -> Secret | None:
        asked.append(principal)
        return Secret("the log-in's")

    subjects = Subjects(lambda: "", of_log_in)
    wanted = wanted_of("token_exchange", GrantOptions(), IDP.url, ours)

    assert (await subjects.token(wanted)).reveal() == "the log-in's"
    assert asked == [wanted.principal]


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
