"""Notices reach people: over real HTTP, with receivers that hang, refuse and fail."""

import json
import logging
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from callguard.domain.notices import Notice, NoticeKind
from callguard.notify import receiver as receiver_module
from callguard.notify.apprise import AppriseNotifier, UnknownReceiver
from tests.waiting import wait_until

SID = "AC" + "0" * 31 + "1"
NOTICE = Notice(SID, NoticeKind.WARNING, 'spike: 33 of 65 (spike_burst); "<b>ü</b>" \\n 100 %', 1_767_322_983_000)
SECRET = "hunter2-hunter2"


class Hook:
    """A webhook that notes what it gets and answers as it is told; `answering` holds the answers back."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.status = 204
        self.answering = threading.Event()
        self.answering.set()
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []

    def bodies(self) -> list[Any]:
        return [json.loads(body) for *_, body in self.requests]


@contextmanager
def hook_at(host: str = "127.0.0.1") -> Iterator[Hook]:
    """A hook on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.requests.append((self.command, self.path, dict(self.headers), body))
            made.answering.wait(30)
            self.send_response(made.status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST  # noqa: N815  (http.server's name)

        def log_message(self, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *args: object) -> None:
            """A client that has gone away is no news."""

    with Server((host, 0), Handler) as server:
        made = Hook(f"http://{host}:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield made
        made.answering.set()
        server.shutdown()
        thread.join(5)


@pytest.fixture
def hook() -> Iterator[Hook]:
    with hook_at() as made:
        yield made


@pytest.fixture
def log() -> Iterator[list[str]]:
    """What reaches the log at its most talkative, as `configure_logging` sets it up."""
    lines: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    root, handler, before = logging.getLogger(), Handler(), logging.getLogger("urllib3").level
    level = root.level
    root.addHandler(handler)
    root.setLevel(1)
    logging.getLogger("urllib3").setLevel(logging.WARNING)
    yield lines
    root.removeHandler(handler)
    root.setLevel(level)
    logging.getLogger("urllib3").setLevel(before)


@pytest.fixture
def other() -> Iterator[Hook]:
    with hook_at() as made:
        yield made


def test_a_webhook_gets_four_fields_of_json(hook: Hook) -> None:
    assert AppriseNotifier([f"{hook.url}/a%2Fb/?token=x%2Fy&token=z"]).deliver(NOTICE).is_complete

    ((method, path, headers, body),) = hook.requests
    assert (method, path) == ("POST", "/a%2Fb/?token=x%2Fy&token=z")
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body) == {
        "account": SID,
        "kind": "warning",
        "text": NOTICE.text,
        "time": "2026-01-02T03:03:03Z",
    }


def test_the_password_of_a_webhook_goes_into_its_header(hook: Hook) -> None:
    assert AppriseNotifier([hook.url.replace("://", "://us%40er:p%2Fw@")]).deliver(NOTICE).is_complete

    ((_, path, headers, _body),) = hook.requests
    assert (path, headers["Authorization"]) == ("/", "Basic dXNAZXI6cC93")


def test_a_url_of_apprise_is_taken_as_apprise_says(hook: Hook) -> None:
    assert AppriseNotifier([f"{hook.url.replace('http', 'json')}/x"]).deliver(NOTICE).is_complete

    (body,) = hook.bodies()
    assert (body["title"], body["type"]) == (f"CallGuard warning: {SID}", "warning")
    assert body["message"] == f"{NOTICE.text}\n2026-01-02T03:03:03Z"


@pytest.mark.parametrize("kind", NoticeKind)
def test_every_kind_is_delivered(kind: NoticeKind, hook: Hook) -> None:
    assert AppriseNotifier([hook.url]).deliver(Notice(SID, kind, "text", 1)).is_complete

    assert hook.bodies()[0]["kind"] == kind.value


@pytest.mark.parametrize("status", [302, 400, 403, 500])
def test_a_failing_receiver_is_named_without_its_secret(
    status: int, hook: Hook, log: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    hook.status = status

    assert not AppriseNotifier([f"{hook.url}/{SECRET}"]).deliver(NOTICE).is_complete

    assert f"CALLGUARD_NOTIFY_URLS, entry 1 (http://) did not take a notice (warning): HTTP {status}" in log
    assert len(hook.requests) == 1
    assert SECRET not in "".join((*log, *capfd.readouterr()))


def test_a_receiver_that_is_not_there_is_tried_again(log: list[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://u:{SECRET}@127.0.0.1:{taken.getsockname()[1]}/"
        assert not AppriseNotifier([url]).deliver(NOTICE).is_complete

    assert "could not be reached" in log[-1]
    assert SECRET not in "".join(log)


def test_a_hung_receiver_costs_less_than_five_seconds(hook: Hook) -> None:
    hook.answering.clear()
    notifier = AppriseNotifier([hook.url])
    started = time.monotonic()

    assert not notifier.deliver(NOTICE).is_complete

    assert time.monotonic() - started < 4.5


def test_nobody_waits_longer_than_patience_lasts(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    """Timeouts of a library end where a name is looked up; and who takes a notice late is not sent it again."""
    monkeypatch.setattr("callguard.notify.apprise.PATIENCE_SECONDS", 0.2)
    hook.answering.clear()
    notifier = AppriseNotifier([f"{hook.url.replace('http', 'json')}/?rto=30"])
    started = time.monotonic()

    assert not notifier.deliver(NOTICE).is_complete
    assert not notifier.deliver(NOTICE).is_complete
    assert time.monotonic() - started < 1.5

    hook.answering.set()
    wait_until(lambda: notifier.deliver(NOTICE).is_complete, "the late answer counts")
    assert len(hook.requests) == 1


def test_a_second_try_goes_to_those_who_have_it_not(hook: Hook, other: Hook) -> None:
    other.status = 503
    notifier = AppriseNotifier([hook.url, other.url])
    assert not notifier.deliver(NOTICE).is_complete
    other.status = 200

    assert notifier.deliver(NOTICE).is_complete
    assert (len(hook.requests), len(other.requests)) == (1, 2)

    assert notifier.deliver(NOTICE).is_complete, "the same words may be sent again once they are delivered"
    assert (len(hook.requests), len(other.requests)) == (2, 3)


def test_what_is_remembered_is_bounded(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiver_module, "MAX_REMEMBERED", 2)
    receiver = receiver_module.Receiver("a test", lambda _: "")
    notices = [Notice(SID, NoticeKind.WARNING, "text", at) for at in range(4)]

    for notice in notices:
        receiver.offer(notice)
        assert receiver.has(notice, time.monotonic() + 5)

    assert list(receiver._taken) == notices[2:]


def test_a_bug_of_a_library_is_a_failure_without_its_words(caplog: pytest.LogCaptureFixture) -> None:
    def send(notice: Notice) -> str:
        raise RuntimeError(SECRET)

    receiver = receiver_module.Receiver("a test", send)
    receiver.offer(NOTICE)

    assert not receiver.has(NOTICE, time.monotonic() + 5)
    assert "a test did not take a notice (warning): RuntimeError" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    "url", ["nonsense://hunter2-hunter2", "slack://hunter2-hunter2", "mailto://hunter2-hunter2"]
)
def test_what_apprise_does_not_know_is_refused_by_number(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UnknownReceiver) as caught:
        AppriseNotifier(["https://chat.example.com/hook", url]).demand_known()

    scheme = url.partition(":")[0]
    assert str(caught.value).startswith(f"CALLGUARD_NOTIFY_URLS, entry 2 ({scheme}://): Apprise knows no such")
    assert "https://appriseit.com/services/" in str(caught.value)
    assert SECRET not in str(caught.value) + "".join(capfd.readouterr())


def test_a_wrong_receiver_does_not_silence_the_others(hook: Hook, log: list[str]) -> None:
    notifier = AppriseNotifier(["slakc://hunter2-hunter2", hook.url])

    first = notifier.deliver(NOTICE)
    again = AppriseNotifier(["slakc://hunter2-hunter2", hook.url]).deliver(NOTICE, first.taken_by)

    assert [first.is_complete, again.is_complete] == [False, False]
    assert first.taken_by == again.taken_by == {"2-http"}
    assert len(hook.requests) == 1
    assert "CALLGUARD_NOTIFY_URLS, entry 1 (slakc://) did not take a notice (warning): Apprise knows no" in log[-1]
    assert SECRET not in "".join(log)


def test_one_that_hangs_at_an_earlier_notice_holds_up_no_other(
    hook: Hook, other: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callguard.notify.apprise.PATIENCE_SECONDS", 0.5)
    hook.answering.clear()
    notifier = AppriseNotifier([f"{hook.url.replace('http', 'json')}/?rto=30", other.url])
    notifier.deliver(NOTICE)
    monkeypatch.setattr("callguard.notify.apprise.PATIENCE_SECONDS", 600.0)

    for number in range(5):
        assert notifier.deliver(Notice(SID, NoticeKind.WARNING, str(number), 1)).taken_by == {"2-http"}


def test_apprise_that_cannot_be_loaded_is_a_failure_that_is_said(
    log: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "callguard.notify.services", None)
    notifier = AppriseNotifier(["https://chat.example.com/hook"])

    assert not notifier.deliver(NOTICE).is_complete
    assert "Apprise cannot be loaded (ModuleNotFoundError): install it anew" in log[-1]


def test_the_url_of_a_chat_service_goes_to_that_service() -> None:
    from callguard.notify.services import service_at

    pasted = "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
    send: Any = service_at(pasted)

    assert type(send.__closure__[1].cell_contents).__name__ == "NotifySlack"


def test_who_sends_nothing_does_not_pay_for_apprise() -> None:
    code = (
        "import sys; from callguard.notify.apprise import AppriseNotifier as A\n"
        "from callguard.domain.notices import *\n"
        "A(['json://x']); assert A([]).deliver(Notice('', NoticeKind.CPS, '', 0)).is_complete\n"
        "sys.exit('apprise' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=30).returncode == 0
