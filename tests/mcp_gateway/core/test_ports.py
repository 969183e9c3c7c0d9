from typing import get_type_hints

from mcp_gateway.core import ports
from mcp_gateway.core.body import EMPTY, Result
from mcp_gateway.core.call import Call, Next
from mcp_gateway.stages.limit import Limit
from tests.support.fakes import (
    FakeBroker,
    FakeConnector,
    FakeGuard,
    FakeLedger,
    FakeLimiter,
    FakeObserver,
    FakePolicy,
)


def test_every_port_has_a_fake_that_a_type_checker_takes_for_it() -> None:
    stage: ports.Stage = Limit(FakeLimiter())
    connector: ports.Connector = FakeConnector()
    policy: ports.Policy = FakePolicy()
    limiter: ports.Limiter = FakeLimiter()
    guard: ports.Guard = FakeGuard()
    broker: ports.Broker = FakeBroker()
    ledger: ports.Ledger = FakeLedger()
    observer: ports.Observer = FakeObserver()
    assert all([stage, connector, policy, limiter, guard, broker, ledger, observer])


def test_a_verdict_without_findings_is_a_clean_bill() -> None:
    assert ports.Verdict().findings == ()


def test_a_stage_is_called_with_a_call_and_the_rest() -> None:
    hints = get_type_hints(ports.Stage.__call__)
    assert hints == {"call": Call, "call_next": Next, "return": type(EMPTY)}
    assert Result is type(EMPTY)
