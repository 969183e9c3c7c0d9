"""How the gateway is configured for each scenario of OAuth, by what the suite says of it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

DOCUMENT: Final = "https://conformance-test.local/client-metadata.json"
"""The client id that the suite expects of whoever has a client document."""
CONSENT: Final = "auth/"
"""Scenarios of a person who consents, but for the extensions."""
SERVICE: Final = "auth/client-credentials-"
ASSERTED: Final = "auth/enterprise-managed-authorization"


def section(name: str, context: Mapping[str, Any], folder: Path) -> str:
    """What the server's section of the configuration has for a scenario; secrets are in files."""
    if not name.startswith(CONSENT):
        return ""
    written = {
        key: _file(folder / key, str(context[key]))
        for key in ("client_secret", "private_key_pem")
        if key in context
    }
    keys = {"client": _text(context["client_id"])} if "client_id" in context else {}
    if "client_secret" in written:
        keys["client_secret"] = written["client_secret"]
    if "private_key_pem" in written:
        keys["client_key"] = written["private_key_pem"]
    if name.startswith(SERVICE):
        return _lines({"kind": _text("service"), **keys})
    if name == ASSERTED:
        provider = {"provider": _text(context["idp_token_endpoint"])}
        return _lines({"kind": _text("id_jag"), **keys, **provider})
    if not keys:
        keys = {"client_metadata": _text(DOCUMENT)}
    return 'discovery = "first_grant"\n' + _lines({"kind": _text("delegated"), **keys})


def _lines(keys: Mapping[str, str]) -> str:
    return "".join(f"grant.{name} = {value}\n" for name, value in keys.items())


def _file(path: Path, content: str) -> str:
    path.write_text(content, "utf-8")
    return f"{{ file = {_text(str(path))} }}"


def _text(value: Any) -> str:
    return json.dumps(str(value))
