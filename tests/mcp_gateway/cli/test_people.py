"""`people`: who logs in, from the command line."""

import asyncio
import re

import httpx2
import pytest
from click.testing import CliRunner, Result

from mcp_gateway.cli import main
from tests.mcp_gateway.cli.conftest import Administrator
from tests.support.connected import token_in
from tests.support.gateway import GatewayUnderTest

SECRET = "correct horse battery"


async def given(gateway: GatewayUnderTest, typed: str, *words: str) -> Result:
    """A command whose standard input is what is typed."""
    at = ["--url", gateway.url, "--key", gateway.keys["admin"]]
    return await asyncio.to_thread(CliRunner().invoke, main, [*words, *at], typed)


async def logs_in(gateway: GatewayUnderTest, name: str, password: str) -> int:
    async with httpx2.AsyncClient(base_url=gateway.url) as browser:
        form = await browser.get("/oauth/login")
        asked = {"token": token_in(form.text), "name": name, "password": password}
        return (await browser.post("/oauth/login", data=asked)).status_code


@pytest.mark.requirement("people:by-administrators")
@pytest.mark.requirement("login:with-a-password")
async def test_somebody_is_added_logs_in_and_is_disabled_enabled_and_removed(
    gateway: GatewayUnderTest, admin: Administrator
) -> None:
    words = ("people", "add", "grace", "--role", "user", "--role", "ops", "--password-stdin")
    added = await given(gateway, f"{SECRET}\n", *words)
    listed = await admin("people", "list")
    before = await logs_in(gateway, "grace", SECRET)
    disabled = await admin("people", "disable", "grace")
    between = await logs_in(gateway, "grace", SECRET)
    enabled = await admin("people", "enable", "grace")
    after = await logs_in(gateway, "grace", SECRET)
    removed = await admin("people", "remove", "grace")

    assert added.output == "added grace (ops, user)\n"
    assert re.search(r"^grace +enabled +ops,user$", listed.output, re.MULTILINE)
    said = [one.output for one in (disabled, enabled, removed)]
    assert said == ["disabled grace\n", "enabled grace\n", "removed grace\n"]
    assert (before, between, after) == (303, 403, 303)
    assert SECRET not in added.output + listed.output
    assert "grace" not in (await admin("people", "list")).output


@pytest.mark.requirement("people:by-administrators")
async def test_a_password_is_asked_for_twice_without_an_echo(gateway: GatewayUnderTest) -> None:
    typed = f"{SECRET}\nsomething else\n{SECRET}\n{SECRET}\n"
    added = await given(gateway, typed, "people", "add", "heidi")
    changed = await given(gateway, "another pass phrase\n" * 2, "people", "password", "heidi")

    assert added.exit_code == 0, added.output
    assert changed.output.endswith("heidi has another password\n")
    assert SECRET not in added.output
    assert await logs_in(gateway, "heidi", SECRET) == 403
    assert await logs_in(gateway, "heidi", "another pass phrase") == 303


async def test_what_is_no_password_adds_nobody(
    gateway: GatewayUnderTest, admin: Administrator
) -> None:
    said = await given(gateway, "short\n", "people", "add", "ivan", "--password-stdin")

    assert said.exit_code == 1
    assert "12 to 200" in said.output
    assert "ivan" not in (await admin("people", "list")).output


async def test_the_password_is_no_word_of_the_command(gateway: GatewayUnderTest) -> None:
    said = await given(gateway, "", "people", "add", "ivan", "--password", SECRET)

    assert said.exit_code == 2


async def test_who_may_not_is_told_so(admin: Administrator) -> None:
    said = await admin("people", "list", subject="alice")

    assert said.exit_code == 1
