import json
import shlex

from mcp_gateway.cli import snippets

URL = "https://gateway.example.com/mcp"


def test_with_a_key_a_snippet_shows_it_and_without_one_it_does_not() -> None:
    assert shlex.split(snippets.claude(URL, "k"))[-2:] == ["-H", "Authorization: Bearer k"]
    assert shlex.split(snippets.claude(URL, ""))[-1] == URL
    assert shlex.split(snippets.codex(URL, "KEY"))[-2:] == ["--bearer-token-env-var", "KEY"]
    assert shlex.split(snippets.codex(URL, ""))[-1] == URL
    assert snippets.cursor(URL, "") == {"mcpServers": {"gateway": {"url": URL}}}


def test_vs_code_asks_for_a_key_and_no_file_holds_it() -> None:
    content = snippets.vscode(URL, key=True)

    assert [asked["password"] for asked in content["inputs"]] == [True]
    shown = content["servers"]["gateway"]["headers"]["Authorization"]
    assert shown == f"Bearer ${{input:{content['inputs'][0]['id']}}}"
    assert snippets.vscode(URL, key=False) == {"servers": {"gateway": {"type": "http", "url": URL}}}


def test_a_file_on_two_lines_is_the_same_file() -> None:
    content = snippets.cursor(URL, "k")

    shown = snippets.one_line(content)

    assert json.loads(shown) == content
    assert len(shown.splitlines()) == 2
