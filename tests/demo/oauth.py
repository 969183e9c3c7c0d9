"""The story of one call: who calls, who consents, and which credential the upstream sees.

Everything in it is real and runs on this machine: an OpenID provider, an upstream that takes its
tokens alone, the gateway as a process of its own, the SDK's client as the runtime, and a browser.
"""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx2
import mcp_types as types
from mcp.client import Client
from mcp.client.context import ClientRequestContext
from mcp.client.streamable_http import streamable_http_client

from tests.demo.browser import Browser, bare
from tests.demo.upstream import Desk, protected_desk
from tests.support.certificates import Authority
from tests.support.oidc_provider import Provider, openid_provider
from tests.support.process import BOUND, Served, command, served

SECRET: Final = "the secret of the gateway's own client"
CONFIG: Final = """
[gateway]
listen = "127.0.0.1:@PORT@"

[network]
ca = ["{ca}"]

[policy]
rules = ["builtin:first-run", "{rules}"]

[servers.desk]
connector = "mcp_http"
url = "{desk}"
discovery = "service"
grant = {{ kind = "delegated", scopes = ["orders:read"] }}

[servers.desk.discovery_grant]
kind = "service"
client = "gateway"
client_secret = {{ file = "{secret}" }}
scopes = ["orders:read"]
"""
RULES: Final = "p, 40, the-desk, role:user, *, tool/desk/*, tools/call, , allow,\n"
CLIENT: Final = {
    "client_id": "gateway",
    "client_secret": SECRET,
    "grant_types": ["client_credentials"],
    "redirect_uris": [],
    "response_types": [],
}
FEATURES: Final = {"registration": {"enabled": True}, "revocation": {"enabled": True}}
Say = Callable[[str], None]
Opens = Callable[[ssl.SSLContext], AbstractAsyncContextManager[Browser]]
"""Opens a browser of a person who trusts what is given."""


@dataclass
class Told:
    """What came of it."""

    challenge: str = ""
    asked: list[str] = field(default_factory=list)
    """The places that the runtime was asked to open."""
    visited: list[str] = field(default_factory=list)
    answer: str = ""
    outcome: dict[str, Any] = field(default_factory=dict)
    granted: dict[str, Any] = field(default_factory=dict)
    verified: int = -1
    leaked: list[str] = field(default_factory=list)
    """The files of the gateway in which something stands that opens the desk."""


@dataclass
class Stage:
    """What is running, and who says what happens there."""

    provider: Provider
    desk: Desk
    gateway: Served
    say: Say
    opens: Opens
    told: Told = field(default_factory=Told)


async def tell(folder: Path, say: Say, opens: Opens) -> Told:
    """The whole story. Raises when a part of it does not come to pass."""
    async with _staged(folder, say, opens) as stage:
        _say_who_is_there(stage)
        await _turned_away(stage)
        alice = _given_a_key(stage)
        await _useless_elsewhere(stage, alice)
        await _called(stage, alice)
        _recorded(stage)
        return stage.told


@asynccontextmanager
async def _staged(folder: Path, say: Say, opens: Opens) -> AsyncIterator[Stage]:
    authority = Authority(folder)
    secret, rules = folder / "secret", folder / "rules.csv"
    secret.write_text(SECRET, "utf-8")
    rules.write_text(RULES, "utf-8")
    async with (
        openid_provider(folder, authority, clients=[CLIENT], features=FEATURES) as provider,
        protected_desk(provider) as desk,
    ):
        config = CONFIG.format(ca=authority.certificate, desk=desk.url, rules=rules, secret=secret)
        async with served(folder, config) as gateway:
            await gateway.serving("desk")
            yield Stage(provider, desk, gateway, say, opens)


def _say_who_is_there(stage: Stage) -> None:
    stage.say("Three programs are running on this machine.")
    stage.say(f"  the provider      {stage.provider.url} (oidc-provider)")
    stage.say(f"  the order desk    {stage.desk.url} (takes tokens of the provider alone)")
    stage.say(f"  the gateway       {stage.gateway.url}/mcp")


async def _turned_away(stage: Stage) -> None:
    async with httpx2.AsyncClient(timeout=BOUND) as http:
        at_desk = await http.post(stage.desk.url, json={})
        at_gateway = await http.post(f"{stage.gateway.url}/mcp", json={})
    assert (at_desk.status_code, at_gateway.status_code) == (401, 401)
    stage.told.challenge = at_gateway.headers["www-authenticate"]
    stage.say("Who shows nothing is turned away, at the desk and at the gateway.")
    stage.say(f"  the gateway says  401, {stage.told.challenge}")


def _given_a_key(stage: Stage) -> str:
    """Alice's key: what her runtime shows, and what she logs in with in her browser."""
    asked = ("keys", "create", "--subject", "alice", "--role", "user")
    at = stage.gateway
    made = command(*asked, MCP_GATEWAY_URL=at.url, MCP_GATEWAY_KEY=at.key)
    assert made.code == 0, made.err
    return made.out.strip()


async def _useless_elsewhere(stage: Stage, key: str) -> None:
    async with httpx2.AsyncClient(headers={"authorization": f"Bearer {key}"}) as http:
        refused = await http.post(stage.desk.url, json={})
    assert refused.status_code == 401, refused.text
    stage.say("Alice gets a key for the gateway. It opens nothing at the desk: 401.")


async def _called(stage: Stage, key: str) -> None:
    """Her runtime calls; what it is asked for in the middle of the call, she does in a browser."""
    told = stage.told

    async def shown(
        context: ClientRequestContext,
        params: types.ElicitRequestParams,
    ) -> types.ElicitResult:
        assert isinstance(params, types.ElicitRequestURLParams)
        told.asked.append(params.url)
        stage.say("  the call waits: alice is asked to open a page")
        stage.say(f"                    {bare(params.url)[:-43]}…")
        await _consent(stage, params.url, key)
        return types.ElicitResult(action="accept")

    stage.say("Her runtime calls desk__my_orders.")
    headers = {"authorization": f"Bearer {key}"}
    async with httpx2.AsyncClient(headers=headers, timeout=BOUND) as http:
        transport = streamable_http_client(f"{stage.gateway.url}/mcp", http_client=http)
        async with Client(transport, elicitation_callback=shown) as client:
            result = await client.call_tool("desk__my_orders", {})
    (first,) = result.content
    assert isinstance(first, types.TextContent)
    assert not result.is_error, first.text
    told.answer = first.text
    stage.say(f"  the desk answers  {told.answer}")


async def _consent(stage: Stage, link: str, key: str) -> None:
    """The link, the log-in at the gateway, and log-in and consent at the provider."""
    async with stage.opens(stage.provider.trusted) as browser:
        await browser.open(link)
        stage.say(f"  in the browser    {await browser.heading()}: she shows her key")
        await browser.send(key=key)
        stage.say(f"                    {await browser.heading()}: she agrees to go there")
        await browser.send()
        stage.say(f"                    {bare(stage.provider.url)}: she is ada there, and logs in")
        await browser.send(login="ada", password="any")
        stage.say("                    she consents to orders:read")
        await browser.send()
        stage.say(f"                    {await browser.heading()}")
    stage.told.visited = browser.visited


def _recorded(stage: Stage) -> None:
    """What the ledger says, read from its files and verified without the gateway's help."""
    told, ledger = stage.told, stage.gateway.data / "ledger"
    told.granted = dict(stage.gateway.entries("grant.made")[-1])
    outcomes = stage.gateway.entries("outcome")
    told.outcome = dict([e for e in outcomes if e.get("target") == "tool/desk/my_orders"][-1])
    told.verified = command("verify", str(ledger)).code
    told.leaked = _leaked(stage)
    stage.say("The ledger has it.")
    for name in ("subject", "upstream", "authorization_server", "scopes"):
        stage.say(f"  grant.made        {name} {_words(told.granted[name])}")
    for name in ("target", "outcome", "credential", "credential_scopes", "rule"):
        stage.say(f"  outcome           {name} {_words(told.outcome[name])}")
    stage.say(f"  verify            exit {told.verified}")
    tokens = len(set(stage.desk.taken))
    stage.say(
        f"{tokens} tokens opened the desk: the gateway's own, and hers. Written in clear here:"
    )
    stage.say(f"                    {' '.join(told.leaked) or 'none'}")


def _leaked(stage: Stage) -> list[str]:
    """Where any of the desk's tokens stands as it is: ledger, store, logs, all of them."""
    files = [path for path in stage.gateway.data.parent.rglob("*") if path.is_file()]
    read = {path: path.read_bytes() for path in files}
    return [str(p) for p, held in read.items() if any(t.encode() in held for t in stage.desk.taken)]


def _words(value: Any) -> str:
    return " ".join(value) if isinstance(value, list) else str(value)
