"""Documents that are pinned: those that ship, and the operator's own."""

import json
from pathlib import Path

import pytest

from mcp_gateway.config import ConfigError, Settings
from mcp_gateway.oauth.server import rfc8252
from mcp_gateway.services.authorization.documents import read
from mcp_gateway.services.authorization.pinned import SHIPPED, pinned_documents
from tests.support.strangers import ID, document

CLAUDE_CODE = "https://claude.ai/oauth/claude-code-client-metadata"
CODEX = "https://chatgpt.com/oauth/codex/client.json"
VS_CODE = "https://vscode.dev/oauth/client-metadata.json"


def settings(*pinned: str, schemes: tuple[str, ...] = ()) -> Settings:
    section = {"pinned": list(pinned), "private_schemes": list(schemes)}
    return Settings.model_validate({"authorization": section})


@pytest.mark.requirement("clients:pinned")
@pytest.mark.parametrize(
    ("client", "name", "asked"),
    [
        (CLAUDE_CODE, "Claude Code", "http://localhost:51180/callback"),
        (CLAUDE_CODE, "Claude Code", "http://127.0.0.1:8080/callback"),
        (CODEX, "Codex", "http://127.0.0.1:53668/callback"),
        (VS_CODE, "Visual Studio Code", "http://127.0.0.1:33418/"),
        (VS_CODE, "Visual Studio Code", "https://vscode.dev/redirect"),
    ],
)
def test_known_runtimes_are_clients_without_anything_being_fetched(
    tmp_path: Path, client: str, name: str, asked: str
) -> None:
    found = read(client, pinned_documents(settings(), tmp_path)[client], ())

    assert (found.name, found.method, found.verified) == (name, "none", True)
    assert found.grants == {"authorization_code", "refresh_token"}
    assert rfc8252.chosen(asked, found.redirects) == asked


def test_each_file_that_ships_is_one_document_and_all_of_them_are_taken(tmp_path: Path) -> None:
    found = pinned_documents(settings(), tmp_path)

    assert set(found) == {CLAUDE_CODE, CODEX, VS_CODE}
    assert len(list(SHIPPED.iterdir())) == len(found)


@pytest.mark.requirement("clients:pinned")
def test_an_operators_documents_are_beside_them_and_go_first(tmp_path: Path) -> None:
    mine = document(CLAUDE_CODE, client_name="Our Claude", redirect_uris=["http://[::1]/cb"])
    (tmp_path / "own.json").write_text(json.dumps(document()))
    (tmp_path / "claude.json").write_text(json.dumps(mine))

    found = pinned_documents(settings("own.json", str(tmp_path / "claude.json")), tmp_path)

    assert set(found) == {ID, CLAUDE_CODE, CODEX, VS_CODE}
    assert read(CLAUDE_CODE, found[CLAUDE_CODE], ()).name == "Our Claude"


def test_the_schemes_of_the_section_count_for_an_operators_documents(tmp_path: Path) -> None:
    (tmp_path / "own.json").write_text(json.dumps(document(redirect_uris=["app://cb"])))

    assert ID in pinned_documents(settings("own.json", schemes=("app",)), tmp_path)
    with pytest.raises(ConfigError, match=r"own\.json.*app is not allowed"):
        pinned_documents(settings("own.json"), tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        json.dumps(document("http://app.example.com/client.json")),
        json.dumps(document("https://app.example.com/a/../client.json")),
        json.dumps(document(client_secret="s")),
        json.dumps(document(redirect_uris=[])),
        json.dumps(document(token_endpoint_auth_method="private_key_jwt", jwks={"keys": []})),
    ],
)
def test_a_file_that_is_no_document_is_refused_by_its_name(tmp_path: Path, content: str) -> None:
    (tmp_path / "own.json").write_text(content)

    with pytest.raises(ConfigError, match=r"authorization\.pinned: .*own\.json: "):
        pinned_documents(settings("own.json"), tmp_path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"away\.json"):
        pinned_documents(settings("away.json"), tmp_path)


def test_two_files_about_one_client_are_refused(tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text(json.dumps(document()))

    with pytest.raises(ConfigError, match=f"two files are about {ID}"):
        pinned_documents(settings("a.json", "b.json"), tmp_path)
