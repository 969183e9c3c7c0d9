"""A call that lacks a grant asks for it, and goes on once it is there."""

import asyncio
from typing import Any

import httpx2
import mcp_types as types
import pytest
from mcp.client import Client
from mcp.client.context import ClientRequestContext
from mcp.shared.exceptions import MCPError, UrlElicitationRequiredError

from mcp_gateway.services import awaited
from tests.support.connected import (
    LINK,
    connect,
    link_in,
    opened,
    text_of,
    token_in,
    until,
)
from tests.support.gateway import BOUND, GatewayUnderTest
from tests.support.keyed_upstream import MINE, Keyed


@pytest.mark.requirement("connecting:asked-by-elicitation")
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_who_opens_the_address_that_a_call_asks_for_has_its_answer(
    gateway: GatewayUnderTest, keyed: Keyed, mode: str
) -> None:
    await connect(gateway, "bob", "bobs")
    asked: list[str] = []

    async def answer(ctx: ClientRequestContext, params: Any) -> types.ElicitResult:
        asked.append(params.url)
        assert (await opened(gateway, params.url, "alice", "alices")).status_code == 200
        return types.ElicitResult(action="accept")

    async with gateway.as_("alice", mode, elicitation_callback=answer) as client:
        result = await call_again(client, answer)

    assert text_of(result) == "read for alices"
    assert len(asked) == 1
    assert keyed.called == [("alices", "read")]
    assert not any(b"inputResponses" in body or b"requestState" in body for body in keyed.bodies)


async def call_again(client: Client, answer: Any) -> Any:
    """The call; in the initialize era an address is an error, and the call is made once more."""
    try:
        return await client.call_tool("notes__read", {})
    except MCPError as required:
        await answer(None, UrlElicitationRequiredError.from_error(required.error).elicitations[0])
        return await client.call_tool("notes__read", {})


@pytest.mark.requirement("connecting:a-runtime-is-told-when-to-call-again")
async def test_a_runtime_that_waits_is_told_when_its_person_has_connected(
    gateway: GatewayUnderTest,
) -> None:
    await connect(gateway, "bob", "bobs")
    told: list[Any] = []

    async def heard(message: Any) -> None:
        told.append(message)

    async def unused(ctx: ClientRequestContext, params: Any) -> types.ElicitResult:
        return types.ElicitResult(action="cancel")

    handlers: Any = {"message_handler": heard, "elicitation_callback": unused}
    async with gateway.as_("alice", "legacy", **handlers) as client:
        with pytest.raises(MCPError) as required:
            await client.call_tool("notes__read", {})
        asked = UrlElicitationRequiredError.from_error(required.value.error).elicitations[0]
        await opened(gateway, asked.url, "alice", "alices")
        completed = types.ElicitCompleteNotification
        await until(lambda: any(isinstance(message, completed) for message in told))
        ids = [m.params.elicitation_id for m in told if isinstance(m, completed)]

    assert ids == [asked.elicitation_id]


@pytest.mark.requirement("connecting:asked-in-words")
async def test_a_runtime_without_addresses_is_refused_in_words_with_the_link(
    gateway: GatewayUnderTest, keyed: Keyed
) -> None:
    await connect(gateway, "bob", "bobs")

    async with gateway.as_("alice") as client:
        refused = await client.call_tool("notes__read", {})
        link = link_in(text_of(refused))
        await opened(gateway, link, "alice", "alices")
        again = await client.call_tool("notes__read", {})

    assert refused.is_error
    assert "consent_required" in text_of(refused)
    assert text_of(again) == "read for alices"
    assert keyed.called == [("alices", "read")]


@pytest.mark.requirement("connecting:asked-once")
@pytest.mark.parametrize("action", ["accept", "decline", "cancel"])
async def test_who_did_not_connect_after_all_is_refused_and_not_asked_again(
    gateway: GatewayUnderTest, action: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(awaited, "BOUND", 0.3)
    await connect(gateway, "bob", "bobs")
    asked: list[str] = []

    async def answer(ctx: ClientRequestContext, params: Any) -> types.ElicitResult:
        asked.append(params.url)
        return types.ElicitResult(action=action)

    async with gateway.as_("alice", elicitation_callback=answer) as client:
        refused = await client.call_tool("notes__read", {})

    assert refused.is_error
    assert LINK.search(text_of(refused))
    assert len(asked) == 1


@pytest.mark.requirement("connecting:asked-by-elicitation")
@pytest.mark.parametrize("method", ["prompts/get", "resources/read"])
async def test_prompts_and_resources_ask_likewise(gateway: GatewayUnderTest, method: str) -> None:
    await connect(gateway, "bob", "bobs")

    async def answer(ctx: ClientRequestContext, params: Any) -> types.ElicitResult:
        await opened(gateway, params.url, "alice", "alices")
        return types.ElicitResult(action="accept")

    async with gateway.as_("alice", elicitation_callback=answer) as client:
        result: Any
        if method == "prompts/get":
            result = (await client.get_prompt("notes__greet")).messages[0].content
        else:
            result = (await client.read_resource(MINE)).contents[0]

    assert result.text.endswith("for alices")


@pytest.mark.requirement("connecting:asked-in-words")
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_prompts_and_resources_are_refused_in_words_with_the_link_likewise(
    gateway: GatewayUnderTest, mode: str
) -> None:
    await connect(gateway, "bob", "bobs")

    async with gateway.as_("alice", mode) as client:
        with pytest.raises(MCPError, match=LINK) as prompt:
            await client.get_prompt("notes__greet")
        with pytest.raises(MCPError, match=LINK):
            await client.read_resource(MINE)

    assert "consent_required" in str(prompt.value)


@pytest.mark.requirement("connecting:a-person-has-a-while")
async def test_a_call_whose_person_is_still_on_their_way_waits_for_them(
    gateway: GatewayUnderTest,
) -> None:
    await connect(gateway, "bob", "bobs")
    links: list[str] = []

    async def answer(ctx: ClientRequestContext, params: Any) -> types.ElicitResult:
        links.append(params.url)
        return types.ElicitResult(action="accept")

    async def later() -> None:
        await until(lambda: links)
        await until(lambda: len(gateway.outcomes()) > known)
        await opened(gateway, links[0], "alice", "alices")

    async with gateway.as_("alice", elicitation_callback=answer) as client:
        known = len(gateway.outcomes())
        person = asyncio.ensure_future(later())
        result = await client.call_tool("notes__read", {})
        await person

    assert text_of(result) == "read for alices"
    assert len(links) == 1


@pytest.mark.requirement("connecting:a-consent-connects")
async def test_who_is_not_logged_in_is_sent_to_log_in_and_comes_back_to_the_link(
    gateway: GatewayUnderTest,
) -> None:
    async with gateway.as_("alice") as client:
        link = link_in(text_of(await client.call_tool("connect_notes", {})))
    async with httpx2.AsyncClient(base_url=gateway.url, timeout=BOUND) as browser:
        sent = await browser.get(link)
        form = await browser.get(sent.headers["location"])
        asked = {"token": token_in(form.text), "key": gateway.keys["alice"]}
        back = await browser.post(sent.headers["location"], data=asked)
        shown = await browser.get(back.headers["location"])
        asked["key"] = gateway.keys["bob"]
        await browser.post(sent.headers["location"], data=asked)
        as_bob = await browser.get(back.headers["location"])

    assert sent.status_code == 303
    assert gateway.url + back.headers["location"] == link
    assert "Your key for notes" in shown.text
    assert as_bob.status_code == 403
    assert "not yours" in as_bob.text
