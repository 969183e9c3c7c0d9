"""`mcp-gateway`: the groups, and what stops a command with words instead of a traceback."""

import errno
from collections.abc import Sequence

import click

from mcp_gateway.cli import (
    admin,
    catalogue,
    check,
    clients,
    grants,
    ledger,
    people,
    run,
    tokens,
    vault,
)
from mcp_gateway.config import ConfigError
from mcp_gateway.ledger.folder import LedgerDamagedError
from mcp_gateway.store.database import StoreDamagedError
from policies import PolicyError


class Words(click.Group):
    """Ends a command that meets a known fault with its words and the exit code 1."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (ConfigError, PolicyError) as error:
            raise click.ClickException(_listed(error.faults)) from None
        except (LedgerDamagedError, StoreDamagedError) as error:
            raise click.ClickException(str(error)) from None
        except OSError as error:
            if error.errno == errno.EPIPE:  # who read has seen enough
                raise
            raise click.ClickException(str(error)) from None


def _listed(faults: Sequence[str]) -> str:
    """One fault as it is, several with a line each."""
    if len(faults) == 1:
        return faults[0]
    return "\n".join([f"{len(faults)} faults:", *(f"  {fault}" for fault in faults)])


@click.group(cls=Words, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mcp-gateway")
def main() -> None:
    """The controlled boundary between cowork runtimes and what they reach over MCP."""


for command in (
    run.serve,
    run.init,
    check.check,
    check.explain,
    admin.keys,
    admin.servers,
    admin.access,
    ledger.verify,
    ledger.audit,
    people.people,
    grants.grants,
    tokens.tokens,
    vault.vault,
    clients.clients,
):
    main.add_command(command)

for command in (catalogue.catalogue, catalogue.import_):
    admin.servers.add_command(command)
