"""Serving: the HTTP server, and how it ends without losing a call."""

import asyncio
import logging
import math
import resource
import signal
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final

import uvicorn

from mcp_gateway import app
from mcp_gateway.config import ConfigError
from mcp_gateway.parts import Parts

log = logging.getLogger(__name__)
FILES: Final = 65_536
"""Open files that the gateway wants: a caller is one, and so is what it has open upstream."""
ENDING: Final = 6.0
"""Seconds that cancelled calls get to be recorded as such."""


class Server(uvicorn.Server):
    """Ends in three steps, each with a bound.

    A first signal turns readiness red, and for `gateway.notice` seconds everything goes on, so
    that who sends calls here can see it. Then nothing new is accepted, and calls in flight get
    `gateway.drain` seconds. What is left, at the bound or at a second signal, is cancelled and
    recorded as cancelled.
    """

    def __init__(self, parts: Parts, listening: Callable[[], Awaitable[None]]) -> None:
        """`listening` is called once the address is the gateway's, before calls are answered."""
        super().__init__(app.server_config(parts))
        self._parts = parts
        self._listening = listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        more_files()
        await super().startup(sockets)
        await self._listening()

    async def serve_until_told(self) -> None:
        """Listens until a signal; returns when no call is left."""
        await self.serve()
        if left := set(self.server_state.tasks):
            self._cancel()
            log.warning("%d calls are cancelled: the gateway is stopping", len(left))
            await asyncio.wait(left, timeout=ENDING)

    def renew_certificate(self) -> None:
        """Reads the certificate again, for connections from now on. Raises ConfigError."""
        tls, context = self._parts.settings.network.tls, self.config.ssl
        if tls is None or context is None:
            return
        try:
            # First into a context of its own: a pair that does not fit must not harm the live one.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tls.certificate, tls.key)
            context.load_cert_chain(tls.certificate, tls.key)
        except OSError as error:
            raise ConfigError(f"network.tls: {tls.certificate}: {error}") from None

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Takes the signals without raising them again at the end: the ledger is still open."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.leave, number)
        yield

    def leave(self, number: signal.Signals) -> None:
        """The first signal begins the end, a second one hurries it."""
        if self._parts.draining:
            self.should_exit = self.force_exit = True
            self._cancel()
            return
        self._parts.draining = True
        gateway = self._parts.settings.gateway
        self.config.timeout_graceful_shutdown = math.ceil(gateway.drain)
        # Who presses a key has no load balancer that would have to take notice first.
        notice = gateway.notice if number == signal.SIGTERM else 0
        log.info("stopping", extra={"signal": number.name, "notice": notice})
        asyncio.get_running_loop().call_later(notice, self._close)

    def _close(self) -> None:
        # What would never end by itself ends now; else every stop would take as long as it may.
        self._parts.standing.close()
        self._parts.sessions.close_channels()
        self.should_exit = True

    def _cancel(self) -> None:
        """Cancels each call once: the second time would cut its record short."""
        for task in self.server_state.tasks:
            if not task.cancelling():
                task.cancel()


def more_files(wanted: int = FILES) -> None:
    """Raises the number of files that may be open, as far as the system allows it.

    The usual 1,024 are for programs that cannot count further; they would be used up by fewer
    callers than the gateway has room for.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
