"""What a person consented to, renewed once however many need it, at a real server."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from mcp_gateway.core.credential import CredentialRefused, Grant
from mcp_gateway.core.errors import ConsentRequired, UpstreamFailed
from mcp_gateway.core.grants import Granted
from mcp_gateway.oauth.ports import GrantOptions, Obtained, SecretLost
from mcp_gateway.oauth.upstream.kept import place
from mcp_gateway.store.leases import LeaseRows
from tests.support.consenting import CLIENT, CONFIGURED, PUBLIC, READING, World, trusting
from tests.support.oidc_provider import Provider
from tests.support.refreshing import ALICE, GRANTED, Process, together, wanted

PLACE = place(ALICE, "up")
OVER = 1
"""Of a token that has ended."""


@dataclass
class Connected:
    """A person who connected the upstream, whose tokens are in the vault."""

    world: World
    provider: Provider
    process: Process
    options: GrantOptions = CONFIGURED

    @property
    def broke(self) -> list[tuple[str, str]]:
        return self.process.consents.broke

    async def tokens(self) -> Mapping[str, Any]:
        return await self.process.secrets.get(PLACE)

    async def alter(self, **tokens: Any) -> None:
        await self.process.secrets.put(PLACE, {**await self.tokens(), **tokens})

    async def obtain(self, granted: Granted | None = GRANTED, **more: Any) -> Obtained:
        asking = wanted(self.world.resource, self.options, granted, **more)
        return await self.process.source.obtain(asking)

    def refreshes(self) -> int:
        return self.provider.granted("refresh_token")


@asynccontextmanager
async def connected(
    folder: Path, scopes: frozenset[str] = READING, **tokens: int
) -> AsyncIterator[Connected]:
    """A server that takes a refresh token once, and ends the grant when one comes again."""
    async with trusting(folder, CONFIGURED, clients=[CLIENT], rotate=True) as (here, provider):
        brought = await here.connected(provider, scopes)
        process = Process(here.database, here.http, PUBLIC)
        await process.secrets.put(PLACE, {**brought.tokens, **tokens})
        yield Connected(here, provider, process)


async def test_a_good_token_is_shown_as_it_is_kept(tmp_path: Path) -> None:
    async with connected(tmp_path) as person:
        found = await person.obtain()
        kept = await person.tokens()

    credential = found.credential
    assert credential.headers == (("Authorization", f"Bearer {kept['access_token']}"),)
    assert (credential.reference, credential.effective) == ("delegated:up:g-1", "policy")
    assert "orders:read" in credential.scopes
    assert (found.until, found.version) == (kept["expires"] - 30, 3)
    assert person.refreshes() == 0
    assert kept["access_token"] not in repr(found)


@pytest.mark.requirement("upstream:a-grant-is-refreshed-once")
async def test_64_calls_at_once_refresh_once(tmp_path: Path) -> None:
    async with connected(tmp_path, expires=OVER) as person:
        before = await person.tokens()
        asking = wanted(person.world.resource, person.options)
        shown = await together(person.process, asking, 64)
        after = await person.tokens()

    assert shown == {f"Bearer {after['access_token']}"}
    assert person.refreshes() == 1
    assert after["refresh_token"] != before["refresh_token"]
    assert person.process.consents.renewed == ["up"]


@pytest.mark.requirement("upstream:a-grant-is-refreshed-once")
async def test_two_processes_on_one_store_refresh_once(tmp_path: Path) -> None:
    async with connected(tmp_path, expires=OVER) as person:
        file = tmp_path / "process.json"
        given = {
            "database": str(tmp_path / "gateway.db"),
            "authority": str(tmp_path / "test-authority.pem"),
            "public": PUBLIC,
            "client": CLIENT["client_id"],
            "secret": CLIENT["client_secret"],
            "url": person.world.resource,
            "times": 32,
        }
        file.write_text(json.dumps(given), "utf-8")
        command = (sys.executable, "-m", "tests.support.refreshing", str(file))
        pipe = asyncio.subprocess.PIPE
        async with asyncio.timeout(60):
            both = [
                await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
                for _ in range(2)
            ]
            for process in both:
                assert process.stdout
                assert await process.stdout.readline() == b"ready\n"
            said = await asyncio.gather(*(process.communicate(b"\n") for process in both))
        after = await person.tokens()

    assert [json.loads(out) for out, _ in said] == [[f"Bearer {after['access_token']}"]] * 2
    assert person.refreshes() == 1


async def test_a_token_that_was_refused_is_renewed_and_one_that_was_not_is_shown(
    tmp_path: Path,
) -> None:
    async with connected(tmp_path) as person:
        first = await person.obtain()
        second = await person.obtain(refused=CredentialRefused())
        elsewhere = Process(person.world.database, person.world.http, PUBLIC)
        asking = wanted(person.world.resource, person.options, refused=CredentialRefused())
        third = await elsewhere.source.obtain(asking)  # which never showed what is kept now

    assert first.credential != second.credential
    assert second.credential == third.credential
    assert person.refreshes() == 1


@pytest.mark.requirement("upstream:a-grant-that-is-over-is-broken")
async def test_a_refresh_token_that_is_over_breaks_the_grant(tmp_path: Path) -> None:
    async with connected(tmp_path, expires=OVER) as person:
        await person.alter(refresh_token="used-by-a-thief")
        with pytest.raises(ConsentRequired, match="connected again") as told:
            await person.obtain()

    assert person.broke == [("up", "its server says invalid_grant")]
    assert "thief" not in str(told.value)
    assert told.value.url == "http://127.0.0.1/connect/1"


@pytest.mark.parametrize("why", ["no refresh token", "another client", "lost"])
async def test_what_cannot_be_renewed_is_broken(
    tmp_path: Path, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected(tmp_path, expires=OVER) as person:
        if why == "no refresh token":
            await person.alter(refresh_token="")
        elif why == "another client":
            await person.alter(client="registered before")
        else:

            async def lost(_: object) -> None:
                raise SecretLost

            monkeypatch.setattr(person.process.secrets, "get", lost)
        with pytest.raises(ConsentRequired):
            await person.obtain()

    assert [server for server, _ in person.broke] == ["up"]
    assert person.refreshes() == 0


async def test_a_server_that_is_away_breaks_nothing(tmp_path: Path) -> None:
    async with connected(tmp_path, expires=OVER) as person:
        await person.provider.end()
        with pytest.raises(UpstreamFailed):
            await person.obtain()

    assert person.broke == []


async def test_who_has_not_connected_is_asked_to_with_what_is_configured(tmp_path: Path) -> None:
    async with connected(tmp_path) as person:
        grant = Grant("delegated", scopes=frozenset({"orders:read"}))
        with pytest.raises(ConsentRequired, match="is not connected to you yet"):
            await person.obtain(None, grant=grant)
        broken = replace(GRANTED, state="broken", scopes=frozenset({"orders:write"}))
        with pytest.raises(ConsentRequired, match="connected again"):
            await person.obtain(broken, grant=grant)

    assert [scopes for _, _, scopes in person.process.consents.asked] == [
        {"orders:read"},
        {"orders:read", "orders:write"},
    ]


@pytest.mark.requirement("upstream:step-up-asks-the-person")
@pytest.mark.requirement("attack:c13")
async def test_a_token_that_may_do_too_little_leads_to_one_consent_for_both(
    tmp_path: Path,
) -> None:
    said = 'Bearer error="insufficient_scope", scope="orders:write"'
    async with connected(tmp_path) as person:
        with pytest.raises(ConsentRequired, match="needs more of you"):
            await person.obtain(refused=CredentialRefused(said, status=403))
        for other in ("Bearer error=invalid_token", 'Bearer error="insufficient_scope', ""):
            with pytest.raises(UpstreamFailed):
                await person.obtain(refused=CredentialRefused(other, status=403))

    asked = person.process.consents.asked
    assert [scopes for _, _, scopes in asked] == [{"orders:read", "orders:write"}]
    assert person.refreshes() == 0


@pytest.mark.requirement("upstream:fewer-scopes-where-the-server-can")
async def test_a_token_with_fewer_scopes_is_asked_for_and_not_taken_for_another(
    tmp_path: Path,
) -> None:
    both = frozenset({"orders:read", "orders:write"})
    said = 'Bearer error="insufficient_scope", scope="orders:write"'
    async with connected(tmp_path, scopes=both) as person:
        asking = wanted(
            person.world.resource,
            person.options,
            replace(GRANTED, scopes=both),
            grant=Grant("delegated", downscope=True),
        )
        obtain = person.process.source.obtain
        read = await obtain(replace(asking, scopes=frozenset({"orders:read"})))
        again = await obtain(replace(asking, scopes=frozenset({"orders:read"})))
        write = await obtain(replace(asking, scopes=frozenset({"orders:write"})))
        refused = CredentialRefused(said, status=403)
        more = await obtain(replace(asking, scopes=frozenset({"orders:read"}), refused=refused))

    assert [found.credential.scopes for found in (read, again, write, more)] == [
        {"orders:read"},
        {"orders:read"},
        {"orders:write"},
        both,
    ]
    assert (read.credential, read.credential.effective) == (again.credential, "token")
    assert person.refreshes() == 3
    assert person.process.consents.asked == []


async def test_a_token_without_an_end_is_looked_at_again_in_a_while(tmp_path: Path) -> None:
    async with connected(tmp_path, expires=0) as person:
        found = await person.obtain()

    assert person.refreshes() == 0
    assert found.until > time.time()


async def test_a_process_that_died_while_it_refreshed_is_waited_for_and_followed(
    tmp_path: Path,
) -> None:
    async with connected(tmp_path, expires=OVER) as person:
        rows = LeaseRows(person.world.database)
        now = time.time()
        assert await asyncio.to_thread(rows.take, "grant:g-1", "the dead", now, now + 0.5)
        await person.obtain()

    assert person.refreshes() == 1
