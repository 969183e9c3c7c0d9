"""Attacks on the way back from the provider at which people log in."""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from joserfc.jws import JWSRegistry
from joserfc.registry import HeaderParameter

from tests.support.gateway import GatewayUnderTest, gateway_under_test
from tests.support.identity_provider import CLIENT, SECRET, Authority, authority
from tests.support.logging_in import CALLBACK, START, asked, browser_at, log_in, sent
from tests.support.logging_in import SECRET as OF_WORLD
from tests.support.logging_in import world as real_world
from tests.support.tokens import forged

CONFIG = """
[authorization]
enabled = true

[authorization.login]
issuer = "@ISSUER@"
client = "the-gateway"
secret = { env = "LOGIN_SECRET" }
"""
STRANGER = ECKey.generate_key("P-256", {"kid": "k", "use": "sig"})
Forging = Callable[[Authority, dict[str, Any]], str]


@pytest.fixture
def there() -> Iterator[Authority]:
    """A provider that says what the attacker wants it to, or seems to have said it."""
    with authority() as made:
        yield made


@pytest.fixture
async def gateway(
    there: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[GatewayUnderTest]:
    monkeypatch.setenv("LOGIN_SECRET", SECRET)
    async with gateway_under_test(tmp_path, CONFIG.replace("@ISSUER@", there.url)) as running:
        yield running


@pytest.fixture
async def browser(gateway: GatewayUnderTest) -> AsyncIterator[httpx2.AsyncClient]:
    async with browser_at(gateway) as made:
        yield made


def said(there: Authority, nonce: str, **changes: Any) -> dict[str, Any]:
    """What a good ID token says."""
    now = int(time.time())
    good = {"iss": there.url, "sub": "ada", "aud": CLIENT, "iat": now, "exp": now + 300}
    claims = good | {"nonce": nonce} | changes
    return {name: value for name, value in claims.items() if value is not None}


async def came_back(
    browser: httpx2.AsyncClient, there: Authority, token: Forging | None = None, **query: str
) -> httpx2.Response:
    """Leaves for the provider, and comes back with a code for this ID token."""
    begun = asked(await sent(browser))
    claims = said(there, begun["nonce"])
    there.answers["id_token"] = (token or _good)(there, claims)
    back = {"state": begun["state"], "code": "c", **query}
    return await browser.get(CALLBACK, params={k: v for k, v in back.items() if v})


def _good(there: Authority, claims: dict[str, Any]) -> str:
    return there.signed("JWT", **claims)


def _logged_in(gateway: GatewayUnderTest) -> int:
    return [entry["kind"] for entry in gateway.entries()].count("login")


async def _nobody(
    gateway: GatewayUnderTest, browser: httpx2.AsyncClient, answer: httpx2.Response
) -> None:
    """It was refused, and whoever asks with this browser is a stranger."""
    assert answer.status_code == 403, answer.text
    assert "mcpgw" not in browser.cookies
    assert (await browser.get("/connections")).status_code == 303
    assert _logged_in(gateway) == 0


@pytest.mark.requirement("attack:e20")
async def test_an_answer_of_the_provider_is_good_once(
    gateway: GatewayUnderTest, there: Authority, browser: httpx2.AsyncClient
) -> None:
    first = await came_back(browser, there)
    again = await browser.get(str(first.request.url))

    assert (first.status_code, again.status_code) == (303, 403)
    assert len(there.asked) == 1
    assert _logged_in(gateway) == 1


@pytest.mark.requirement("attack:e20")
async def test_an_id_token_of_an_earlier_log_in_opens_no_later_one(
    gateway: GatewayUnderTest, there: Authority, browser: httpx2.AsyncClient
) -> None:
    async with browser_at(gateway) as victim:
        assert (await came_back(victim, there)).status_code == 303
    stolen = there.answers["id_token"]

    answer = await came_back(browser, there, lambda *_: stolen)

    assert answer.status_code == 403
    assert _logged_in(gateway) == 1


@pytest.mark.requirement("attack:e21")
@pytest.mark.parametrize("error", ["", "access_denied"])
@pytest.mark.parametrize("named", ["other", "slash", "upper", "missing"])
async def test_an_answer_of_another_provider_is_not_believed_and_its_code_goes_nowhere(
    gateway: GatewayUnderTest,
    there: Authority,
    browser: httpx2.AsyncClient,
    named: str,
    error: str,
) -> None:
    there.metadata["authorization_response_iss_parameter_supported"] = True
    issuers = {"other": "https://evil.example", "slash": f"{there.url}/", "missing": ""}
    issuer = issuers.get(named, there.url.replace("http", "HTTP"))

    answer = await came_back(browser, there, iss=issuer, error=error)

    await _nobody(gateway, browser, answer)
    assert not there.asked


@pytest.mark.requirement("attack:e21")
async def test_the_answer_that_names_its_provider_logs_in(
    gateway: GatewayUnderTest, there: Authority, browser: httpx2.AsyncClient
) -> None:
    there.metadata["authorization_response_iss_parameter_supported"] = True

    answer = await came_back(browser, there, iss=there.url)

    assert answer.status_code == 303
    assert _logged_in(gateway) == 1


@pytest.mark.requirement("attack:e22")
async def test_what_one_browser_began_no_other_ends(
    gateway: GatewayUnderTest, there: Authority, browser: httpx2.AsyncClient
) -> None:
    """Who is sent an address to follow would be logged in as the sender."""
    begun = asked(await sent(browser))
    there.answers["id_token"] = _good(there, said(there, begun["nonce"]))
    back = {"state": begun["state"], "code": "c"}
    async with browser_at(gateway) as stranger, browser_at(gateway) as victim:
        await sent(victim)
        for other in (victim, stranger):
            await _nobody(gateway, other, await other.get(CALLBACK, params=back))
    late = await browser.get(CALLBACK, params=back)

    await _nobody(gateway, browser, late)
    assert not there.asked


def _changed(**changes: Any) -> Forging:
    def made(there: Authority, claims: dict[str, Any]) -> str:
        return there.signed("JWT", **(claims | changes))

    return made


@pytest.mark.requirement("attack:e23")
@pytest.mark.parametrize(
    "token",
    [
        _changed(aud="another-client"),
        _changed(aud=["another-client"]),
        _changed(aud=[CLIENT, "another-client"]),
        _changed(azp="another-client"),
        _changed(iss="https://evil.example"),
        _changed(nonce="another"),
        _changed(nonce=""),
        _changed(exp=1),
        _changed(iat=1),
        _changed(sub=""),
        _changed(sub="ada\r\nx"),
        _changed(roles="admin", sub=["ada"]),
    ],
)
async def test_an_id_token_of_another_client_issuer_time_or_log_in_names_nobody(
    gateway: GatewayUnderTest, there: Authority, browser: httpx2.AsyncClient, token: Forging
) -> None:
    await _nobody(gateway, browser, await came_back(browser, there, token))


def _unsigned(_: Authority, claims: dict[str, Any]) -> str:
    return forged({"alg": "none", "typ": "JWT"}, claims).decode() + "AA"


def _by_client_secret(_: Authority, claims: dict[str, Any]) -> str:
    return forged({"alg": "HS256", "typ": "JWT"}, claims, SECRET.encode()).decode()


def _by_public_key(there: Authority, claims: dict[str, Any]) -> str:
    return forged({"alg": "HS256", "kid": "k"}, claims, there.key.as_pem(private=False)).decode()


def _by_stranger(_: Authority, claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": "ES256", "kid": "k"}, claims, STRANGER)


def _with_own_key(_: Authority, claims: dict[str, Any]) -> str:
    own = STRANGER.as_dict(private=False)
    return jwt.encode({"alg": "ES256", "kid": "mine", "jwk": own}, claims, STRANGER)


def _critical(there: Authority, claims: dict[str, Any]) -> str:
    """Signed well, and with an extension that has to be understood."""
    head = {"alg": "ES256", "kid": "k", "crit": ["example"], "example": 1}
    knowing = JWSRegistry({"example": HeaderParameter("known to its signer", "int")})
    return jwt.encode(head, claims, there.key, registry=knowing)


@pytest.mark.requirement("attack:e24")
@pytest.mark.parametrize(
    "token",
    [_unsigned, _by_client_secret, _by_public_key, _by_stranger, _with_own_key, _critical],
)
async def test_an_id_token_that_no_key_of_the_provider_signed_names_nobody(
    gateway: GatewayUnderTest, there: Authority, browser: httpx2.AsyncClient, token: Forging
) -> None:
    await _nobody(gateway, browser, await came_back(browser, there, token))


@pytest.mark.requirement("attack:e25")
@pytest.mark.parametrize("error", ["access_denied", "<script>alert(1)</script>", "a" * 5000])
async def test_an_error_of_the_provider_is_said_in_our_words_alone(
    gateway: GatewayUnderTest, there: Authority, browser: httpx2.AsyncClient, error: str
) -> None:
    begun = asked(await sent(browser))
    told = {"error": error, "error_description": "call 555-0100", "state": begun["state"]}

    answer = await browser.get(CALLBACK, params=told)

    await _nobody(gateway, browser, answer)
    for foreign in ("script", "555-0100", "aaaaaaaa"):
        assert foreign not in answer.text
    assert not there.asked


@pytest.mark.requirement("attack:e26")
@pytest.mark.parametrize("typ", ["at+jwt", "logout+jwt", "oauth-id-jag+jwt", ""])
async def test_what_the_provider_signed_for_another_use_names_nobody(
    gateway: GatewayUnderTest, there: Authority, browser: httpx2.AsyncClient, typ: str
) -> None:
    def other(there: Authority, claims: dict[str, Any]) -> str:
        return there.signed(typ, **claims) if typ else ""

    await _nobody(gateway, browser, await came_back(browser, there, other))


@pytest.mark.requirement("attack:e27")
async def test_a_code_of_somebody_elses_log_in_is_worth_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a provider that nobody here wrote, which holds the verifier against the code."""
    monkeypatch.setenv("LOGIN_SECRET", OF_WORLD)
    async with (
        real_world(tmp_path) as made,
        made.gateway() as gateway,
        browser_at(gateway) as attacker,
        browser_at(gateway) as victim,
    ):
        stolen = await made.provider.agreed(await sent(victim), "bob")
        own = await made.provider.agreed(await sent(attacker), "ada")

        injected = await attacker.get(CALLBACK, params=own | {"code": stolen["code"]})

        await _nobody(gateway, attacker, injected)
        good = await log_in(victim, made.provider, "bob")
        assert good.status_code == 303


@pytest.mark.requirement("attack:e28")
@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://evil.example"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "http://evil.example/authorize"},
        {"token_endpoint": "http://169.254.169.254/token"},
        {"authorization_endpoint": ""},
        {"token_endpoint": 7},
    ],
    ids=str,
)
async def test_nobody_is_sent_where_the_metadata_of_another_provider_says(
    gateway: GatewayUnderTest,
    there: Authority,
    browser: httpx2.AsyncClient,
    metadata: dict[str, Any],
) -> None:
    there.metadata.update(metadata)

    answer = await browser.get(START, params={"next": "/connections"})

    await _nobody(gateway, browser, answer)
    assert "location" not in answer.headers


@pytest.mark.requirement("attack:e28")
@pytest.mark.parametrize("place", ["file:///etc/passwd", "", None])
async def test_keys_are_asked_for_where_they_can_be_alone(
    gateway: GatewayUnderTest, there: Authority, browser: httpx2.AsyncClient, place: str | None
) -> None:
    there.metadata["jwks_uri"] = place

    await _nobody(gateway, browser, await came_back(browser, there))


@pytest.mark.requirement("attack:e29")
@pytest.mark.parametrize("next_", ["https://evil.example", "//evil.example", "/oauth/authorize?x"])
async def test_a_log_in_leads_to_no_page_of_others(
    gateway: GatewayUnderTest, browser: httpx2.AsyncClient, next_: str
) -> None:
    answer = await browser.get(START, params={"next": next_})

    assert answer.status_code == 400
    assert "evil" not in answer.text
    assert _logged_in(gateway) == 0
