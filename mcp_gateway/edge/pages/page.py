"""Pages: rendered here, without a script, shown in no frame and kept by nobody."""

import time
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined
)


def _moment(seconds: int) -> str:
    """A time as people read it; "never" where there was none."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds)) if seconds else "never"


_TEMPLATES.filters["moment"] = _moment
HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
}


_STYLE: Final = (Path(__file__).parent / "style.css").read_bytes()


async def _style(_: Request) -> Response:
    kept = {"cache-control": "public, max-age=3600", "x-content-type-options": "nosniff"}
    return Response(_STYLE, 200, kept, media_type="text/css")


def style() -> Route:
    """How all pages look: the one thing that they load."""
    return Route("/oauth/style.css", _style, methods=["GET"])


def page(template: str, status: int = 200, *, onward: str = "", **shown: Any) -> Response:
    """One page. What is shown in it is text, whatever it holds.

    `onward` is another origin that the answer to its form may lead to.
    """
    answer = HTMLResponse(_TEMPLATES.get_template(template).render(shown), status, HEADERS)
    if onward:
        policy = HEADERS["content-security-policy"]
        own = "form-action 'self'"
        answer.headers["content-security-policy"] = policy.replace(own, f"{own} {onward}")
    return answer
