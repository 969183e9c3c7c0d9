"""A person's assertion of the company's provider, and what it is worth here."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest
from joserfc.jwk import ECKey

from mcp_gateway.config import Settings
from mcp_gateway.core.errors import Overloaded
from mcp_gateway.oauth.server.rfc6749 import OAuthError, Parameters
from mcp_gateway.services.authorization import assertions as module
from mcp_gateway.services.authorization.assertions import Assertions
from mcp_gateway.services.authorization.client import Client
from mcp_gateway.services.authorization.minting import Grant
from mcp_gateway.store.database import Database
from mcp_gateway.store.revocations import Revocations
from mcp_gateway.wire.http import HttpClient, Network
from tests.support.fakes import FakeLedger
from tests.support.identity_provider import Authority, authority

PUBLIC = "https://gateway.example.com"
SERVER = {"connector": "mcp_http", "url": "https://docs.example/mcp", "requires": ["docs:read"]}
COWORK = Client(
    "cowork",
    "registered",
    "cowork",
    "client_secret_basic",
    frozenset({"client_credentials"}),
    scopes=frozenset({"mcp", "docs:read"}),
    mode="interactive",
)


@dataclass
class Bench:
    """A provider, a client, and what takes assertions; `section` is what is configured of it."""

    database: Database
    http: HttpClient
    provider: Authority
    section: dict[str, Any] = field(default_factory=dict)
    now: float = field(default_factory=time.time)
    ledger: FakeLedger = field(default_factory=FakeLedger)
    client: Client = COWORK
    assertions: Assertions = field(init=False)

    def __post_init__(self) -> None:
        self.assertions = self.another()

    def another(self) -> Assertions:
        return Assertions(
            Revocations(self.database), self.http, self.ledger, self.settings, lambda: self.now
        )

    def settings(self) -> Settings:
        section = {"issuer": self.provider.url, "jwks": f"{self.provider.url}/jwks", **self.section}
        return Settings.model_validate(
            {
                "gateway": {"url": PUBLIC, "tenant": "acme"},
                "servers": {"docs": SERVER},
                "authorization": {"enabled": True, "assertions": {"idp": section}},
            }
        )

    def assertion(self, typ: str = "oauth-id-jag+jwt", **changes: Any) -> str:
        good = {
            "sub": "ada",
            "aud": PUBLIC,
            "jti": "j-1",
            "client_id": "cowork",
            "resource": f"{PUBLIC}/servers/docs/mcp",
            "scope": "docs:read",
            "roles": ["staff"],
            "iat": int(self.now),
            "exp": int(self.now) + 300,
        }
        claims = {name: value for name, value in {**good, **changes}.items() if value is not None}
        return self.provider.signed(typ, **claims)

    async def grant(self, text: str = "", **form: str) -> Grant:
        parameters = Parameters.parse(urlencode({"assertion": text or self.assertion(), **form}))
        return await self.assertions.grant(parameters, self.client)

    async def refused(self, text: str = "", **form: str) -> OAuthError:
        with pytest.raises(OAuthError) as found:
            await self.grant(text, **form)
        return found.value


@pytest.fixture
async def at(database: Database) -> AsyncIterator[Bench]:
    http = HttpClient(Network(loopback=True))
    with authority() as provider:
        yield Bench(database, http, provider)
    await http.aclose()


@pytest.mark.requirement("clients:assertions")
async def test_a_person_gets_what_provider_client_and_gateway_agree_on(at: Bench) -> None:
    grant = await at.grant()
    who = grant.principal

    assert (who.issuer, who.subject, who.tenant) == (at.provider.url, "ada", "acme")
    assert (who.client, who.mode) == ("cowork", "interactive")
    assert who.roles == {"staff"}
    assert who.scopes == {"docs:read"}
    assert grant.resource == f"{PUBLIC}/servers/docs/mcp"
    assert (grant.family, grant.since) == ("", int(at.now))
    assert at.ledger.last.kind == "assertion.accepted"
    assert at.ledger.last.body == {
        "issuer": at.provider.url,
        "subject": "ada",
        "client": "cowork",
        "jti": "j-1",
    }


async def test_the_assertion_itself_is_in_no_record(at: Bench) -> None:
    text = at.assertion()

    await at.grant(text)

    assert text not in repr(at.ledger.entries)


@pytest.mark.requirement("attack:d12")
async def test_an_assertion_counts_once_in_all_processes(at: Bench) -> None:
    text = at.assertion()
    await at.grant(text)

    here = await at.refused(text)
    at.assertions = at.another()
    there = await at.refused(text)

    assert {here.description, there.description} == {"the assertion was shown before"}
    assert here.code == "invalid_grant"


@pytest.mark.requirement("attack:d12")
async def test_of_many_who_show_it_at_once_one_gets_something(at: Bench) -> None:
    text = at.assertion()

    done = await asyncio.gather(*(at.grant(text) for _ in range(16)), return_exceptions=True)

    assert sum(isinstance(found, Grant) for found in done) == 1


@pytest.mark.requirement("attack:d12")
@pytest.mark.parametrize(
    "changes",
    [
        {"typ": "at+jwt"},
        {"typ": "JWT"},
        {"typ": "logout+jwt"},
        {"aud": "https://other.example.com"},
        {"aud": f"{PUBLIC}/mcp"},
        {"aud": [PUBLIC, "https://other.example.com"]},
        {"iss": "https://evil.example.com"},
        {"client_id": "another"},
        {"client_id": None},
        {"resource": None},
        {"jti": None},
        {"exp": 1},
        {"exp": int(time.time()) + 3600},
        {"iat": int(time.time()) + 3600, "exp": int(time.time()) + 3700},
        {"roles": {"staff": 1}},
        {"roles": 5},
    ],
)
async def test_an_assertion_for_anything_else_gets_nothing(
    at: Bench, changes: dict[str, Any]
) -> None:
    refused = await at.refused(at.assertion(**changes))

    assert refused.code == "invalid_grant"
    assert at.ledger.entries == []


@pytest.mark.requirement("attack:d12")
@pytest.mark.parametrize(
    ("claim", "asked"),
    [
        ("https://other.example.com/mcp", ""),
        (PUBLIC, ""),
        (f"{PUBLIC}/servers/docs/mcp/", ""),
        (f"{PUBLIC}/servers/docs/mcp", f"{PUBLIC}/mcp"),
        (f"{PUBLIC}/servers/docs/mcp", "https://other.example.com/mcp"),
    ],
)
async def test_the_resource_is_one_of_ours_and_the_one_that_is_asserted(
    at: Bench, claim: str, asked: str
) -> None:
    form = {"resource": asked} if asked else {}

    assert (await at.refused(at.assertion(resource=claim), **form)).code == "invalid_target"


@pytest.mark.requirement("attack:d12")
async def test_what_was_refused_can_be_shown_to_whom_it_is_for(at: Bench) -> None:
    text = at.assertion()
    thief = Client("thief", "registered", "thief", "client_secret_basic", frozenset())
    at.client = thief
    await at.refused(text)

    at.client = COWORK

    assert (await at.grant(text)).principal.client == "cowork"


async def test_a_provider_may_have_another_name_for_a_client(at: Bench) -> None:
    at.section["clients"] = {"0oa1": "cowork", "cowork": "another"}

    assert (await at.grant(at.assertion(client_id="0oa1"))).principal.client == "cowork"
    assert (await at.refused(at.assertion(jti="2"))).code == "invalid_grant"


async def test_groups_become_roles_by_the_map_of_the_provider(at: Bench) -> None:
    at.section |= {"roles_claim": "realm.groups", "role_map": {"g-1": ["admin", "user"]}}

    grant = await at.grant(at.assertion(realm={"groups": ["g-1", "g-2"]}))

    assert grant.principal.roles == {"admin", "user"}


@pytest.mark.requirement("clients:assertions")
@pytest.mark.parametrize(
    ("asserted", "asked", "client", "granted"),
    [
        ("docs:read mcp", "", "docs:read mcp", "docs:read mcp"),
        ("docs:read mcp", "mcp", "docs:read mcp", "mcp"),
        ("docs:read", "docs:read mcp", "docs:read mcp", "docs:read"),
        ("docs:read mcp", "", "mcp", "mcp"),
        (None, "docs:read", "docs:read mcp", "docs:read"),
        (None, "", "docs:read mcp", "mcp"),
        ("docs:read mcp admin offline_access", "", "docs:read mcp", "docs:read mcp"),
        ("docs:read", "mcp", "docs:read mcp", ""),
        ("admin", "", "admin", ""),
        ("offline_access", "", "offline_access", ""),
        ("docs:read", "", "", ""),
        (None, "", "", ""),
    ],
)
async def test_scopes_are_what_all_agree_on_and_nobody_gets_what_nobody_named(
    at: Bench, asserted: str | None, asked: str, client: str, granted: str
) -> None:
    at.client = Client(
        "cowork",
        "registered",
        "c",
        "client_secret_basic",
        frozenset(),
        scopes=frozenset(client.split()),
    )
    text = at.assertion(scope=asserted)
    form = {"scope": asked} if asked else {}

    if granted:
        assert (await at.grant(text, **form)).principal.scopes == frozenset(granted.split())
    else:
        assert (await at.refused(text, **form)).code == "invalid_scope"


async def test_an_assertion_that_cannot_be_recorded_gets_nothing(at: Bench) -> None:
    at.ledger.broken.add("assertion.accepted")

    with pytest.raises(Overloaded):
        await at.grant()


@pytest.mark.requirement("clients:assertions")
async def test_a_key_that_the_provider_takes_into_use_is_taken_and_the_old_one_is_over(
    at: Bench,
) -> None:
    await at.grant()
    before = at.assertion(jti="before")
    at.provider.key = ECKey.generate_key("P-256", {"kid": "k", "use": "sig"})
    at.now += module.BETWEEN + 1

    taken = await at.grant(at.assertion(jti="after"))
    refused = await at.refused(before)

    assert taken.principal.subject == "ada"
    assert refused.code == "invalid_grant"


async def test_assertions_that_do_not_verify_cause_one_fetch_in_a_while(
    at: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await at.grant()
    own, asked = at.provider.key, looked_at(at, monkeypatch, {})
    at.provider.key = ECKey.generate_key("P-256", {"kid": "k", "use": "sig"})
    forged = [at.assertion(jti=f"f-{n}") for n in range(5)]
    at.provider.key = own
    at.now += module.BETWEEN + 1

    for text in forged:
        assert (await at.refused(text)).code == "invalid_grant"

    assert asked == ["/jwks"]


async def test_a_provider_that_is_away_is_not_asked_for_its_keys_by_everybody(
    at: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = looked_at(at, monkeypatch, {"/jwks": None})

    refused = [await at.refused(at.assertion(jti=str(n))) for n in range(3)]
    at.now += module.BETWEEN + 1
    await at.refused()

    assert {error.code for error in refused} == {"temporarily_unavailable"}
    assert {error.status for error in refused} == {503}
    assert asked == ["/jwks"] * 2


async def test_the_keys_are_where_the_metadata_of_the_provider_says(
    at: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {"issuer": at.provider.url, "jwks_uri": f"{at.provider.url}/jwks"}
    looked_at(at, monkeypatch, {"/.well-known/openid-configuration": said})
    at.section["jwks"] = ""

    assert (await at.grant()).principal.subject == "ada"


def looked_at(at: Bench, monkeypatch: pytest.MonkeyPatch, pages: dict[str, Any]) -> list[str]:
    """What is looked at from now on; the provider answers with these pages, and else its own."""
    asked: list[str] = []
    own = at.provider.document

    def document(path: str) -> Any:
        asked.append(path)
        return pages[path] if path in pages else own(path)

    monkeypatch.setattr(at.provider, "document", document)
    return asked


@pytest.mark.requirement("attack:d12")
async def test_only_algorithms_that_are_listed_count(at: Bench) -> None:
    at.section["algorithms"] = ["RS256"]

    assert "algorithm" in (await at.refused()).description


@pytest.mark.parametrize("text", ["", "a.b.c", "é", "x" * 9000])
async def test_what_is_no_assertion_is_refused(at: Bench, text: str) -> None:
    with pytest.raises(OAuthError) as refused:
        await at.assertions.grant(Parameters([("assertion", text)] if text else []), COWORK)

    assert refused.value.code in ("invalid_grant", "invalid_request")
