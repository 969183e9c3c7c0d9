"""Forms: small, read in one way, and of the browser that was shown them."""

import hashlib
import hmac
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request

from mcp_gateway.edge import asgi

LARGEST: Final = 16 * 1024
"""Bytes of a form."""
MOST: Final = 50
_MEDIA: Final = b"application/x-www-form-urlencoded"


async def form_of(request: Request) -> dict[str, str]:
    """Raises HttpError for what is no small form, or says something twice."""
    media = request.headers.get("content-type", "").encode().partition(b";")[0].strip().lower()
    try:
        raw = await asgi.read_body(request.receive, LARGEST)
    except ConnectionError:
        raise asgi.HttpError(400, "the form did not arrive whole") from None
    if raw and media != _MEDIA:
        raise asgi.HttpError(415, "the form is application/x-www-form-urlencoded")
    return once(raw.decode("ascii", "replace"))


def once(text: str) -> dict[str, str]:
    """Names and values. Raises HttpError for a name that stands twice."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MOST)
    except ValueError:
        raise asgi.HttpError(400, "it says more than anybody asks") from None
    found = dict(pairs)
    if len(found) < len(pairs):
        raise asgi.HttpError(400, "a parameter stands twice")
    return found


def token_of(cookie: str, page: str) -> str:
    """What a form of this page has in it: only who knows the browser's cookie can know it."""
    return hashlib.sha256(f"form\0{page}\0{cookie}".encode()).hexdigest()


def check_token(form: dict[str, str], cookie: str, page: str) -> None:
    """Raises HttpError for a form that this browser was not shown."""
    if not hmac.compare_digest(form.get("token", "").encode(), token_of(cookie, page).encode()):
        raise asgi.HttpError(403, "this form is not of this page: open the page again")
