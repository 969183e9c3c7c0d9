from mcp_gateway.core.change import Change
from mcp_gateway.services.bulletin import Bulletin

CHANGE = Change("tools", "up")


def test_everyone_who_wants_to_know_is_told_until_they_leave() -> None:
    bulletin = Bulletin()
    one, other = list[Change](), list[Change]()
    leave = bulletin.subscribe(one.append)
    bulletin.subscribe(other.append)

    bulletin.publish(CHANGE)
    leave()
    leave()
    bulletin.publish(CHANGE)

    assert (one, other) == ([CHANGE], [CHANGE, CHANGE])


def test_who_leaves_while_they_are_told_costs_nobody_else_anything() -> None:
    bulletin, told = Bulletin(), list[Change]()
    leave = bulletin.subscribe(lambda _: leave())
    bulletin.subscribe(told.append)

    bulletin.publish(CHANGE)

    assert told == [CHANGE]
