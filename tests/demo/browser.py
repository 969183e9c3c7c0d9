"""A browser without a screen: pages, their forms, and cookies. Scripts do not run."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, Final, Protocol
from urllib.parse import urljoin, urlsplit

import httpx2

HOPS: Final = 10
BOUND: Final = 30.0


class Browser(Protocol):
    """What one person does with pages. `visited` are their places, without what follows a `?`."""

    visited: list[str]

    async def open(self, url: str) -> None: ...

    async def follow(self, words: str) -> None:
        """The link with these words."""

    async def send(self, press: str = "", **filled: str) -> None:
        """The first form of the page, with these of its fields filled in.

        `press` is what stands on the button, where it is not the first one.
        """

    async def heading(self) -> str: ...


@dataclass
class Button:
    name: str
    value: str
    words: str = ""


@dataclass
class Form:
    """Where a form goes, and what it sends as it stands."""

    action: str = ""
    method: str = "get"
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[Button] = field(default_factory=list)


class Page(HTMLParser):
    """The forms and the links of a page, and its heading."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: dict[str, str] = {}
        self.heading = ""
        self._address = ""
        self._within: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag == "a":
            self._address = said.get("href", "")
        if tag in ("h1", "button", "a"):
            self._within.append(tag)
        if tag == "form":
            self.forms.append(Form(said.get("action", ""), said.get("method", "get").lower()))
        if tag == "input" and self.forms and said.get("name"):
            self.forms[-1].fields[said["name"]] = said.get("value", "")
        if tag == "button" and self.forms:
            self.forms[-1].buttons.append(Button(said.get("name", ""), said.get("value", "")))

    def handle_data(self, data: str) -> None:
        if "h1" in self._within:
            self.heading += data
        if self._within[-1:] == ["button"] and self.forms:
            self.forms[-1].buttons[-1].words += data.strip()

        if self._within[-1:] == ["a"]:
            self.links[" ".join(data.split())] = self._address

    def handle_endtag(self, tag: str) -> None:
        if tag in self._within:
            self._within.remove(tag)


class FormBrowser:
    """By HTTP alone. An answer that is an error is one here."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http
        self.url = ""
        self.page = Page("")
        self.visited: list[str] = []

    async def open(self, url: str) -> None:
        await self._go("get", url)

    async def follow(self, words: str) -> None:
        await self.open(urljoin(self.url, self.page.links[words]))

    async def send(self, press: str = "", **filled: str) -> None:
        form = self.page.forms[0]
        unknown = filled.keys() - form.fields.keys()
        if unknown:
            raise LookupError(f"{self.url} has no field {sorted(unknown)}: {form}")
        where = urljoin(self.url, form.action)
        pressed = next(button for button in form.buttons if press in ("", button.words))
        chosen = {pressed.name: pressed.value} if pressed.name else {}
        await self._go(form.method, where, {**form.fields, **filled, **chosen})

    async def heading(self) -> str:
        return " ".join(self.page.heading.split())

    async def _go(self, method: str, url: str, fields: dict[str, str] | None = None) -> None:
        sent: dict[str, Any] = {"data": fields} if method == "post" else {"params": fields}
        for _ in range(HOPS):
            answer = await self._http.request(method.upper(), url, **sent)
            where = answer.headers.get("location") if answer.has_redirect_location else ""
            where = where or answer.headers.get("refresh", "").partition("0;url=")[2]
            if not where:
                break
            method, url, sent = "get", urljoin(url, where), {}
        else:
            raise RecursionError(f"{url} redirects without end")
        if answer.status_code >= httpx2.codes.BAD_REQUEST:
            raise AssertionError(f"{answer.status_code} at {bare(url)}: {answer.text[:400]}")
        self.url, self.page = str(answer.url), Page(answer.text)
        self.visited.append(bare(self.url))


@asynccontextmanager
async def form_browser(trusted: ssl.SSLContext) -> AsyncIterator[FormBrowser]:
    async with httpx2.AsyncClient(verify=trusted, timeout=BOUND) as http:
        yield FormBrowser(http)


def bare(url: str) -> str:
    """Without what nobody else may read."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"
