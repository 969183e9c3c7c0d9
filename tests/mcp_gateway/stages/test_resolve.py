from dataclasses import dataclass, replace
from typing import Any

import pytest

from mcp_gateway.core.asking import AFRESH, Declared, Resumed
from mcp_gateway.core.call import Call
from mcp_gateway.core.credential import Grant, GrantKind
from mcp_gateway.core.errors import (
    HeaderMismatch,
    InvalidRequest,
    InvalidState,
    MissingCapability,
    Refusal,
    UnknownTarget,
)
from mcp_gateway.core.snapshot import Snapshot, Upstream
from mcp_gateway.core.target import Kind, Mirror, Target
from mcp_gateway.core.views import UNSEEN, View, ViewKey
from mcp_gateway.stages.authorize import Authorize
from mcp_gateway.stages.resolve import Resolve, resolve
from tests.mcp_gateway.stages.contract import check
from tests.support.calls import (
    ADD,
    DELETE,
    FILES,
    GREET,
    README,
    TARGETS,
    Rest,
    call,
    snapshot,
)
from tests.support.fakes import HIDDEN, FakeConnector, FakeHandles, FakePolicy, asking

ABLE = Declared(b'{"extensions":{"io.modelcontextprotocol/tasks":{}}}')
"""A client that takes tasks."""


def target(method: str, params: dict[str, Any], **changes: Any) -> Target:
    return resolve(call(method, params, **changes))


def said(method: str, params: dict[str, Any], **changes: Any) -> str:
    with pytest.raises(UnknownTarget) as caught:
        target(method, params, **changes)
    return caught.value.reason


async def test_resolve_changes_only_what_it_sets() -> None:
    await check(Resolve(FakeHandles()), call())


async def test_the_rest_of_the_chain_meets_a_target() -> None:
    rest = Rest()
    await Resolve(FakeHandles())(call(), rest)
    assert rest.calls[0].target == ADD


def test_a_tool_has_its_joined_name_at_mcp_and_its_own_at_its_server() -> None:
    assert target("tools/call", {"name": "github__delete_repo"}) is DELETE
    assert target("tools/call", {"name": "delete_repo"}, endpoint="github") is DELETE


def test_a_name_of_one_endpoint_means_nothing_at_the_other() -> None:
    assert "'delete_repo'" in said("tools/call", {"name": "delete_repo"})
    assert said("tools/call", {"name": "github__delete_repo"}, endpoint="github")
    assert said("tools/call", {"name": "delete_repo"}, endpoint="orders")


def test_a_prompt_is_not_found_as_a_tool() -> None:
    assert target("prompts/get", {"name": "orders__greet"}) is GREET
    assert said("tools/call", {"name": "orders__greet"}).startswith("no tool is called")


def test_an_operation_is_found_by_its_name() -> None:
    rotate = Target("operation", "gateway", "keys.create")
    world = snapshot(targets=[rotate], catalog={("operation", "keys.create"): rotate})
    assert target("operations/call", {"name": "keys.create"}, snapshot=world) is rotate


@pytest.mark.parametrize("params", [{}, {"name": ""}, {"name": 7}, {"name": None}, {"name": ["a"]}])
def test_a_name_that_is_no_string_is_an_invalid_request(params: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="name"):
        target("tools/call", params)


def test_an_exact_uri_comes_before_a_template() -> None:
    assert target("resources/read", {"uri": README.name}) is README


def test_a_uri_that_a_template_covers_is_pinned_by_the_template() -> None:
    found = target("resources/read", {"uri": "repo://site/src/a.py"})
    assert found == Target("resource", "github", "repo://site/src/a.py", digest=FILES.digest)


def test_the_template_with_the_longest_literal_part_wins() -> None:
    wide = Target("template", "a", "db://{x}", digest="wide")
    narrow = Target("template", "b", "db://orders/{x}", digest="narrow")
    world = snapshot(targets=[wide, narrow])
    assert target("resources/read", {"uri": "db://orders/1"}, snapshot=world).digest == "narrow"
    assert target("resources/read", {"uri": "db://people/1"}, snapshot=world).digest == "wide"


def test_a_tie_between_servers_is_refused_with_both_addresses() -> None:
    tied = [Target("template", name, f"db://{{{name}}}") for name in ("a", "b")]
    with pytest.raises(InvalidRequest, match="/servers/a/mcp or /servers/b/mcp"):
        target("resources/read", {"uri": "db://1"}, snapshot=snapshot(targets=tied))


@pytest.mark.requirement("resources:one-address-of-several-servers")
@pytest.mark.parametrize("kind", ["resource", "template"])
def test_an_address_of_two_servers_is_refused_with_where_each_is(kind: Kind) -> None:
    both = [Target(kind, server, "db://one") for server in ("b", "a")]
    world = snapshot(targets=both, catalog={}, claims={(kind, "db://one"): tuple(both)})
    with pytest.raises(InvalidRequest, match="/servers/a/mcp or /servers/b/mcp"):
        target("resources/read", {"uri": "db://one"}, snapshot=world)
    assert target("resources/read", {"uri": "db://one"}, snapshot=world, endpoint="b").server == "b"


@pytest.mark.requirement("resources:one-address-of-several-servers")
def test_of_two_servers_that_have_an_address_the_one_that_may_be_read_is_meant() -> None:
    both = [Target("resource", server, "db://one") for server in ("a", "b")]
    hiding = FakePolicy(prospects={"resource/a/db://one": "deny"})
    claims = {("resource", "db://one"): tuple(both)}
    world = snapshot(targets=both, catalog={}, claims=claims, policy=hiding)
    nothing = snapshot(targets=both, catalog={}, claims=claims, policy=FakePolicy(HIDDEN))
    assert target("resources/read", {"uri": "db://one"}, snapshot=world) is both[1]
    assert target("resources/read", {"uri": "db://one"}, snapshot=nothing) is both[0]


def test_an_exact_address_of_several_comes_before_a_template_of_one() -> None:
    exact = Target("resource", "a", "ui://a/view")
    wide = Target("template", "b", "ui://{x}")
    world = snapshot(targets=[wide], claims={("resource", exact.name): (exact,)})
    assert target("resources/read", {"uri": exact.name}, snapshot=world) is exact


def test_an_argument_of_a_template_that_two_servers_have_is_completed_where_it_may_be() -> None:
    both = [Target("template", server, "db://{x}") for server in ("a", "b")]
    hiding = FakePolicy(prospects={"template/a/db://{x}": "deny"})
    world = snapshot(
        targets=both, catalog={}, claims={("template", "db://{x}"): tuple(both)}, policy=hiding
    )
    ref = {"ref": {"type": "ref/resource", "uri": "db://{x}"}}
    assert target("completion/complete", ref, snapshot=world) is both[1]


def test_a_uri_nobody_lists_is_unknown_at_mcp_and_asked_for_at_its_server() -> None:
    assert said("resources/read", {"uri": "x://1"}) == "no resource is called 'x://1'"
    found = target("resources/read", {"uri": "x://1"}, endpoint="github")
    assert found == Target("resource", "github", "x://1")


@pytest.mark.parametrize(
    "method", ["tools/list", "prompts/list", "resources/list", "resources/templates/list"]
)
def test_a_listing_is_a_catalog_of_its_endpoint(method: str) -> None:
    assert target(method, {}) == Target("catalog", "gateway", method)
    assert target(method, {}, endpoint="github") == Target("catalog", "github", method)


def test_a_completion_is_about_its_prompt_or_template() -> None:
    prompt = {"ref": {"type": "ref/prompt", "name": "orders__greet"}}
    assert target("completion/complete", prompt) is GREET
    template = {"ref": {"type": "ref/resource", "uri": FILES.name}}
    assert target("completion/complete", template) is FILES
    resource = {"ref": {"type": "ref/resource", "uri": README.name}}
    assert target("completion/complete", resource) is README


@pytest.mark.parametrize("ref", [None, "greet", [], {"type": "ref/prompt"}, {"type": "other"}])
def test_a_completion_without_a_usable_ref_is_an_invalid_request(ref: Any) -> None:
    with pytest.raises(InvalidRequest):
        target("completion/complete", {"ref": ref})


def test_an_unknown_method_goes_to_one_server_only() -> None:
    assert target("vendor/do", {}, endpoint="github") == Target("method", "github", "vendor/do")
    assert said("vendor/do", {}) == "no such target"
    assert said("vendor/do", {}, endpoint="nowhere") == "no such target"


@pytest.mark.requirement("refusals:hints-show-only-what-may-be-used")
def test_a_hint_names_what_the_caller_may_use_and_nothing_else() -> None:
    typo = {"name": "github__delete_rep"}
    assert said("tools/call", typo).endswith("; did you mean 'github__delete_repo'?")
    hiding = FakePolicy(prospects={str(DELETE): "deny"})
    words = said("tools/call", typo, snapshot=snapshot(policy=hiding))
    assert words == "no tool is called 'github__delete_rep'"


def test_a_hint_at_one_server_is_in_its_own_names() -> None:
    words = said("tools/call", {"name": "delete_rep"}, endpoint="github")
    assert words.endswith("did you mean 'delete_repo'?")


def test_a_long_name_is_told_shortened() -> None:
    assert len(said("tools/call", {"name": "x" * 10_000})) < 300


def test_a_target_is_the_one_of_the_snapshot_and_no_copy() -> None:
    found = {id(resolve(call(params={"name": n}))) for n in ("github__add", "orders__refund")}
    assert found <= {id(t) for t in TARGETS}


@pytest.mark.requirement("refusals:stranger-sees-no-name")
async def test_a_tie_names_no_server_that_the_caller_may_not_know() -> None:
    tied = [Target("template", name, f"db://{{{name}}}") for name in ("alpha", "beta")]
    world = snapshot(policy=FakePolicy(HIDDEN), targets=tied)
    made = call("resources/read", {"uri": "db://1"}, snapshot=world)
    with pytest.raises(Refusal) as caught:
        await Resolve(FakeHandles())(made, lambda made: Authorize()(made, Rest()))
    assert caught.value.reason == "no resource is called 'db://1'"


@pytest.mark.requirement("refusals:stranger-sees-no-name")
async def test_a_hint_does_not_tell_a_hidden_name_from_one_that_does_not_exist() -> None:
    near, hidden = Target("tool", "git2", "list"), Target("tool", "git", "list")
    told = []
    for targets in ([near, hidden], [near]):
        policy = FakePolicy(HIDDEN, prospects={str(near): "allow"})
        made = call(params={"name": "git__list"}, snapshot=snapshot(policy=policy, targets=targets))
        with pytest.raises(UnknownTarget) as caught:
            await Resolve(FakeHandles())(made, lambda made: Authorize()(made, Rest()))
        told.append(caught.value.reason)
    assert told[0] == told[1]


ROUTE = Target("tool", "github", "route", mirrored=(Mirror(("region",), "mcp-param-region"),))


def _mirrored(*pairs: tuple[bytes, bytes], **changes: Any) -> Call:
    params = {"name": "github__route", "arguments": {"region": "eu"}}
    world = changes.pop("world", None) or snapshot(targets=[ROUTE])
    return call(params=params, snapshot=world, mirrors=lambda: pairs, **changes)


@pytest.mark.requirement("mirrors:headers-and-arguments-agree")
async def test_headers_are_held_against_the_arguments_that_they_repeat() -> None:
    await Resolve(FakeHandles())(_mirrored((b"mcp-param-region", b"eu")), Rest())
    with pytest.raises(HeaderMismatch, match="the argument 'region' differ"):
        await Resolve(FakeHandles())(_mirrored((b"mcp-param-region", b"us")), Rest())
    with pytest.raises(HeaderMismatch, match="is missing"):
        await Resolve(FakeHandles())(_mirrored(), Rest())


async def test_where_the_protocol_has_no_such_headers_none_are_missed() -> None:
    made = _mirrored()
    made.mirrors = None
    rest = Rest()

    await Resolve(FakeHandles())(made, rest)

    assert rest.calls[0].target is ROUTE


@pytest.mark.requirement("refusals:stranger-sees-no-name")
async def test_headers_are_not_asked_of_who_may_not_use_the_tool() -> None:
    world = snapshot(policy=FakePolicy(HIDDEN), targets=[ROUTE])

    with pytest.raises(UnknownTarget):
        await Resolve(FakeHandles())(_mirrored(world=world), lambda made: Authorize()(made, Rest()))


def _continuing(**changes: Any) -> Call:
    params = {"name": "github__add", "arguments": {}, "requestState": "sealed:c-0"}
    return call(params=params | changes)


async def test_what_a_request_continues_is_known_before_its_target() -> None:
    handles, rest = FakeHandles(), Rest()

    await Resolve(handles)(_continuing(), rest)
    await Resolve(handles)(call(), rest)

    assert [made.resumed for made in rest.calls] == [handles.resumed, AFRESH]


@pytest.mark.requirement("handles:bound-to-caller-and-request")
@pytest.mark.parametrize("state", ["anothers", None, 7, {}])
async def test_a_state_that_is_none_goes_no_further(state: Any) -> None:
    rest = Rest()

    with pytest.raises(InvalidState):
        await Resolve(FakeHandles())(_continuing(requestState=state), rest)

    assert rest.calls == []


async def test_an_escaped_name_hides_no_state() -> None:
    raw = b'{"name":"github__add","request\\u0053tate":"anothers"}'

    with pytest.raises(InvalidState):
        await Resolve(FakeHandles())(call(params=raw), Rest())


@pytest.mark.requirement("handles:bound-to-caller-and-request")
async def test_a_state_of_another_server_is_none() -> None:
    handles = FakeHandles(Resumed(parent="c-0", server="orders"))

    with pytest.raises(InvalidState):
        await Resolve(handles)(_continuing(), Rest())


async def test_only_a_result_that_asks_is_sealed() -> None:
    handles, asked = FakeHandles(), asking()

    whole = await Resolve(handles)(call(), Rest())
    sealed = await Resolve(handles)(call(), Rest(asked))

    assert whole.raw == Rest().answer.raw
    assert sealed.view()["requestState"] == "sealed:c-1"
    assert handles.sealed == ["c-1"]


@pytest.mark.requirement("tasks:of-who-began-them")
async def test_a_task_needs_what_its_tool_needs_and_is_gone_with_it() -> None:
    scoped = replace(ADD, requires=frozenset({"repo:write"}))
    handles = FakeHandles(Resumed(task="t", server="github", tool="add"))
    asked = {"requestState": "sealed:t"}
    made = call("tasks/get", asked, snapshot=snapshot(targets=[scoped]), declared=ABLE)
    late = call("tasks/get", asked, snapshot=snapshot(targets=[DELETE]), declared=ABLE)

    await Resolve(handles)(made, Rest())
    with pytest.raises(InvalidState):
        await Resolve(handles)(late, Rest())

    assert made.target.requires == {"repo:write"}


@pytest.mark.requirement("handles:tasks-are-their-callers")
async def test_a_task_is_of_the_tool_that_began_it() -> None:
    handles = FakeHandles(Resumed(task="t", server="github", tool="add"))
    params = {"taskId": "sealed:t", "requestState": "sealed:t"}
    made = call("tasks/get", params, endpoint="github", declared=ABLE)
    elsewhere = call("tasks/get", params, endpoint="orders", declared=ABLE)

    await Resolve(handles)(made, Rest())
    with pytest.raises(InvalidState):
        await Resolve(handles)(elsewhere, Rest())

    assert made.target == Target("task", "github", "add")


@pytest.mark.requirement("capabilities:offered-and-relayed")
async def test_a_client_that_takes_no_tasks_learns_nothing_of_one() -> None:
    handles = FakeHandles(Resumed(task="t", server="github", tool="add"))

    with pytest.raises(MissingCapability) as refused:
        await Resolve(handles)(call("tasks/get", {"requestState": "sealed:t"}), Rest())

    assert refused.value.required == {"extensions": {"io.modelcontextprotocol/tasks": {}}}


@dataclass
class Seen:
    """Everybody's view of github: what their own list showed."""

    view: View

    def of(self, key: ViewKey) -> View:  # noqa: ARG002
        return self.view


def of_persons(view: View, kind: GrantKind = "delegated") -> Snapshot:
    upstreams = {"github": Upstream("github", FakeConnector(), Grant(kind))}
    return snapshot(upstreams=upstreams, views=Seen(view))


@pytest.mark.requirement("connecting:each-sees-their-own-list")
@pytest.mark.parametrize("endpoint", ["", "github"])
@pytest.mark.parametrize("kind", ["delegated", "token_exchange", "id_jag"])
def test_a_tool_of_ones_own_list_is_found_and_no_other(kind: GrantKind, endpoint: str) -> None:
    world = of_persons(View(1, {("tool", "add"): ADD.digest}, 0.0), kind)
    name = "add" if endpoint else "github__add"
    other = "delete_repo" if endpoint else "github__delete_repo"

    found = resolve(call(params={"name": name}, snapshot=world, endpoint=endpoint))

    assert found == ADD
    with pytest.raises(UnknownTarget):
        resolve(call(params={"name": other}, snapshot=world, endpoint=endpoint))


@pytest.mark.requirement("connecting:each-sees-their-own-list")
def test_a_tool_that_ones_own_list_words_otherwise_is_not_found() -> None:
    world = of_persons(View(1, {("tool", "add"): "sha256:another"}, 0.0))

    with pytest.raises(UnknownTarget):
        resolve(call(params={"name": "github__add"}, snapshot=world))


def test_before_anybody_looked_a_tool_is_found_so_that_its_call_can_ask_to_connect() -> None:
    world = of_persons(UNSEEN)

    assert resolve(call(params={"name": "github__add"}, snapshot=world)) == ADD
