"""What credentials are made of, and what the store and the services do for those who make them."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from mcp_gateway.core.credential import Credential, CredentialRefused, Grant, Shown
from mcp_gateway.core.grants import Granted
from mcp_gateway.core.principal import Principal
from mcp_gateway.oauth.rfc9068 import Accepted

PlaceKind = Literal["delegated", "static", "login", "registration", "signing"]


def no_secret() -> str:
    """Where none is configured."""
    return ""


@dataclass(frozen=True, slots=True)
class GrantOptions:
    """How a grant is obtained, as it is configured. Secrets are read when they are needed.

    Empty texts are left to discovery; a `resource` of "-" sends none.
    """

    client: str = ""
    client_metadata: str = ""
    auth_method: str = ""
    issuer: str = ""
    authorize: str = ""
    token: str = ""
    resource: str = ""
    audience: str = ""
    actor: bool = False
    provider: str = ""
    secret: Callable[[], str] = no_secret
    client_secret: Callable[[], str] = no_secret
    client_key: Callable[[], str] = no_secret


@dataclass(frozen=True, slots=True)
class Wanted:
    """One credential that is needed: where, for whom, and what for.

    `granted` is what the keyring says of the person's grant; `refused` is how the upstream
    answered the credential before, None the first time.
    """

    server: str
    url: str
    grant: Grant
    options: GrantOptions
    principal: Principal
    shown: Shown
    scopes: frozenset[str]
    granted: Granted | None = None
    refused: CredentialRefused | None = None
    call: str = ""


@dataclass(frozen=True, slots=True)
class Obtained:
    """A credential, until when it may be shown again (Unix seconds), and of which consent it is."""

    credential: Credential
    until: float
    version: int = 0


class Tokens(Protocol):
    """What verifies access tokens."""

    @property
    def ready(self) -> bool:
        """Whether every issuer's keys are there."""
        ...

    def remembers(self, token: bytes) -> bool:
        """Whether this token was verified before, so that looking at it again costs nothing."""
        ...

    def accept(self, token: bytes, resource: str) -> Accepted:
        """A token for the resource that is asked for. Raises TokenRefused."""
        ...


class Source(Protocol):
    """One kind of grant."""

    async def obtain(self, wanted: Wanted) -> Obtained:
        """Raises ConsentRequired, UpstreamFailed, UpstreamTimedOut."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where the vault keeps one secret; what is moved to another place does not open there."""

    tenant: str
    principal: str
    upstream: str
    kind: PlaceKind


class SecretLost(Exception):
    """What is at a place does not open: another key sealed it, or it was put there by others."""


class Secrets(Protocol):
    """What is kept sealed."""

    async def put(self, place: Place, value: Mapping[str, Any]) -> int:
        """Seals it at the place, over what was there. Returns its version."""
        ...

    async def get(self, place: Place) -> Mapping[str, Any]:
        """Raises KeyError where there is nothing, and SecretLost where it does not open."""
        ...

    async def drop(self, place: Place) -> None:
        """Nothing is there any more."""
        ...


class Kek(Protocol):
    """A key-encryption key. Its methods may block."""

    @property
    def id(self) -> str: ...

    def wrap(self, key: bytes, bound: bytes) -> bytes: ...

    def unwrap(self, wrapped: bytes, bound: bytes) -> bytes:
        """Raises ValueError when it was not wrapped by this key, or bound to something else."""
        ...


class Leases(Protocol):
    """What only one task of all processes on the store does at a time."""

    def held(self, name: str, seconds: float) -> AbstractAsyncContextManager[None]:
        """Waits until it is free. Entering raises UpstreamBusy after 20 s."""
        ...


class Consents(Protocol):
    """What people have connected, and how they are asked to."""

    async def link(
        self, principal: Principal, server: str, scopes: frozenset[str], call: str
    ) -> str:
        """The address where this person connects the upstream, with at least these scopes."""
        ...

    async def broken(self, principal: Principal, server: str, reason: str) -> None:
        """The grant opens nothing any more, and the person has to consent again."""
        ...

    async def refreshed(self, principal: Principal, server: str) -> None:
        """The grant's tokens were just renewed."""
        ...


@dataclass(frozen=True, slots=True)
class Brought:
    """What a consent at an upstream's authorization server brought."""

    tokens: Mapping[str, Any] = field(repr=False)
    scopes: frozenset[str] = frozenset()
    issuer: str = ""
    client: str = ""


class ConnectFailed(Exception):
    """A consent that came to nothing, in words for the person who gave it."""


class Connecting(Protocol):
    """The gateway as a client of upstreams' authorization servers."""

    async def begin(self, server: str, scopes: frozenset[str], state: str, callback: str) -> str:
        """Where the browser goes. What must not be guessed is derived from `state`.

        Raises ConnectFailed.
        """
        ...

    async def finish(
        self, server: str, state: str, query: Mapping[str, str], callback: str
    ) -> Brought:
        """Redeems what the browser came back with. Raises ConnectFailed."""
        ...

    async def revoke(self, server: str, tokens: Mapping[str, Any]) -> None:
        """Has the upstream's authorization server forget them, where it can be told."""
        ...


@dataclass(frozen=True, slots=True)
class Person:
    """Who is logged in, and what by: `key:<digest>` of an API key, `person:<id>` of the store.

    `names` are those by which the log-in can be revoked, `expires` is when it is over (Unix
    seconds, 0 for never), `name` is what a page calls them.
    """

    by: str
    principal: Principal
    names: frozenset[str] = frozenset()
    expires: int = 0
    name: str = ""


class People(Protocol):
    """Whom a log-in stands for at this moment, whatever it stood for when it was made."""

    async def person(self, by: str) -> Person | None:
        """None where the key is over, or the person may not log in any more."""
        ...


class LogInRefused(Exception):
    """A log-in that came to nothing, in words for the person. `wait` is seconds, where any help."""

    def __init__(self, words: str, wait: int = 0) -> None:
        super().__init__(words)
        self.wait = wait


class Browsers(Protocol):
    """Who is at a browser."""

    async def who(self, cookie: str) -> Person | None:
        """None where nobody is logged in."""
        ...


@dataclass(frozen=True, slots=True)
class Asking:
    """What a consent page shows. `host` is where the client's name comes from, if anywhere."""

    client: str
    name: str
    host: str
    redirect_host: str
    scopes: tuple[str, ...]
    resource: str
    loopback: bool = False
    verified: bool = False
    form_action: str = ""
    """What a policy of a page has to allow, so that the browser follows to the client."""


class AuthorizationFailed(Exception):
    """A request for authorization that is unknown, expired, done, or another browser's."""


class Authorizing(Protocol):
    """Requests that wait for the person. `browser` is the cookie of the browser they began in."""

    async def asked(self, id: str, browser: str) -> Asking:  # noqa: A002  # what it is
        """Raises AuthorizationFailed."""
        ...

    async def approve(self, id: str, browser: str, person: Person) -> str:  # noqa: A002
        """Where the browser goes with a code. Raises AuthorizationFailed."""
        ...

    async def deny(self, id: str, browser: str, person: Person) -> str:  # noqa: A002
        """Where the browser goes with a refusal. Raises AuthorizationFailed."""
        ...
