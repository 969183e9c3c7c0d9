"""A server that one line of the configuration names, from its list to the ledger."""

from pathlib import Path

import pytest

from tests.support.gateway import gateway_under_test

CONFIG = """
[policy]
rules = ["own.csv"]

[servers.pages]
connector = "catalog:notion"
url = "http://127.0.0.1:{port}/mcp"
command = ["@PYTHON@", "@EXAMPLE@", "{port}"]
grant = { kind = "none" }
governance = { region = "EU", data_classes = ["pages"] }
"""
RULES = """\
p, 1, lists, role:user, *, catalog/*/*, *, , allow,
p, 1, pages, role:user, *, tool/pages/*, *, , allow,
"""


@pytest.mark.requirement("catalogue:labels")
@pytest.mark.requirement("catalogue:fills-a-section")
async def test_a_server_of_the_catalogue_is_called_and_its_labels_are_on_the_record(
    tmp_path: Path,
) -> None:
    (tmp_path / "var").mkdir(0o700)
    (tmp_path / "var" / "own.csv").write_text(RULES)
    async with gateway_under_test(tmp_path, CONFIG) as gateway:
        await gateway.serving("pages")
        async with gateway.as_("alice") as alice:
            result = await alice.call_tool("pages__echo", {"text": "hello"})

        assert not result.is_error
        (line,) = [x for x in gateway.outcomes() if x["method"] == "tools/call"]

    assert {"operator:notion", "region:eu", "data:pages"} <= set(line["labels"])
