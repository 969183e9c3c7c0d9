import pytest
from pydantic import ValidationError

from mcp_gateway.config import Governance


@pytest.mark.requirement("catalogue:labels")
def test_what_is_known_becomes_labels() -> None:
    known = Governance(operator="Example Inc.", region="EU West", data_classes=["personal", "code"])

    assert known.labels == {
        "operator:example-inc.",
        "region:eu-west",
        "data:personal",
        "data:code",
    }
    assert Governance(retention="30 days").labels == frozenset()


@pytest.mark.parametrize(
    "said",
    [
        {"operator": "a\nb"},
        {"region": "x" * 201},
        {"data_classes": ["Personal data"]},
        {"terms": "file:///etc/passwd"},
        {"owner": "x"},
    ],
)
def test_what_nobody_could_read_is_refused(said: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Governance.model_validate(said)
