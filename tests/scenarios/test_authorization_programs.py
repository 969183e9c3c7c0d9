"""Programs that get tokens without a page: for themselves, or for whom a provider speaks for."""

import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp.client import Client
from mcp.client.auth.extensions.client_credentials import (
    ClientCredentialsOAuthProvider,
    PrivateKeyJWTOAuthProvider,
    SignedJWTParameters,
)
from mcp.client.auth.extensions.identity_assertion import IdentityAssertionOAuthProvider
from mcp.client.streamable_http import streamable_http_client

from tests.support.connected import text_of
from tests.support.gateway import BOUND, GatewayUnderTest, gateway_under_test
from tests.support.identity_provider import (
    CLIENT,
    EXCHANGE,
    JWT_BEARER,
    SECRET,
    TYPE,
    Authority,
    authority,
)
from tests.support.runtime_oauth import Kept
from tests.support.tokens import EC, public

COWORK = "marked-secret-of-cowork"
CONFIG = """
[authorization]
enabled = true

[authorization.clients.cowork]
secret = { file = "@FOLDER@/cowork.secret" }
roles = ["user"]
scopes = ["mcp"]

[authorization.clients.robot]
jwks = "@FOLDER@/robot.json"
roles = ["user"]
scopes = ["mcp"]

[authorization.assertions.idp]
issuer = "@IDP@"
jwks = "@IDP@/jwks"
clients = { the-gateway = "cowork" }
role_map = { staff = ["user"] }
algorithms = ["ES256"]

[servers.time]
connector = "mcp_stdio"
command = ["@PYTHON@", "@EXAMPLE@"]
"""


@pytest.fixture(scope="module")
def idp() -> Iterator[Authority]:
    with authority() as made:
        made.expires_in = 300
        yield made


@pytest.fixture(scope="module")
async def gateway(
    idp: Authority, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[GatewayUnderTest]:
    folder: Path = tmp_path_factory.mktemp("programs")
    (folder / "cowork.secret").write_text(COWORK)
    (folder / "robot.json").write_text(json.dumps(public(EC)))
    config = CONFIG.replace("@FOLDER@", str(folder)).replace("@IDP@", idp.url)
    async with gateway_under_test(folder, config) as running:
        await running.serving("time")
        yield running


async def called(gateway: GatewayUnderTest, auth: httpx2.Auth) -> dict[str, Any]:
    """Calls a tool as whoever `auth` is; the outcome in the ledger says who that was."""
    async with httpx2.AsyncClient(auth=auth, timeout=BOUND) as http:
        transport = streamable_http_client(f"{gateway.url}/mcp", http_client=http)
        async with Client(transport) as client:
            answer = await client.call_tool("time__echo", {"text": "hello"})
    assert "hello" in text_of(answer)
    return dict(gateway.outcomes()[-1])


async def assertion(idp: Authority, gateway: GatewayUnderTest, subject: str = "ada") -> str:
    """An ID-JAG, got at the provider for what a person logged in with there."""
    form = {
        "grant_type": EXCHANGE,
        "requested_token_type": TYPE + "id-jag",
        "subject_token": idp.signed("JWT", sub=subject, aud=CLIENT),
        "subject_token_type": TYPE + "id_token",
        "audience": gateway.url,
        "resource": f"{gateway.url}/mcp",
        "scope": "mcp",
    }
    async with httpx2.AsyncClient(auth=(CLIENT, SECRET), timeout=BOUND) as http:
        answer = await http.post(f"{idp.url}/token", data=form)
    return str(answer.json()["access_token"])


async def traded(
    gateway: GatewayUnderTest, text: str, who: str = "cowork", secret: str = COWORK
) -> httpx2.Response:
    async with httpx2.AsyncClient(auth=(who, secret), timeout=BOUND) as http:
        form = {"grant_type": JWT_BEARER, "assertion": text}
        return await http.post(f"{gateway.url}/oauth/token", data=form)


@pytest.mark.requirement("clients:show-what-they-have")
@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_a_program_with_a_secret_calls_as_itself(
    gateway: GatewayUnderTest, method: Any
) -> None:
    auth = ClientCredentialsOAuthProvider(
        f"{gateway.url}/mcp", Kept(), "cowork", COWORK, method, issuer=gateway.url
    )

    outcome = await called(gateway, auth)

    assert (outcome["issuer"], outcome["subject"]) == ("client", "cowork")


@pytest.mark.requirement("clients:show-what-they-have")
async def test_a_program_with_a_key_calls_as_itself(gateway: GatewayUnderTest) -> None:
    signed = SignedJWTParameters(
        issuer="robot",
        subject="robot",
        signing_algorithm="ES256",
        signing_key=EC.as_pem(private=True).decode(),
    )
    auth = PrivateKeyJWTOAuthProvider(
        f"{gateway.url}/mcp",
        Kept(),
        "robot",
        signed.create_assertion_provider(),
        issuer=gateway.url,
    )

    outcome = await called(gateway, auth)

    assert (outcome["issuer"], outcome["subject"]) == ("client", "robot")


@pytest.mark.requirement("clients:assertions")
async def test_a_person_whose_provider_says_so_needs_no_page(
    gateway: GatewayUnderTest, idp: Authority
) -> None:
    seen: list[str] = []

    async def asserted(_: str, __: str) -> str:
        text = await assertion(idp, gateway)
        claims = idp.claims(text) | {"roles": ["staff", "others"], "jti": f"own-{time.time()}"}
        seen.append(idp.signed("oauth-id-jag+jwt", **claims))
        return seen[-1]

    auth = IdentityAssertionOAuthProvider(
        f"{gateway.url}/mcp", Kept(), "cowork", COWORK, gateway.url, asserted
    )

    outcome = await called(gateway, auth)
    minted = [line for line in gateway.entries() if line["kind"] == "token.minted"]

    assert (outcome["issuer"], outcome["subject"]) == (idp.url, "ada")
    assert minted[-1]["client"] == "cowork"
    assert seen[0] not in json.dumps(gateway.entries())


@pytest.mark.requirement("attack:d12")
async def test_an_assertion_is_worth_something_once_and_to_its_client(
    gateway: GatewayUnderTest, idp: Authority
) -> None:
    text = await assertion(idp, gateway)

    of_another = await traded(gateway, text, "cowork", "wrong")
    first = await traded(gateway, text)
    again = await traded(gateway, text)

    assert of_another.status_code == 401
    assert first.status_code == 200
    assert "refresh_token" not in first.json()
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")


@pytest.mark.requirement("attack:d12")
async def test_neither_an_assertion_nor_a_providers_token_opens_the_gateway(
    gateway: GatewayUnderTest, idp: Authority
) -> None:
    shown = [
        await assertion(idp, gateway),
        idp.signed(sub="ada", aud=f"{gateway.url}/mcp", jti="1", client_id="cowork"),
    ]
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}

    for token in shown:
        async with httpx2.AsyncClient(timeout=BOUND) as http:
            headers = {"authorization": f"Bearer {token}"}
            answer = await http.post(f"{gateway.url}/mcp", json=ping, headers=headers)
        assert answer.status_code == 401


@pytest.mark.requirement("attack:d12")
@pytest.mark.parametrize("typ", ["JWT", "at+jwt"])
async def test_no_other_token_of_the_provider_is_an_assertion(
    gateway: GatewayUnderTest, idp: Authority, typ: str
) -> None:
    claims = idp.claims(await assertion(idp, gateway)) | {"jti": f"typ-{typ}"}

    answer = await traded(gateway, idp.signed(typ, **claims))

    assert answer.json()["error"] == "invalid_grant"


@pytest.mark.requirement("clients:administrators-see-and-revoke")
async def test_a_revoked_program_gets_nothing_and_what_it_has_opens_nothing(
    gateway: GatewayUnderTest,
) -> None:
    form = {"grant_type": "client_credentials"}
    async with (
        httpx2.AsyncClient(auth=("cowork", COWORK), timeout=BOUND) as program,
        httpx2.AsyncClient(timeout=BOUND) as bearer,
    ):
        token = (await program.post(f"{gateway.url}/oauth/token", data=form)).json()["access_token"]
        async with gateway.http("admin") as admin:
            listed = (await admin.get("/admin/clients")).json()
            await admin.post("/admin/clients/revoke", json={"id": "cowork"})
            refused = await program.post(f"{gateway.url}/oauth/token", data=form)
            shown = await bearer.post(
                f"{gateway.url}/mcp",
                json={"jsonrpc": "2.0", "id": 1, "method": "ping"},
                headers={"authorization": f"Bearer {token}"},
            )
            await admin.post("/admin/tokens/restore", json={"name": "client:cowork"})

    known = {one["id"]: one["kind"] for one in listed}
    assert (known["cowork"], known["robot"]) == ("registered", "registered")
    assert "pinned" in known.values()
    assert refused.status_code == 401
    assert shown.status_code == 401
