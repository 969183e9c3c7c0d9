from typing import get_args

from local_models.guards.patterns import LABELS
from mcp_gateway.config import Label


def test_the_labels_of_the_configuration_are_those_of_the_guard() -> None:
    assert set(get_args(Label)) == set(LABELS)
