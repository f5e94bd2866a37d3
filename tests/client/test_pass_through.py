import inspect
import subprocess
import sys
from typing import Any

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http import HttpClient
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from callguard.client import GuardedHttpClient
from callguard.simulator import RunningSimulator
from tests.client.conftest import SID, Connect, create
from tests.client.guard_server import KEY, TRIPPED, GuardServer

ACCOUNTS = f"https://api.twilio.com/2010-04-01/Accounts/{SID}"


class NotedHttpClient(HttpClient):  # type: ignore[misc]  # twilio ships no types
    """A caller's own client, which notes how it was called."""

    def __init__(self, answer: object) -> None:
        super().__init__(None, False, 7.0)
        self.answer = answer
        self.asked: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def request(self, *args: Any, **kwargs: Any) -> Any:
        self.asked.append((args, kwargs))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_the_signature_is_that_of_the_library() -> None:
    ours = inspect.signature(GuardedHttpClient.request).parameters
    theirs = inspect.signature(TwilioHttpClient.request).parameters

    assert [(name, each.default) for name, each in ours.items()] == [(n, e.default) for n, e in theirs.items()]


def test_a_request_reaches_the_callers_own_client_unchanged(guard: GuardServer) -> None:
    answer = Response(200, "{}")
    own = NotedHttpClient(answer)
    rest: dict[str, Any] = {
        "params": {"a": 1}, "data": {"b": [1, 2]}, "headers": {"c": "d"}, "auth": ("u", "p"), "timeout": 3.5,
        "allow_redirects": True,
    }  # fmt: skip

    got = GuardedHttpClient(guard.url, KEY, http_client=own).request("POST", f"{ACCOUNTS}/Calls.json", **rest)

    assert got is answer
    assert own.asked == [(("POST", f"{ACCOUNTS}/Calls.json"), rest)]


def test_attributes_are_those_of_the_wrapped_client(guard: GuardServer) -> None:
    own = TwilioHttpClient(timeout=4.0)
    guarded = GuardedHttpClient(guard.url, KEY, http_client=own)

    guarded.timeout = 8.0

    assert own.timeout == 8.0
    assert guarded.session is own.session
    assert guarded.is_async is False
    with pytest.raises(AttributeError, match="no_such"):
        _ = guarded.no_such


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/Calls/CA00000000000000000000000000000001.json"),
        ("POST", "/Calls/CA00000000000000000000000000000001/Recordings.json"),
        ("POST", "/Messages.json"),
        ("GET", "/Calls.json"),
        ("GET", "/Calls.json?Status=queued"),
    ],
)
def test_only_a_create_asks_the_guard(guard: GuardServer, method: str, path: str) -> None:
    guard.gate = TRIPPED
    own = NotedHttpClient(Response(201, '{"sid": "CA1"}'))

    guarded = GuardedHttpClient(guard.url, KEY, http_client=own)
    guarded.request(method, ACCOUNTS + path)
    guarded.close()

    assert len(own.asked) == 1
    assert guard.gates == []
    assert guard.reports == []


def test_updates_and_lists_work_while_the_account_is_blocked(guard: GuardServer, connect: Connect) -> None:
    client = connect(guard.url, answer_seconds=0.01)
    call = create(client)
    guard.gate = TRIPPED

    assert client.calls(call.sid).update(status="canceled").status == "canceled"
    assert call.sid in [listed.sid for listed in client.calls.list(limit=1000)]


def test_the_wrapped_clients_error_passes_and_nothing_is_reported(guard: GuardServer) -> None:
    error = ConnectionResetError("the wrapped client's own")
    guarded = GuardedHttpClient(guard.url, KEY, http_client=NotedHttpClient(error))

    with pytest.raises(ConnectionResetError) as caught:
        guarded.request("POST", f"{ACCOUNTS}/Calls.json")
    guarded.close()

    assert caught.value is error
    assert guard.reports == []


def test_a_create_that_twilio_refuses_is_not_reported(
    guard: GuardServer, connect: Connect, twilio: RunningSimulator
) -> None:
    client = connect(guard.url)
    twilio.change_faults(SID, error_rate=1.0)
    try:
        with pytest.raises(TwilioRestException, match="HTTP 50"):
            create(client)
    finally:
        twilio.change_faults(SID, error_rate=0.0)
    client.http_client.close()

    assert guard.reports == []


def test_a_throttled_create_is_not_reported(guard: GuardServer) -> None:
    own = NotedHttpClient(Response(429, '{"sid": "CA1"}'))
    guarded = GuardedHttpClient(guard.url, KEY, http_client=own)

    assert guarded.request("POST", f"{ACCOUNTS}/Calls.json").status_code == 429
    guarded.close()

    assert guard.reports == []


def test_odd_answers_of_a_create_pass_through(guard: GuardServer) -> None:
    own = NotedHttpClient(None)
    guarded = GuardedHttpClient(guard.url, KEY, http_client=own)
    odd = [Response(201, text) for text in ("", "[]", "nonsense", '{"sid": 5}', "[" * 100_000)]

    for own.answer in [*odd, Response(201, b""), object()]:
        assert guarded.request("POST", f"{ACCOUNTS}/Calls.json") is own.answer
    guarded.close()

    assert guard.reports == []


def test_the_client_imports_nothing_else_of_callguard() -> None:
    code = (
        "import sys, callguard.client\n"
        "print([m for m in sys.modules if m.startswith('callguard.') and not m.startswith('callguard.client')],"
        " [m for m in ('flask', 'redis', 'rq', 'pydantic', 'gevent', 'prometheus_client') if m in sys.modules])"
    )

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)

    assert said.stdout.strip() == "[] []"


def test_one_line_guards_a_client(guard: GuardServer) -> None:
    client = Client(SID, "token", http_client=GuardedHttpClient(guard.url, KEY))

    assert isinstance(client.http_client, HttpClient)
