"""Canaille, an OpenID provider in Python, run in an environment of its own: people log in at it."""

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import httpx2

from tests.support.certificates import Authority
from tests.support.gateway import free_port
from tests.support.oidc_provider import BOUND, ROOT, keys_of

INSTALLED: Final = ROOT / ".samples" / "canaille" / "bin" / "python"
PROGRAM: Final = Path(__file__).parent / "canaille" / "serve.py"
PASSWORD: Final = "correct horse battery staple"
STEPS: Final = 8
"""Pages between the gateway and the way back to it, at most."""


@dataclass(frozen=True)
class Canaille:
    """`url` is the issuer."""

    url: str
    trusted: ssl.SSLContext

    async def agreed(self, url: str, person: str) -> dict[str, str]:
        """What the browser brings back of somebody who was sent to a URL, logged in and agreed."""
        typed = {"login": person, "password": PASSWORD, "answer": "accept"}
        async with httpx2.AsyncClient(
            base_url=self.url, verify=self.trusted, timeout=BOUND
        ) as browser:
            answer = await browser.get(url)
            for _ in range(STEPS):
                if not answer.is_redirect:
                    filled, of = _filled(answer.text, typed), {"referer": str(answer.url)}
                    answer = await browser.post(answer.url, data=filled, headers=of)
                    continue
                where = answer.headers["location"]
                if httpx2.URL(self.url).join(where).port != httpx2.URL(self.url).port:
                    return dict(parse_qsl(urlsplit(where).query))
                answer = await browser.get(where)
        raise AssertionError(answer.text)


def _filled(page: str, typed: dict[str, str]) -> dict[str, str]:
    """What a person sends of a form: all that it asks for and they know."""
    asked = re.findall(r'name="([a-z_]+)"', page)
    hidden = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert hidden, page
    found = {name: typed[name] for name in asked if name in typed}
    if "login" in found or "password" in found:
        found.pop("answer", None)
    return found | {"csrf_token": hidden[1]}


@asynccontextmanager
async def canaille(
    folder: Path, authority: Authority, client: dict[str, Any]
) -> AsyncIterator[Canaille]:
    """Ada is there, in the group `ops`, and the gateway as this client. Made by `make test`."""
    assert INSTALLED.exists(), f"{INSTALLED} is not there: `make test` installs it"
    pair, port = authority.issue("localhost"), free_port()
    config = {
        "port": port,
        "certificate": pair.certificate,
        "key": pair.key,
        "keys": keys_of("canaille")[:1],
        "password": PASSWORD,
        "people": ["ada"],
        "groups": ["ops"],
        "client": client,
    }
    (folder / "canaille.json").write_text(json.dumps(config), "utf-8")
    trusted = ssl.create_default_context(cafile=authority.certificate)
    with (folder / "canaille.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            INSTALLED, PROGRAM, folder / "canaille.json", stdout=log, stderr=log
        )
    try:
        made = Canaille(f"https://localhost:{port}", trusted)
        await _answering(made, process, folder / "canaille.log")
        yield made
    finally:
        if process.returncode is None:
            process.terminate()
        async with asyncio.timeout(BOUND):
            await process.wait()


async def _answering(made: Canaille, process: asyncio.subprocess.Process, log: Path) -> None:
    async with (
        asyncio.timeout(BOUND),
        httpx2.AsyncClient(base_url=made.url, verify=made.trusted) as client,
    ):
        while True:
            assert process.returncode is None, log.read_text("utf-8", "replace")
            try:
                await client.get("/.well-known/openid-configuration")
            except httpx2.TransportError:
                await asyncio.sleep(0.05)
            else:
                return
