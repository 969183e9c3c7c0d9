"""`token_exchange` (RFC 8693): the caller's token becomes another one, for the upstream alone."""

from typing import Final

from mcp_gateway.core.errors import UpstreamFailed
from mcp_gateway.core.secret import Secret
from mcp_gateway.oauth.ports import Obtained, Wanted
from mcp_gateway.oauth.sources.asking import Asking, needed
from mcp_gateway.oauth.sources.service import GRANT as CLIENT_CREDENTIALS
from mcp_gateway.oauth.sources.subject import ACCESS_TOKEN, TYPE, Subjects, reference
from mcp_gateway.oauth.upstream.client import Client
from mcp_gateway.oauth.upstream.discovery import Found

GRANT: Final = ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange")
MOST: Final = 300.0
"""Seconds for which an exchanged token is shown: who loses their rights loses it with them."""
ACCESS: Final = frozenset({ACCESS_TOKEN, TYPE + "jwt"})


class TokenExchange:
    """Implements `ports.Source`."""

    def __init__(self, asking: Asking, subjects: Subjects) -> None:
        self._asking = asking
        self._subjects = subjects

    async def obtain(self, wanted: Wanted) -> Obtained:
        options = wanted.options
        if not (options.issuer or options.token):
            # An upstream that named the server would be given the tokens of all its callers.
            raise UpstreamFailed(
                f"{wanted.server}: its grant needs an issuer or a token endpoint", sent=False
            )
        subject = await self._subjects.token(wanted)
        found = await self._asking.found(wanted)
        client = self._asking.client(wanted, found.server)
        form = [
            GRANT,
            ("subject_token", subject.reveal()),
            ("subject_token_type", ACCESS_TOKEN),
            *([("audience", options.audience)] if options.audience else []),
            *needed(wanted, found.resource),
            *(await self._actor(wanted, found, client)),
        ]
        answer = await self._asking.ask(wanted, found.server, client, form)
        if answer.issued not in ACCESS:
            raise UpstreamFailed(f"the exchange for {wanted.server} brought no access token")
        passed_on(wanted, subject, answer.access)
        named = reference("token_exchange", wanted.server, wanted.principal)
        return self._asking.obtained(wanted, answer, named, MOST)

    async def _actor(self, wanted: Wanted, found: Found, client: Client) -> list[tuple[str, str]]:
        """Who acts: the gateway, with a token of its own (section 4.1)."""
        if not wanted.options.actor:
            return []
        own = await self._asking.ask(wanted, found.server, client, [CLIENT_CREDENTIALS])
        return [
            ("actor_token", own.access.reveal()),
            ("actor_token_type", ACCESS_TOKEN),
        ]


def passed_on(wanted: Wanted, subject: Secret, token: Secret) -> None:
    """Raises UpstreamFailed for an exchange that gave back what it was given."""
    if subject == token:
        raise UpstreamFailed(
            f"the exchange for {wanted.server} gave back the caller's own token, which is not "
            "passed on",
            sent=False,
        )
