import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skills import bundle
from skills.bundle import Skill, SkillInvalid, digest_of, front_matter, read

FRONT = "---\nname: refunds\ndescription: How to refund an order.\n---\n# Refunds\n"
Make = Callable[..., Path]
PATHS = st.from_regex(r"[a-z]{1,6}(/[a-z]{1,6}){0,2}", fullmatch=True)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Writes a skill folder: SKILL.md, and whatever else is given."""

    def made(front: str | bytes = FRONT, name: str = "refunds", **others: bytes) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        raw = front if isinstance(front, bytes) else front.encode()
        (folder / "SKILL.md").write_bytes(raw)
        for path, content in others.items():
            (folder / path).write_bytes(content)
        return folder

    return made


def front(**fields: str) -> str:
    values = {"name": "refunds", "description": "How to refund."} | fields
    lines = "".join(f"{key}: {value}\n" for key, value in values.items())
    return f"---\n{lines}---\nbody\n"


@pytest.mark.requirement("skills:a-folder-is-read-whole")
def test_a_folder_becomes_a_skill(make: Make) -> None:
    skill = read(make(notes=b"\x00binary"))
    assert (skill.name, skill.description) == ("refunds", "How to refund an order.")
    assert set(skill.files) == {"SKILL.md", "notes"}
    assert skill.text == FRONT
    with pytest.raises(FrozenInstanceError):
        skill.name = "other"  # type: ignore[misc]  # what must not work


def test_files_in_subfolders_are_named_by_their_path(make: Make) -> None:
    folder = make()
    (folder / "references").mkdir()
    (folder / "references" / "rules.md").write_bytes(b"rules")
    assert read(folder).files["references/rules.md"] == b"rules"


def test_a_folder_without_a_skill_file_is_none(tmp_path: Path) -> None:
    with pytest.raises(SkillInvalid, match=r"there is no SKILL\.md"):
        read(tmp_path)


def test_a_lower_case_skill_file_is_not_taken_for_one(tmp_path: Path) -> None:
    (tmp_path / "skill.md").write_text(FRONT)
    with pytest.raises(SkillInvalid, match=r"there is no SKILL\.md"):
        read(tmp_path)


@pytest.mark.requirement("skills:invalid-says-why")
@pytest.mark.parametrize("name", ["Refunds", "re--funds", "-refunds", "refunds-", "re_funds"])
def test_a_name_that_clients_would_not_take_is_refused(make: Make, name: str) -> None:
    with pytest.raises(SkillInvalid, match="a-z, 0-9 and single hyphens"):
        read(make(front(name=name), name))


def test_a_name_in_letters_that_only_look_plain_is_refused(make: Make) -> None:
    name = "refund\N{CYRILLIC SMALL LETTER ES}"
    with pytest.raises(SkillInvalid, match="the name"):
        read(make(front(name=name), name))


def test_a_name_of_more_than_64_characters_is_refused(make: Make) -> None:
    assert read(make(front(name="a" * 64), "a" * 64)).name == "a" * 64
    with pytest.raises(SkillInvalid):
        read(make(front(name="b" * 65), "b" * 65))


def test_a_name_that_is_not_the_folders_is_refused(make: Make) -> None:
    with pytest.raises(SkillInvalid, match="the name is the folder's"):
        read(make(front(name="other")))


@pytest.mark.parametrize(("length", "valid"), [(1, True), (1024, True), (1025, False)])
def test_a_description_has_1_to_1024_characters(make: Make, length: int, *, valid: bool) -> None:
    folder = make(front(description="d" * length))
    if valid:
        assert len(read(folder).description) == length
    else:
        with pytest.raises(SkillInvalid, match="1 to 1024"):
            read(folder)


def test_a_description_may_hold_a_colon_and_other_scripts(make: Make) -> None:
    words = "Use: when someone says «возврат» # now"
    assert read(make(front(description=words))).description == words


@pytest.mark.requirement("skills:invalid-says-why")
@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("---\nname: a\nname: b\n---\n", 3),
        ("---\nname: a\ndescription:\n---\n", 3),
        ("---\nname: a\n  nested: b\n---\n", 3),
        ("---\n- a\n---\n", 2),
        ("---\nname: a\n\n---\n", 3),
        ("---\nname:a\n---\n", 2),
    ],
)
def test_what_is_not_plain_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(SkillInvalid, match=f"SKILL.md:{line} "):
        front_matter(text.encode(), "x")


@pytest.mark.parametrize("text", ["", "# no front", "---\nname: a\n", "\ufeff---\n---\n", "--- \n"])
def test_front_matter_stands_between_two_lines(text: str) -> None:
    with pytest.raises(SkillInvalid, match="begins with front matter"):
        front_matter(text.encode(), "x")


def test_what_is_not_utf_8_is_refused() -> None:
    with pytest.raises(SkillInvalid, match="not UTF-8"):
        front_matter(b"---\nname: \xff\n---\n", "x")


@given(st.binary())
def test_no_bytes_are_read_as_anything_but_fields_or_a_refusal(raw: bytes) -> None:
    try:
        fields = front_matter(b"---\n" + raw + b"\n---\n", "x")
    except SkillInvalid:
        return
    assert all(key and value and value == value.strip() for key, value in fields.items())


@pytest.mark.requirement("skills:no-links")
@pytest.mark.parametrize("target", ["/etc/passwd", "..", "SKILL.md", "nowhere"])
def test_a_link_is_refused_wherever_it_leads(make: Make, target: str) -> None:
    folder = make()
    (folder / "link").symlink_to(target)
    with pytest.raises(SkillInvalid, match="link is a link"):
        read(folder)


def test_a_linked_skill_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "refunds").mkdir()
    (tmp_path / "real").write_text(FRONT)
    (tmp_path / "refunds" / "SKILL.md").symlink_to(tmp_path / "real")
    with pytest.raises(SkillInvalid, match="is a link"):
        read(tmp_path / "refunds")


def test_what_is_no_file_is_refused(make: Make) -> None:
    folder = make()
    os.mkfifo(folder / "pipe")
    with pytest.raises(SkillInvalid):
        read(folder)


@pytest.mark.requirement("skills:bounded")
def test_too_many_files_are_refused(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "MOST_FILES", 2)
    assert len(read(make(one=b"")).files) == 2
    (make(FRONT, "more") / "one").write_bytes(b"")
    folder = make(FRONT, "most", one=b"", two=b"")
    with pytest.raises(SkillInvalid, match="more than"):
        read(folder)


@pytest.mark.requirement("skills:bounded")
def test_a_file_that_is_too_large_is_refused_before_it_is_read(make: Make) -> None:
    folder = make()
    with (folder / "hole").open("wb") as hole:
        hole.truncate(bundle.MOST_BYTES)
    with pytest.raises(SkillInvalid, match="16 MiB"):
        read(folder)


def golden(files: Mapping[str, bytes]) -> str:
    """The digest, worked out the long way."""
    whole = hashlib.sha256()
    for path in sorted(files):
        inner = hashlib.sha256(files[path]).hexdigest()
        whole.update(f"{path}\0{inner}\0{len(files[path])}\n".encode())
    return "sha256:" + whole.hexdigest()


@pytest.mark.requirement("skills:digest-names-the-content")
@given(st.dictionaries(PATHS, st.binary(max_size=20), min_size=1))
def test_the_digest_is_over_paths_digests_and_sizes(files: dict[str, bytes]) -> None:
    assert digest_of(files) == golden(files)
    assert digest_of(dict(reversed(files.items()))) == digest_of(files)


@pytest.mark.requirement("skills:digest-names-the-content")
@pytest.mark.parametrize(
    "other", [{"a": b"x", "c": b"y"}, {"a": b"xy", "b": b""}, {"a": b"y", "b": b"x"}, {"ab": b"xy"}]
)
def test_any_other_content_or_path_is_another_digest(other: dict[str, bytes]) -> None:
    assert digest_of(other) != digest_of({"a": b"x", "b": b"y"})


def test_the_same_folder_elsewhere_has_the_same_digest(make: Make, tmp_path: Path) -> None:
    first: Skill = read(make())
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "refunds").rename(tmp_path / "elsewhere" / "refunds")
    assert read(tmp_path / "elsewhere" / "refunds").digest == first.digest
