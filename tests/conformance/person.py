"""A person with a browser, who opens the gateway's links and agrees to everything."""

import re
import sys
from dataclasses import dataclass
from typing import Final

import httpx2

BOUND: Final = 30.0
LINK: Final = re.compile(r"http://[0-9a-z.:]+/connect/[A-Za-z0-9_-]{43}")
"""How the gateway's links look, wherever they stand."""


def link(text: str) -> str:
    """The first one in a text; empty when there is none."""
    found = LINK.search(text)
    return found[0] if found else ""


@dataclass
class Person:
    """Opens only so many links: who is asked for ever gives up."""

    left: int = 3

    async def follow(self, url: str) -> bool:
        """Through the pages of the gateway to the authorization server and back.

        Whether the upstream is connected now: the gateway may refuse to go there, or to come back.
        """
        if not self.left:
            return False
        self.left -= 1
        async with httpx2.AsyncClient(timeout=BOUND) as browser:
            await browser.get(url)
            asked = await browser.post(url)
            _, _, there = asked.headers.get("refresh", "").partition("url=")
            if not there:
                print(f"not sent on: {asked.status_code}", file=sys.stderr)
                return False
            agreed = await browser.get(there)
            back = await browser.get(agreed.headers["location"])
            print(f"back: {back.status_code}", file=sys.stderr)
            return back.status_code == 200
