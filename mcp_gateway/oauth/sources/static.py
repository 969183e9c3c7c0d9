"""`static`: a secret that is configured, or that each person typed in when they connected."""

from mcp_gateway.core.credential import Credential
from mcp_gateway.core.errors import ConsentRequired
from mcp_gateway.core.secret import Secret
from mcp_gateway.oauth.ports import Consents, Obtained, SecretLost, Secrets, Wanted
from mcp_gateway.oauth.sources.reading import read, shown
from mcp_gateway.oauth.vault import place_of

FOR_EVER = float("inf")
VALUE = "value"
"""The member of what is in the vault that a person typed in."""


class Static:
    """Implements `ports.Source`. A configured secret is read again when it was refused."""

    def __init__(self, secrets: Secrets, consents: Consents) -> None:
        self._secrets = secrets
        self._consents = consents

    async def obtain(self, wanted: Wanted) -> Obtained:
        if wanted.grant.per_user:
            return await self._of_person(wanted)
        secret = read(wanted.server, wanted.options.secret)
        return _obtained(wanted, "the gateway's secret", secret, f"static:{wanted.server}")

    async def _of_person(self, wanted: Wanted) -> Obtained:
        """Raises ConsentRequired where they did not connect, and where what they gave is lost."""
        granted = wanted.granted
        if granted is None:
            raise await self._required(wanted, "is not connected to you yet")
        if granted.state == "broken" or wanted.refused is not None:
            raise await self._required(wanted, "has to be connected again")
        place = place_of(wanted.principal, wanted.server, "static")
        try:
            value = (await self._secrets.get(place))[VALUE]
        except (KeyError, SecretLost):
            reason = "the gateway has lost what was typed in"
            await self._consents.broken(wanted.principal, wanted.server, reason)
            raise await self._required(wanted, "has to be connected again") from None
        reference = f"static:{wanted.server}:{granted.id}"
        return _obtained(wanted, "your secret", Secret(value), reference, granted.version)

    async def _required(self, wanted: Wanted, why: str) -> ConsentRequired:
        asked = (wanted.principal, wanted.server, frozenset[str](), wanted.call)
        return ConsentRequired(wanted.server, await self._consents.link(*asked), why)


def _obtained(
    wanted: Wanted, whose: str, secret: Secret, reference: str, version: int = 0
) -> Obtained:
    value = shown(wanted.server, whose, wanted.grant.prefix, secret)
    return Obtained(Credential(reference, ((wanted.grant.header, value),)), FOR_EVER, version)
