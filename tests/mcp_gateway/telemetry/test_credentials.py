import pytest

from mcp_gateway.telemetry.credentials import CredentialMetrics


def said(metrics: CredentialMetrics) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in metrics.collect()
        for sample in family.samples
    }


@pytest.mark.requirement("operations:credentials-are-measured")
def test_credentials_are_counted_by_server_kind_and_what_came_of_it() -> None:
    metrics = CredentialMetrics(lambda: {("desk", "service"): 40})
    for outcome in ("obtained", "obtained", "failed"):
        metrics.sought("desk", "service", outcome, 0.2)

    found = said(metrics)

    about = ("mcp_gateway_credentials_total", "desk", "service")
    assert [found[*about, outcome] for outcome in ("kept", "obtained", "failed")] == [40, 2, 1]
    assert found["mcp_gateway_credential_seconds_count", "service"] == 3
    assert found["mcp_gateway_credential_seconds_sum", "service"] == pytest.approx(0.6)


@pytest.mark.requirement("operations:credentials-are-measured")
def test_what_is_revoked_is_counted_by_kind() -> None:
    metrics = CredentialMetrics()
    for kind in ("key", "grant", "key"):
        metrics.revoked(kind)

    found = said(metrics)

    total = "mcp_gateway_revocations_total"
    assert (found[total, "key"], found[total, "grant"]) == (2, 1)
