"""A web server that takes requests down and answers as it is told."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Received:
    """One request as it came; `target` is path and query."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @cached_property
    def fields(self) -> dict[str, str]:
        """The form's fields, or of a GET the query's."""
        form = self.body.decode() if self.method == "POST" else urlsplit(self.target).query
        return dict(parse_qsl(form, keep_blank_values=True, strict_parsing=True))

    @property
    def status(self) -> str:
        return self.fields["CallStatus"]

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events of a batch."""
        parsed: list[dict[str, Any]] = json.loads(self.body)
        return parsed


@dataclass
class Receiver:
    usual: int = 204
    document: str = ""
    url: str = ""
    requests: list[Received] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)  # HTTP statuses to give one by one; then `usual`

    def statuses_of(self, sid: str) -> list[str]:
        return [request.status for request in self.requests if request.fields["CallSid"] == sid]

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for batch in list(self.requests) for event in batch.events]

    def of_type(self, ending: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"].endswith(ending)]


@contextmanager
def receiving(usual: int = 204, document: str = "") -> Iterator[Receiver]:
    """Run one; with a document it answers with that."""
    receiver = Receiver(usual, document)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _take(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            receiver.requests.append(Received(self.command, self.path, dict(self.headers.items()), body))
            self.send_response(receiver.answers.pop(0) if receiver.answers else receiver.usual)
            self.send_header("Content-Length", str(len(receiver.document.encode())))
            self.end_headers()
            self.wfile.write(receiver.document.encode())

        do_GET = do_POST = _take  # noqa: N815  (the names that http.server calls)

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = False
        block_on_close = False

    server = Server(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
