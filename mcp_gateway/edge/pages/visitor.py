"""Who is at a page: the person that the browser's cookie stands for."""

from starlette.requests import Request

from mcp_gateway.edge.pages import cookies
from mcp_gateway.oauth.ports import Browsers, Person


async def visitor(request: Request, browsers: Browsers | None, public: str) -> Person | None:
    """None where nobody is logged in, or nobody can be."""
    cookie = cookies.value_of(request, cookies.BROWSER, public)
    return await browsers.who(cookie) if browsers and cookie else None
