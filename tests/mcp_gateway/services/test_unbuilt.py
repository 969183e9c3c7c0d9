"""What a configuration says and this version does not do is refused, by its name."""

from typing import Any

import pytest

from mcp_gateway.config import validated
from mcp_gateway.services import unbuilt

ISSUER = {"issuer": "https://login.example.com", "audience": "gateway"}


def test_what_is_built_is_taken() -> None:
    told = {"authorization": {"keys": False}, "identity": ISSUER}

    assert list(unbuilt.faults(validated(told))) == []


@pytest.mark.requirement("configuration:nothing-is-ignored")
@pytest.mark.parametrize(
    ("told", "name"),
    [
        ({"authorization": {"enabled": True}}, "authorization.enabled"),
        ({"authorization": {"passwords": False}}, "authorization.passwords"),
        (
            {"authorization": {"clients": {"ci": {"secret": {"env": "CI_SECRET"}}}}},
            "authorization.clients",
        ),
        ({"registry": {"public": True}}, "registry.public"),
    ],
)
def test_what_would_do_nothing_is_refused(told: dict[str, Any], name: str) -> None:
    assert [fault.partition(":")[0] for fault in unbuilt.faults(validated(told))] == [name]
