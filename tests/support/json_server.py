"""A server on this machine, on a thread of its own, that answers everything with JSON."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[str, str, str], tuple[int, Any]]
"""Of a path, a body (empty for GET) and what stands in `Authorization`: the status, and what of."""


@contextmanager
def json_server(answer: Answer) -> Iterator[str]:
    """Its address, for as long as it runs."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _answering(answer))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def _answering(answer: Answer) -> type[BaseHTTPRequestHandler]:
    class Serve(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._said("")

        def do_POST(self) -> None:
            self._said(self.rfile.read(int(self.headers["content-length"])).decode())

        def _said(self, body: str) -> None:
            status, found = answer(self.path, body, self.headers.get("authorization", ""))
            content = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            return

    return Serve
