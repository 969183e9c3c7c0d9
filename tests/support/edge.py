"""The edge before a chain that a test plays: who calls is known by key or by token."""

import json
from collections.abc import Mapping
from typing import Any, Final

from mcp_gateway.core.body import Body, Result
from mcp_gateway.core.call import Call, Next
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.snapshot import ApiKey, Current, Keyring
from mcp_gateway.edge.bearer import BearerAuthenticator
from mcp_gateway.edge.listening import Listening
from mcp_gateway.edge.mcp import Kept, McpEndpoint, Terms
from mcp_gateway.edge.origins import Origins
from mcp_gateway.edge.sessions import Sessions
from mcp_gateway.edge.standing import Standing
from mcp_gateway.services.attendance import Attendance
from mcp_gateway.services.bulletin import Bulletin
from mcp_gateway.services.listens import Listens
from mcp_gateway.services.parking import Parking
from mcp_gateway.stages.resolve import resolve
from mcp_gateway.store.keys import digest_of
from mcp_gateway.wire import modern
from tests.support.asgi import Answered, Exchange, Pairs
from tests.support.calls import ALICE, snapshot
from tests.support.fakes import FakeHandles, FakeLedger

PUBLIC: Final = "http://127.0.0.1:8080"
HOST: Final = (b"host", b"127.0.0.1:8080")
JSON: Final = (b"content-type", b"application/json")
BOTH: Final = (b"accept", b"application/json, text/event-stream")
BOB: Final = Principal(issuer="local", subject="bob", tenant="acme")
NOBODYS: Final = Principal(issuer="local", subject="eve", tenant="globex")

Params = Mapping[str, Any] | None

KEYS: Final = {ALICE: b"mcpgw_a_alice", BOB: b"mcpgw_b_bob", NOBODYS: b"mcpgw_e_eve"}


def bearer(credential: bytes) -> tuple[bytes, bytes]:
    return b"authorization", b"Bearer " + credential


def keyring(**changes: Any) -> Keyring:
    keys = {
        digest_of(text): ApiKey(principal.subject, principal) for principal, text in KEYS.items()
    }
    return Keyring(keys=keys, **changes)


def current(**changes: Any) -> Current:
    """The snapshot of ALICE's and BOB's tenant in force, and the keys of all three."""
    made = Current()
    made.swap(snapshot(**changes))
    made.swap_keyring(keyring())
    return made


class EdgeUnderTest:
    """McpEndpoint with everything real but the chain: that is `chain`, else `result` answers."""

    def __init__(self, **changes: Any) -> None:
        self.calls: list[Call] = []
        self.result: Result = Body(b'{"content":[],"resultType":"complete"}')
        self.chain: Next | None = None
        self.current = current(**changes)
        self.sessions = Sessions()
        self.ledger = FakeLedger()
        self.parking = Parking(self.ledger, lambda: 600.0)
        self.sessions.parks = self.parking
        origins = Origins(PUBLIC, "127.0.0.1:8080", [], [])
        authenticator = BearerAuthenticator(self.current, PUBLIC)
        self.listens = Listens(self.current, Attendance(Bulletin()), resolve, FakeHandles())
        self.standing = Standing(self.current, lambda: authenticator)
        self.app = McpEndpoint(
            self.current,
            authenticator,
            self._answer,
            origins,
            Kept(self.sessions, self.parking, Listening(self.listens, self.standing)),
            Terms("ops@example.com", ttl_ms=1000),
        )

    async def _answer(self, call: Call) -> Result:
        self.calls.append(call)
        return await self.chain(call) if self.chain else self.result

    def exchange(
        self,
        body: Any = b"",
        *,
        principal: Principal | None = ALICE,
        headers: Pairs = (),
        **said: Any,
    ) -> Exchange:
        """A request with the usual headers, but for those that are given."""
        usual = [HOST, JSON, BOTH]
        if principal:
            usual.append(bearer(KEYS[principal]))
        given = {name for name, _ in headers}
        sent = [pair for pair in usual if pair[0] not in given]
        raw = body if isinstance(body, bytes | list) else json.dumps(body).encode()
        return Exchange(raw, headers=[*sent, *(p for p in headers if p[1] != b"-")], **said)

    async def ask(self, body: Any = b"", **said: Any) -> Answered:
        return await self.exchange(body, **said).run(self.app)

    async def modern(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        headers: Pairs = (),
        **said: Any,
    ) -> Answered:
        """A request of 2026-07-28, its headers and `_meta` in order."""
        return await self.ask(
            message(method, with_meta(params)),
            headers=[*headers, *modern_headers(method, params or {})],
            **said,
        )

    async def legacy(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        session: bytes = b"",
        **said: Any,
    ) -> Answered:
        """A request of the initialize era, with no header that Gemini does not send."""
        headers = [(b"mcp-session-id", session)] if session else []
        return await self.ask(message(method, params), headers=headers, **said)

    async def session(self, principal: Principal = ALICE, path: str = "/mcp") -> bytes:
        """The id of a new session."""
        answered = await self.legacy("initialize", INITIALIZE, principal=principal, path=path)
        return answered.header(b"mcp-session-id")


INITIALIZE: Final = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "runtime", "version": "1"},
}


def message(method: str, params: Params = None, id_: Any = 1) -> dict[str, Any]:
    found: dict[str, Any] = {"jsonrpc": "2.0", "id": id_, "method": method}
    return found if params is None else {**found, "params": params}


def with_meta(params: Params, **meta: Any) -> dict[str, Any]:
    """Parameters with the `_meta` that every request of 2026-07-28 has."""
    required = {modern.META_VERSION: modern.REVISION, modern.META_CAPABILITIES: {}}
    return {**(params or {}), "_meta": {**required, **meta}}


def modern_headers(method: str, params: Mapping[str, Any]) -> list[tuple[bytes, bytes]]:
    found = [
        (b"mcp-protocol-version", modern.REVISION.encode()),
        (b"mcp-method", method.encode()),
    ]
    if mirrored := modern.NAME_OF.get(method):
        found.append((b"mcp-name", modern.encode_header(str(params.get(mirrored))).encode()))
    return found
