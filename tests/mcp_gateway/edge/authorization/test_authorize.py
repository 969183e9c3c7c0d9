"""The authorization endpoint sends the browser on, or says why not; see also the attacks."""

import httpx2
import pytest

from tests.scenarios.test_authorization import asking, registered


async def test_a_request_leads_to_the_consent_page_in_this_browser(
    anybody: httpx2.AsyncClient,
) -> None:
    client = await registered(anybody)

    answer = await anybody.get("/oauth/authorize", params=asking(client))

    assert answer.status_code == 303
    assert "/oauth/consent?request=" in answer.headers["location"]
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("mcpgw-authorize=")
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    assert answer.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("query", ["", "client_id=a&client_id=b", "client_id=%ff", "client_id="])
async def test_who_cannot_be_sent_anywhere_is_told_in_plain_text(
    anybody: httpx2.AsyncClient, query: str
) -> None:
    answer = await anybody.get(f"/oauth/authorize?{query}")

    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text.startswith("This log-in cannot begin")
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


async def test_two_requests_of_one_browser_wait_beside_each_other(
    anybody: httpx2.AsyncClient,
) -> None:
    client = await registered(anybody)

    first = await anybody.get("/oauth/authorize", params=asking(client))
    second = await anybody.get("/oauth/authorize", params=asking(client))

    assert first.headers["location"] != second.headers["location"]
    for page in (first, second):
        shown = await anybody.get(page.headers["location"])
        assert shown.headers["location"].startswith("/oauth/login?next=")
