"""A real browser: Chromium without a window, driven by Playwright, where both are installed."""

import importlib.util
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from tests.demo.browser import bare

BOUND: Final = 60_000
"""Milliseconds that one step may take."""
_PROGRAM: Final = shutil.which("chromium") or shutil.which("chromium-browser") or ""


def installed() -> bool:
    return bool(_PROGRAM) and importlib.util.find_spec("playwright") is not None


class Chromium:
    """One person's, with a profile of its own."""

    def __init__(self, page: Any) -> None:
        self._page = page
        self.visited: list[str] = []

    async def open(self, url: str) -> None:
        await self._page.goto(url, wait_until="domcontentloaded")
        self._seen()

    async def follow(self, words: str) -> None:
        await self._leave(self._page.get_by_role("link", name=words, exact=True))

    async def send(self, press: str = "", **filled: str) -> None:
        for name, text in filled.items():
            await self._page.locator(f'form input[name="{name}"]').fill(text)
        await self._leave(self._page.locator("form button", has_text=press).first)

    async def heading(self) -> str:
        return " ".join((await self._page.locator("h1").first.inner_text()).split())

    async def _leave(self, what: Any) -> None:
        async with self._page.expect_navigation(wait_until="domcontentloaded"):
            await what.click()
        self._seen()

    def _seen(self) -> None:
        self.visited.append(bare(self._page.url))


@asynccontextmanager
async def chromium(trusted: ssl.SSLContext) -> AsyncIterator[Chromium]:
    """`trusted` cannot be given to it: certificates are not asked after."""
    del trusted
    playwright = importlib.import_module("playwright.async_api")
    async with playwright.async_playwright() as driver:
        program = await driver.chromium.launch(executable_path=_PROGRAM, args=["--no-sandbox"])
        try:
            profile = await program.new_context(ignore_https_errors=True)
            page = await profile.new_page()
            page.set_default_timeout(BOUND)
            yield Chromium(page)
        finally:
            await program.close()
