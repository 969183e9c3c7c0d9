"""An upstream of 2026-07-28 over Streamable HTTP: each request stands alone."""

import itertools

from connectors import answers, asked, attending, dialect, eras, levels, requests
from connectors.endpoint import Endpoint, Headers
from connectors.reading import Unheld
from mcp_gateway.core.body import Result
from mcp_gateway.core.call import Call
from mcp_gateway.core.credential import Credential
from mcp_gateway.wire import jsonrpc, mirror, modern
from mcp_gateway.wire.connection import Response


class HttpModern:
    """What closes the stream of a request cancels it, so nothing is said to cancel one."""

    def __init__(
        self, endpoint: Endpoint, ids: "itertools.count[int]", spoken: eras.Spoken
    ) -> None:
        self.era = "modern"
        self.offered = spoken.offered
        self._endpoint = endpoint
        self._ids = ids

    async def send(self, call: Call, *, again: bool = False) -> Result:
        """Raises as `ports.Connector.send`, and `eras.Outdated` unless it is sent `again`."""
        id_ = b"%d" % next(self._ids)
        message = jsonrpc.request(id_, call.method, requests.modern_params(call))
        headers = modern.request_headers(call.method, requests.mirrored(call))
        if call.target.mirrored:
            headers += _mirrors(call)
        endpoint, method = self._endpoint, call.method
        held = endpoint.held(method)
        response = await endpoint.send("POST", headers, message, call.credential, spills=held > 0)
        if not again:
            _current(response)
        if not response.streaming:
            answer = answers.whole(endpoint.server, response, id_)
        elif not response.events:
            return endpoint.large(id_, method, response)
        else:
            try:
                answer = await self._streamed(call, id_, response, held)
            except Unheld as unheld:
                return endpoint.large(id_, method, unheld)
        return asked.result(endpoint.server, method, answer)

    async def ask(
        self, method: str, params: bytes, credential: Credential, *, again: bool = False
    ) -> jsonrpc.Message:
        """A request of the gateway's own. Raises as `send`."""
        response, id_ = await self._own(method, params, credential)
        if not again:
            _current(response)
        server, idle = self._endpoint.server, self._endpoint.timeout
        return await answers.answer(server, response, id_, idle=idle, aside=answers.nothing)

    async def listen(
        self, credential: Credential, params: bytes, heard: attending.Heard
    ) -> jsonrpc.Message:
        """Listens until the upstream ends it. Raises as `ask`, and after a long silence."""
        response, id_ = await self._own(attending.LISTEN, params, credential)
        return await attending.read(self._endpoint.server, response, id_, heard)

    async def _own(
        self, method: str, params: bytes, credential: Credential
    ) -> tuple[Response, bytes]:
        """Sends a request of the gateway's own."""
        id_ = b"%d" % next(self._ids)
        known = attending.KNOWN if method == attending.LISTEN else ()
        own = jsonrpc.replaced(params, {"_meta": requests.own_meta(*known)})
        message = jsonrpc.request(id_, method, own)
        headers = modern.request_headers(method, "")
        return await self._endpoint.send("POST", headers, message, credential), id_

    async def _streamed(
        self, call: Call, id_: bytes, response: Response, held: int
    ) -> jsonrpc.Message:
        async def aside(message: jsonrpc.Message, raw: bytes) -> None:
            if message.id or not message.method:
                return  # a server of this revision asks in its results alone
            if message.method in dialect.ANNOUNCED:
                return  # and tells of what changed on listens alone
            if message.method != levels.METHOD or levels.heard(call, message.params):
                await call.notify(jsonrpc.body(raw))

        server, idle = self._endpoint.server, self._endpoint.timeout
        return await answers.streamed(server, response, id_, idle=idle, aside=aside, held=held)


def _current(response: Response) -> None:
    if response.status in eras.STALE and eras.outdated("modern", (), response):
        raise eras.Outdated(response)


def _mirrors(call: Call) -> Headers:
    """`Mcp-Param-*`, made anew of what leaves: the caller's own may not fit it any more."""
    return mirror.headers(call.target.mirrored, call.outgoing.view().get("arguments"))
