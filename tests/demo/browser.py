"""A browser without a screen: pages, their forms and links, and cookies. Scripts do not run."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx2

HOPS = 10


@dataclass
class Form:
    """Where a form goes, and what it sends as it stands."""

    action: str = ""
    method: str = "get"
    fields: dict[str, str] = field(default_factory=dict)


class Page(HTMLParser):
    """The forms and links of a page, and the words that a person reads on it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.heading = ""
        self._within = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        self._within = tag
        if tag == "form":
            self.forms.append(Form(said.get("action", ""), said.get("method", "get").lower()))
        if tag in ("input", "button") and self.forms and said.get("name"):
            self.forms[-1].fields[said["name"]] = said.get("value", "")
        if tag == "a" and said.get("href"):
            self.links.append(said["href"])

    def handle_data(self, data: str) -> None:
        if self._within == "h1":
            self.heading += data.strip()
        self._within = "" if data.strip() else self._within


class Browser:
    """One person's. `visited` are the places that it showed, without what stands behind a `?`."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http
        self.url = ""
        self.page = Page("")
        self.visited: list[str] = []

    async def open(self, url: str) -> None:
        await self._go("get", url)

    async def follow(self) -> None:
        """The one link of the page."""
        (link,) = self.page.links
        await self.open(urljoin(self.url, link))

    async def send(self, **filled: str) -> None:
        """The first form of the page, with some of its fields filled in."""
        form = self.page.forms[0]
        unknown = filled.keys() - form.fields.keys()
        if unknown:
            raise LookupError(f"{self.url} has no field {sorted(unknown)}: {form}")
        where = urljoin(self.url, form.action)
        await self._go(form.method, where, {**form.fields, **filled})

    async def _go(self, method: str, url: str, fields: dict[str, str] | None = None) -> None:
        sent: dict[str, Any] = {"data": fields} if method == "post" else {"params": fields}
        for _ in range(HOPS):
            answer = await self._http.request(method.upper(), url, **sent)
            if not answer.has_redirect_location:
                break
            method, url, sent = "get", urljoin(url, answer.headers["location"]), {}
        else:
            raise RecursionError(f"{url} redirects without end")
        if answer.status_code >= httpx2.codes.BAD_REQUEST:
            raise AssertionError(f"{answer.status_code} at {bare(url)}: {answer.text[:400]}")
        self.url, self.page = str(answer.url), Page(answer.text)
        self.visited.append(bare(self.url))


def bare(url: str) -> str:
    """Without what nobody else may read."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"
