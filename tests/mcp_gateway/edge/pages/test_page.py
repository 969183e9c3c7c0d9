import re

import httpx2
from starlette.applications import Starlette

from mcp_gateway.edge.pages.page import HEADERS, page, style


def test_what_is_shown_is_text_whatever_it_holds() -> None:
    answer = page("said.html", 403, title="<b>", text='"><img src=x onerror=1>')

    text = bytes(answer.body).decode()
    assert answer.status_code == 403
    assert "<b>" not in text
    assert "<img" not in text


def test_every_page_has_the_headers_that_keep_it_to_itself() -> None:
    answer = page("said.html", title="a", text="b")

    assert {name: answer.headers[name] for name in HEADERS} == HEADERS


def test_a_form_may_lead_to_one_other_origin_where_the_page_says_so() -> None:
    answer = page("said.html", onward="https://app.example", title="a", text="b")

    policy = answer.headers["content-security-policy"]
    assert "form-action 'self' https://app.example;" in policy
    assert "default-src 'none'" in policy


async def test_the_one_thing_that_pages_load_is_their_style() -> None:
    transport = httpx2.ASGITransport(Starlette(routes=[style()]))
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as browser:
        answer = await browser.get("/oauth/style.css")

    loaded = re.findall(
        r'(?:href|src)="([^"]+)"', bytes(page("said.html", title="a", text="b").body).decode()
    )
    assert loaded == ["/oauth/style.css"]
    assert answer.headers["content-type"].startswith("text/css")
    assert b"url(" not in answer.content
    assert b"@import" not in answer.content
