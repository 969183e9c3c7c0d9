from importlib.metadata import EntryPoint

import pytest

from mcp_gateway.core import catalogue as module
from mcp_gateway.core.catalogue import catalogue


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment in which somebody's `math` plugs in as `sums`."""

    def entry_points(*, group: str) -> list[EntryPoint]:
        return [EntryPoint("sums", "math:prod", group), EntryPoint("evil", "no.such:thing", group)]

    monkeypatch.setattr(module, "entry_points", entry_points)


def test_the_built_in_list_keeps_its_order() -> None:
    assert list(catalogue("x", (("b", 1), ("a", 2))).items()) == [("b", 1), ("a", 2)]


@pytest.mark.usefixtures("installed")
def test_nothing_is_loaded_for_being_installed() -> None:
    assert dict(catalogue("x", (("a", 1),))) == {"a": 1}


@pytest.mark.usefixtures("installed")
def test_what_is_allowed_by_name_is_loaded() -> None:
    assert catalogue("x", (("a", sum),), ["sums"])["sums"]([2, 3]) == 6


@pytest.mark.usefixtures("installed")
def test_a_name_that_is_claimed_twice_is_an_error() -> None:
    with pytest.raises(ValueError, match="'a' is claimed twice"):
        catalogue("x", (("a", 1), ("a", 2)))
    with pytest.raises(ValueError, match="'sums' is claimed twice"):
        catalogue("x", (("sums", 1),), ["sums"])


@pytest.mark.usefixtures("installed")
def test_a_plug_that_is_allowed_but_absent_is_an_error() -> None:
    with pytest.raises(ValueError, match="'ghost' is allowed but not installed"):
        catalogue("x", (("a", 1),), ["ghost"])


def test_a_catalogue_cannot_be_written_to() -> None:
    with pytest.raises(TypeError):
        catalogue("x", (("a", 1),))["a"] = 2  # type: ignore[index]  # what must not work
