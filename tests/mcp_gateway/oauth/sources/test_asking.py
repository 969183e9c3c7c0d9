import pytest

from mcp_gateway.core.credential import CredentialRefused
from mcp_gateway.core.errors import UpstreamFailed
from mcp_gateway.wire.http import HttpClient
from tests.mcp_gateway.oauth.sources.exchanging import asking, options_of, wanted_of
from tests.support.identity_provider import authority


async def test_what_was_found_counts_until_a_credential_is_refused(http: HttpClient) -> None:
    made, refused = asking(http), CredentialRefused("Bearer a=1, a=1")
    with authority() as server:
        options = options_of(server)
        first = await made.found(wanted_of("service", options))

        assert await made.found(wanted_of("service", options)) is first
        assert await made.found(wanted_of("service", options, refused=refused)) is not first
        assert await made.found(wanted_of("service", options_of(server))) is not first


async def test_a_server_that_cannot_be_found_is_said_to_be_so(http: HttpClient) -> None:
    with authority() as server:
        options = options_of(server)
    with pytest.raises(UpstreamFailed, match="orders: "):
        await asking(http).found(wanted_of("service", options))


async def test_a_client_whose_secret_cannot_be_read_asks_for_nothing(http: HttpClient) -> None:
    def missing() -> str:
        raise OSError("/etc/secret")

    made = asking(http)
    with authority() as server:
        wanted = wanted_of("service", options_of(server, client_secret=missing))
        found = await made.found(wanted)
        with pytest.raises(UpstreamFailed, match="cannot read") as failed:
            made.client(wanted, found.server)

    assert "/etc/secret" not in str(failed.value)
