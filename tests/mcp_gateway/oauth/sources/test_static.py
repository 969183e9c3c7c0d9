"""A secret of the configuration for all, or one that each person typed in."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from mcp_gateway.core.credential import NOTHING_SHOWN, Credential, CredentialRefused, Grant
from mcp_gateway.core.errors import ConsentRequired
from mcp_gateway.core.grants import Granted
from mcp_gateway.core.principal import Principal
from mcp_gateway.oauth.ports import GrantOptions, Place, SecretLost, Wanted
from mcp_gateway.oauth.sources.static import Static
from mcp_gateway.oauth.vault import place_of
from tests.support.oauth_fakes import FakeConsents, MemorySecrets

ADA = Principal("local", "ada", "acme")
EVE = Principal("local", "eve", "acme")
PERSONAL = Grant("static", "X-Api-Key", "", per_user=True)


def _wanted(
    principal: Principal = ADA,
    grant: Grant = PERSONAL,
    granted: Granted | None = None,
    secret: Callable[[], str] = lambda: "",
) -> Wanted:
    options = GrantOptions(secret=secret)
    about = ("github", "https://github.example/mcp", grant, options)
    return Wanted(*about, principal, NOTHING_SHOWN, frozenset(), granted)


async def test_a_configured_secret_is_shown_as_the_grant_says() -> None:
    source = Static(MemorySecrets(), FakeConsents())

    obtained = await source.obtain(_wanted(grant=Grant("static"), secret=lambda: "hub"))

    assert obtained.credential == Credential("static:github", (("Authorization", "Bearer hub"),))


@pytest.mark.requirement("broker:nobody-elses")
async def test_each_person_shows_what_they_typed_in() -> None:
    secrets = MemorySecrets()
    source = Static(secrets, FakeConsents())
    for person in (ADA, EVE):
        await secrets.put(place_of(person, "github", "static"), {"value": f"of-{person.subject}"})

    hers = await source.obtain(_wanted(ADA, granted=Granted("g1", 3)))
    other = await source.obtain(_wanted(EVE, granted=Granted("g2", 1)))

    assert hers.credential == Credential("static:github:g1", (("X-Api-Key", "of-ada"),))
    assert other.credential == Credential("static:github:g2", (("X-Api-Key", "of-eve"),))
    assert (hers.version, other.version) == (3, 1)


@pytest.mark.parametrize(
    ("granted", "refused"),
    [
        (None, None),
        (Granted("g1", 1, "broken"), None),
        (Granted("g1", 1), CredentialRefused()),
    ],
)
async def test_who_did_not_connect_or_whose_secret_is_refused_is_asked_to(
    granted: Granted | None, refused: CredentialRefused | None
) -> None:
    secrets, consents = MemorySecrets(), FakeConsents()
    await secrets.put(place_of(ADA, "github", "static"), {"value": "old"})

    with pytest.raises(ConsentRequired) as required:
        await Static(secrets, consents).obtain(replace(_wanted(granted=granted), refused=refused))

    assert required.value.url == "http://127.0.0.1/connect/1"
    assert consents.asked == [(ADA.identity, "github", frozenset())]


class LostSecrets(MemorySecrets):
    async def get(self, place: Place) -> Mapping[str, Any]:
        raise SecretLost(place.upstream)


@pytest.mark.requirement("vault:what-is-lost-is-said")
@pytest.mark.parametrize("secrets", [MemorySecrets(), LostSecrets()])
async def test_what_the_vault_lost_breaks_the_grant_and_is_asked_for_again(
    secrets: MemorySecrets,
) -> None:
    consents = FakeConsents()

    with pytest.raises(ConsentRequired, match="connected again"):
        await Static(secrets, consents).obtain(_wanted(granted=Granted("g1", 1)))

    assert [server for server, _ in consents.broke] == ["github"]
