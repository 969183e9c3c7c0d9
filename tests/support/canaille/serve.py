"""Canaille as an OpenID provider on loopback, over TLS: python serve.py CONFIGURATION

Run by the Python that Canaille is installed for, with everything in memory.
"""

import json
import sys
from pathlib import Path
from typing import Any

from canaille import create_app  # type: ignore[import-not-found]
from canaille.app import models  # type: ignore[import-not-found]
from canaille.backends import Backend  # type: ignore[import-not-found]
from werkzeug.serving import run_simple  # type: ignore[import-not-found]


def made(configured: dict[str, Any]) -> Any:
    application = create_app(
        {
            "SECRET_KEY": "for a test",
            "SERVER_NAME": f"localhost:{configured['port']}",
            "PREFERRED_URL_SCHEME": "https",
            "CANAILLE": {"DATABASE": "memory", "LOGGING": None},
            "CANAILLE_OIDC": {"ACTIVE_JWKS": configured["keys"], "TRUSTED_DOMAINS": ""},
        }
    )
    with application.app_context():
        people = [_saved(_person(name, configured["password"])) for name in configured["people"]]
        for name in configured["groups"]:
            _saved(models.Group(display_name=name, members=people))
        client = _saved(models.Client(**configured["client"]))
        # As its own page for clients does: a client's ID tokens are for itself.
        client.audience = [client]
        _saved(client)
    return application


def _saved(one: Any) -> Any:
    Backend.instance.save(one)
    return one


def _person(name: str, password: str) -> Any:
    return models.User(
        user_name=name,
        given_name=name.title(),
        family_name="L.",
        formatted_name=f"{name.title()} L.",
        emails=[f"{name}@example.com"],
        password=password,
    )


if __name__ == "__main__":
    given = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    tls = (given["certificate"], given["key"])
    run_simple("127.0.0.1", given["port"], made(given), threaded=True, ssl_context=tls)
