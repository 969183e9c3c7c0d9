"""Which wording of a name a caller means whose own list has another one than was pinned."""

from dataclasses import dataclass, replace

import pytest

from mcp_gateway.core.credential import Grant
from mcp_gateway.core.errors import UnknownTarget
from mcp_gateway.core.snapshot import Snapshot, Upstream
from mcp_gateway.core.views import View, ViewKey
from mcp_gateway.stages.resolve import resolve
from tests.support.calls import ADD, call, snapshot
from tests.support.fakes import FakeConnector

THEIRS = replace(ADD, digest="sha256:theirs")


@dataclass
class Seen:
    digest: str

    def of(self, key: ViewKey) -> View:  # noqa: ARG002
        return View(1, {("tool", "add"): self.digest}, 0.0)


def world(digest: str) -> Snapshot:
    upstreams = {"github": Upstream("github", FakeConnector(), Grant("delegated"))}
    wordings = {("tool", "github", "add", target.digest): target for target in (ADD, THEIRS)}
    return snapshot(upstreams=upstreams, views=Seen(digest), wordings=wordings)


@pytest.mark.requirement("connecting:wordings")
@pytest.mark.parametrize("endpoint", ["", "github"])
@pytest.mark.parametrize("target", [ADD, THEIRS])
def test_the_wording_of_ones_own_list_is_meant(target: object, endpoint: str) -> None:
    digest = ADD.digest if target is ADD else THEIRS.digest
    name = "add" if endpoint else "github__add"

    found = resolve(call(params={"name": name}, snapshot=world(digest), endpoint=endpoint))

    assert found == target


@pytest.mark.requirement("connecting:wordings")
def test_a_wording_that_nobody_reviewed_is_not_found() -> None:
    with pytest.raises(UnknownTarget):
        resolve(call(params={"name": "github__add"}, snapshot=world("sha256:unreviewed")))
