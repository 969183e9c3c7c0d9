from mcp_gateway.core.entry import UNWRITTEN, Entry, Receipt


def test_an_entry_does_not_show_its_content() -> None:
    entry = Entry("outcome", "c-1", "local|alice", {"rule": "r"}, {"result": b"hush"})
    assert "hush" not in repr(entry)
    assert "local|alice" in repr(entry)


def test_what_is_not_written_stands_nowhere() -> None:
    assert UNWRITTEN.index < 0
    assert Receipt("", 0) != UNWRITTEN


def test_two_entries_share_no_body() -> None:
    assert Entry("spawn").body == {}
    assert Entry("spawn").body is not Entry("spawn").body
