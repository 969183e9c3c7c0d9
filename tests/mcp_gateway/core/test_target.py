from mcp_gateway.core.target import KINDS, NOWHERE, Target


def test_a_target_reads_as_policies_write_it() -> None:
    assert str(Target("tool", "github", "delete_repo")) == "tool/github/delete_repo"
    assert str(Target("resource", "files", "file:///a/b")) == "resource/files/file:///a/b"


def test_nowhere_is_of_a_kind_of_its_own() -> None:
    assert NOWHERE.kind == "none"
    assert (NOWHERE.server, NOWHERE.name) == ("", "")
    assert "none" in KINDS


def test_a_target_with_another_definition_is_another_target() -> None:
    assert Target("tool", "s", "n", digest="a") != Target("tool", "s", "n", digest="b")
