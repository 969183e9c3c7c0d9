"""What a connector may use."""

from pathlib import Path
from typing import Any

from connectors.services import Services


def test_whoever_nobody_listens_to_may_say_that_something_changed() -> None:
    nothing: Any = None
    services = Services(nothing, nothing, Path())

    services.changed("up")
