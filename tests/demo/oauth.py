"""The story of one call: who calls, who consents, and which credential the upstream sees.

Everything in it is real and runs on this machine: an OpenID provider, an upstream that takes its
tokens alone, the gateway as a process of its own, the SDK's client as the runtime, and a browser.
"""

import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx2
import mcp_types as types
from mcp.client.context import ClientRequestContext

from tests.demo.browser import Browser, bare
from tests.demo.runtime import Runtime
from tests.demo.upstream import Desk, protected_desk
from tests.support.certificates import Authority
from tests.support.gateway import free_port
from tests.support.oidc_provider import Provider, openid_provider
from tests.support.process import BOUND, Served, command, served

SECRET: Final = "the secret of the gateway's own clients"
COMPANY: Final = "Example Works"
CONFIG: Final = """
[gateway]
listen = "127.0.0.1:{port}"
url = "http://127.0.0.1:{port}"

[authorization]
enabled = true
keys = false

[authorization.login]
issuer = "{company}"
client = "gateway"
secret = {{ file = "{secret}" }}
name = "{name}"

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
PEOPLE: Final = {"alice": {"name": "Alice", "roles": ["staff"]}}
CLIENT: Final = {
    "client_id": "gateway",
    "client_secret": SECRET,
    "grant_types": ["client_credentials"],
    "redirect_uris": [],
    "response_types": [],
}
FEATURES: Final = {"registration": {"enabled": True}, "revocation": {"enabled": True}}
CALLED: Final = "tool/desk/my_orders"
TOLD: Final[Mapping[str, Sequence[Sequence[str]]]] = {
    "client.registered": [("client", "redirect_hosts")],
    "login": [("subject", "issuer")],
    "consent.given": [("identity", "client", "scopes"), ("resource",)],
    "token.minted": [("identity", "grant", "scopes")],
    "grant.made": [("subject", "upstream", "scopes"), ("authorization_server",)],
    "outcome": [
        ("target", "outcome", "rule"),
        ("subject", "client"),
        ("credential", "credential_scopes"),
    ],
}
"""The entries of the story, and what of each is told on a line."""
Say = Callable[[str], None]
Opens = Callable[[ssl.SSLContext], AbstractAsyncContextManager[Browser]]
"""Opens a browser of a person who trusts what is given."""


@dataclass
class Told:
    """What came of it."""

    challenge: str = ""
    sent: list[str] = field(default_factory=list)
    """What the runtime asked for until it could call."""
    asked: list[str] = field(default_factory=list)
    """The places that the runtime was asked to open."""
    visited: list[str] = field(default_factory=list)
    answer: str = ""
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Of the ledger, by kind."""
    verified: int = -1
    leaked: list[str] = field(default_factory=list)
    """The files of the gateway in which something stands that opens the desk, or the gateway."""


@dataclass
class Stage:
    """What is running, and who says what happens there."""

    company: Provider
    provider: Provider
    desk: Desk
    gateway: Served
    say: Say
    opens: Opens
    told: Told = field(default_factory=Told)
    opened: list[str] = field(default_factory=list)
    """What opens the gateway."""


async def tell(folder: Path, say: Say, opens: Opens) -> Told:
    """The whole story. Raises when a part of it does not come to pass."""
    async with _staged(folder, say, opens) as stage:
        _say_who_is_there(stage)
        await _turned_away(stage)
        async with opens(stage.provider.trusted) as browser:
            await _called(stage, browser)
            stage.told.visited = browser.visited
        _recorded(stage)
        return stage.told


@asynccontextmanager
async def _staged(folder: Path, say: Say, opens: Opens) -> AsyncIterator[Stage]:
    authority, port = Authority(folder), free_port()
    secret, rules = folder / "secret", folder / "rules.csv"
    secret.write_text(SECRET, "utf-8")
    rules.write_text(RULES, "utf-8")
    async with (
        _company(folder, authority, f"http://127.0.0.1:{port}") as company,
        openid_provider(folder, authority, clients=[CLIENT], features=FEATURES) as provider,
        protected_desk(provider) as desk,
    ):
        known = {"company": company.url, "name": COMPANY, "ca": authority.certificate}
        config = CONFIG.format(port=port, desk=desk.url, rules=rules, secret=secret, **known)
        async with served(folder, config, port=port) as gateway:
            await gateway.serving("desk")
            yield Stage(company, provider, desk, gateway, say, opens)


@asynccontextmanager
async def _company(folder: Path, authority: Authority, gateway: str) -> AsyncIterator[Provider]:
    """The provider at which everybody of the company logs in, the gateway's people too."""
    its = folder / "company"
    its.mkdir()
    client = {
        "client_id": "gateway",
        "client_secret": SECRET,
        "grant_types": ["authorization_code", "refresh_token"],
        "redirect_uris": [f"{gateway}/oauth/login/callback"],
        "response_types": ["code"],
    }
    async with openid_provider(its, authority, clients=[client], people=PEOPLE) as running:
        yield running


def _say_who_is_there(stage: Stage) -> None:
    stage.say("Four programs are running on this machine.")
    stage.say(f"  her company       {stage.company.url} (oidc-provider)")
    stage.say(f"  the order desk    {stage.desk.url}")
    stage.say(f"                    takes tokens of {stage.provider.url} alone (oidc-provider)")
    stage.say(f"  the gateway       {stage.gateway.url}/mcp")


async def _turned_away(stage: Stage) -> None:
    async with httpx2.AsyncClient(timeout=BOUND) as http:
        at_desk = await http.post(stage.desk.url, json={})
        at_gateway = await http.post(f"{stage.gateway.url}/mcp", json={})
    assert (at_desk.status_code, at_gateway.status_code) == (401, 401)
    stage.told.challenge = at_gateway.headers["www-authenticate"]
    stage.say("Who shows nothing is turned away, at the desk and at the gateway.")
    stage.say(f"  the gateway says  401, {stage.told.challenge}")


async def _called(stage: Stage, browser: Browser) -> None:
    """Her runtime logs her in and calls. What either asks for, she does in her browser."""
    told, url = stage.told, f"{stage.gateway.url}/mcp"

    async def logs_in(address: str) -> None:
        stage.say("  a browser opens   so that she logs in, and lets the runtime in")
        await _let_in(stage, browser, address)

    async def shown(
        context: ClientRequestContext,
        params: types.ElicitRequestParams,
    ) -> types.ElicitResult:
        assert isinstance(params, types.ElicitRequestURLParams)
        told.asked.append(params.url)
        stage.say("  the call waits    she is asked to open a page of the gateway")
        await _connect(stage, browser, params.url)
        return types.ElicitResult(action="accept")

    stage.say(f"Her runtime knows {url}, and no more.")
    runtime = Runtime(url, logs_in)
    async with runtime.client(elicitation_callback=shown) as client:
        told.sent = list(runtime.sent)
        for line in told.sent:
            stage.say(f"  it asked          {line}")
        stage.say(f"  it has            {_given(stage, runtime)}")
        stage.say("It calls desk__my_orders.")
        result = await client.call_tool("desk__my_orders", {})
    (first,) = result.content
    assert isinstance(first, types.TextContent)
    assert not result.is_error, first.text
    told.answer = first.text
    stage.say(f"  the desk answers  {told.answer}")


async def _let_in(stage: Stage, browser: Browser, address: str) -> None:
    await browser.open(address)
    stage.say(f"                    {await browser.heading()}: with {COMPANY}")
    await browser.follow(f"Log in with {COMPANY}")
    stage.say(f"                    {bare(stage.company.url)}: she is alice there, and logs in")
    await browser.send(login="alice", password="any")
    await browser.send()
    stage.say(f"                    {await browser.heading()}: she allows it")
    await browser.send("Allow")
    stage.say(f"                    {await browser.heading()}")


async def _connect(stage: Stage, browser: Browser, link: str) -> None:
    """The link, and log-in and consent at the desk's provider."""
    await browser.open(link)
    stage.say(f"                    {await browser.heading()}: she agrees to go there")
    await browser.send()
    stage.say(f"                    {bare(stage.provider.url)}: she is ada there, and logs in")
    await browser.send(login="ada", password="any")
    stage.say("                    she consents to orders:read")
    await browser.send()
    stage.say(f"                    {await browser.heading()}")


def _given(stage: Stage, runtime: Runtime) -> str:
    tokens = runtime.kept.tokens
    assert tokens
    assert tokens.refresh_token
    stage.opened += [tokens.access_token, tokens.refresh_token]
    return f"a token for this gateway, for {tokens.expires_in} s: {tokens.scope}"


def _recorded(stage: Stage) -> None:
    """What the ledger says, read from its files and verified without the gateway's help."""
    told, ledger = stage.told, stage.gateway.data / "ledger"
    called = [e for e in stage.gateway.entries("outcome") if e.get("target") == CALLED]
    told.entries = {kind: dict(stage.gateway.entries(kind)[-1]) for kind in TOLD}
    told.entries["outcome"] = dict(called[-1])
    told.verified = command("verify", str(ledger)).code
    told.leaked = _leaked(stage)
    stage.say("The ledger has it all.")
    for kind, entry in told.entries.items():
        for number, line in enumerate(TOLD[kind]):
            said = ", ".join(f"{name} {_words(entry[name])}" for name in line)
            stage.say(f"  {'' if number else kind:17} {said}")
    stage.say(f"  verify            exit {told.verified}")
    stage.say(
        "What opened the desk (the gateway's own token, and hers) and what opened the gateway"
    )
    stage.say(f"stand in clear in {' '.join(told.leaked) or 'no file that the gateway wrote'}.")


def _leaked(stage: Stage) -> list[str]:
    """Where any of the tokens stands as it is: ledger, store, logs, all of them."""
    tokens = [token.encode() for token in stage.desk.taken + stage.opened]
    files = [path for path in stage.gateway.data.parent.rglob("*") if path.is_file()]
    read = {path: path.read_bytes() for path in files}
    return [str(p) for p, held in read.items() if any(t in held for t in tokens)]


def _words(value: Any) -> str:
    return " ".join(value) if isinstance(value, list) else str(value)
