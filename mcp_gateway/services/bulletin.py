"""Who hears what: a change goes to everyone who wants to know, at once and without a task."""

from collections.abc import Callable

from mcp_gateway.core.change import Change

Heard = Callable[[Change], None]


class Bulletin:
    """Those who hear return at once, and never raise."""

    def __init__(self) -> None:
        self._heard: dict[object, Heard] = {}

    def publish(self, change: Change) -> None:
        for heard in tuple(self._heard.values()):
            heard(change)

    def subscribe(self, heard: Heard) -> Callable[[], None]:
        """From now on `heard` is told, until what this returns is called; twice does no harm."""
        key = object()
        self._heard[key] = heard

        def left() -> None:
            self._heard.pop(key, None)

        return left
