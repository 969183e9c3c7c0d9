"""`id_jag` (draft-ietf-oauth-identity-assertion-authz-grant): the provider vouches for the caller.

First the identity provider gives an assertion for the upstream's server, then that one a token.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from mcp_gateway.core.errors import UpstreamFailed
from mcp_gateway.oauth.ports import Obtained, Wanted
from mcp_gateway.oauth.sources.asking import Asking, needed
from mcp_gateway.oauth.sources.provider import Provider
from mcp_gateway.oauth.sources.rfc8693 import GRANT as EXCHANGE
from mcp_gateway.oauth.sources.rfc8693 import MOST, passed_on
from mcp_gateway.oauth.sources.subject import ACCESS_TOKEN, TYPE, Subjects, reference

JWT_BEARER: Final = ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
ID_JAG: Final = TYPE + "id-jag"


class IdJag:
    """Implements `ports.Source`. An assertion is used once, and kept nowhere."""

    def __init__(
        self,
        asking: Asking,
        subjects: Subjects,
        provider: Callable[[Wanted], Awaitable[Provider]],
    ) -> None:
        self._asking = asking
        self._subjects = subjects
        self._provider = provider

    async def obtain(self, wanted: Wanted) -> Obtained:
        subject = await self._subjects.token(wanted)
        found = await self._asking.found(wanted)
        provider = await self._provider(wanted)
        client = self._asking.client(wanted, found.server)
        form = [
            EXCHANGE,
            ("requested_token_type", ID_JAG),
            ("audience", wanted.options.audience or found.server.issuer),
            ("subject_token", subject.reveal()),
            ("subject_token_type", ACCESS_TOKEN),
            *needed(wanted, found.resource),
        ]
        vouched = await self._asking.ask(wanted, provider.server, provider.client, form)
        if vouched.issued != ID_JAG:
            raise UpstreamFailed(f"the provider gave no assertion for {wanted.server}", sent=False)
        asserted = [JWT_BEARER, ("assertion", vouched.access.reveal())]
        scope = [pair for pair in needed(wanted, found.resource) if pair[0] == "scope"]
        answer = await self._asking.ask(wanted, found.server, client, [*asserted, *scope])
        for given in (subject, vouched.access):
            passed_on(wanted, given, answer.access)
        named = reference("id_jag", wanted.server, wanted.principal)
        return self._asking.obtained(wanted, answer, named, MOST)
