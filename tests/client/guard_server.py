"""A small real HTTP server with the guard's two endpoints, which can be made to misbehave."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "the-client-key"
_PIECE = 10  # bytes
ARMED = {"allowed": True, "state": "armed", "drain_seconds": 0.0}
TRIPPED = {"allowed": False, "state": "tripped", "drain_seconds": 12.3}


@dataclass
class GuardServer:
    """What the guard says, and what it was asked; every field may be changed while it runs."""

    gate: object = field(default_factory=lambda: dict(ARMED))
    gate_status: int = 200
    gate_seconds: float = 0.0
    reports_status: int = 202
    reports_body: object = field(default_factory=dict)
    reports_seconds: float = 0.0
    trickle_seconds: float = 0.0
    hangs: bool = False
    url: str = ""
    gates: list[tuple[str, str]] = field(default_factory=list)
    wrong: set[str] = field(default_factory=set)
    ages: list[int] = field(default_factory=list)
    batches: list[list[dict[str, Any]]] = field(default_factory=list)
    most_gates_at_once: int = 0
    gates_now: int = 0
    released: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def reports(self) -> list[dict[str, Any]]:
        return [report for batch in list(self.batches) for report in batch]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


@contextmanager
def guard_server(port: int = 0, **behaviour: Any) -> Iterator[GuardServer]:
    """Run a guard on `port`; after the block its port refuses."""
    guard = GuardServer(**behaviour)
    handler = type("Handler", (_Handler,), {"guard": guard})
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    server.daemon_threads = True
    guard.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield guard
    finally:
        guard.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    guard: GuardServer

    def do_GET(self) -> None:
        guard = self.guard
        with guard.lock:
            guard.gates.append((self.path, self.headers.get("x-api-key", "")))
            guard.gates_now += 1
            guard.most_gates_at_once = max(guard.most_gates_at_once, guard.gates_now)
        self._wait(guard.gate_seconds)
        with guard.lock:
            guard.gates_now -= 1
        self._answer(guard.gate_status, guard.gate)

    def do_POST(self) -> None:
        guard = self.guard
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/heal":
            guard.reports_status = 200
        self._wait(guard.reports_seconds)
        status = guard.reports_status
        if self.path == "/api/reports" and status < 300 and self.headers.get("x-api-key") == KEY:
            calls = json.loads(body)["calls"]
            if wrong := [place for place, call in enumerate(calls) if call["sid"] in guard.wrong]:
                errors = [{"index": place, "message": "should be right"} for place in wrong[:20]]
                self._answer(400, {"code": "bad_reports", "message": "some are wrong", "errors": errors})
                return
            guard.ages += [call.pop("age_ms") for call in calls]
            guard.batches.append(calls)
        self._answer(status, guard.reports_body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _wait(self, seconds: float) -> None:
        self.guard.released.wait(60.0 if self.guard.hangs else seconds)

    def _answer(self, status: int, body: object) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            for start in range(0, len(content), _PIECE):
                self.guard.released.wait(self.guard.trickle_seconds * _PIECE / len(content))
                self.wfile.write(content[start : start + _PIECE])
        except OSError:
            pass  # the client went away: it waits only so long
