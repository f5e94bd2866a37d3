import logging
import threading
import time
from typing import Any

import pytest
from twilio.http.response import Response

from callguard.client import GuardedHttpClient, lines, reports
from callguard.client.guard_api import GuardApi
from callguard.client.reports import Reporter
from callguard.client.settings import GuardSettings
from tests.client.conftest import SID, Connect, create
from tests.client.guard_server import KEY, GuardServer, guard_server
from tests.client.test_pass_through import ACCOUNTS, NotedHttpClient
from tests.waiting import wait_until


def reporter_to(url: str) -> Reporter:
    return lines.line_to(GuardSettings(url, KEY, 0.3, 1.0)).reports


def report(number: int) -> dict[str, Any]:
    return {"sid": f"CA{number:032}"}


def test_a_created_call_is_reported_as_twilio_tells_it(guard: GuardServer, connect: Connect) -> None:
    client = connect(guard.url)
    call = create(client, to="+15005550042")
    client.http_client.close()

    ((told,),) = guard.batches
    assert list(told) == [
        *(
            "sid",
            "account_sid",
            "status",
            "date_created",
            "queue_time",
            "from",
            "to",
            "direction",
            "parent_call_sid",
        ),
    ]
    assert (told["sid"], told["account_sid"], told["status"]) == (call.sid, SID, "queued")
    assert (told["from"], told["to"]) == ("+15005550006", "+15005550042")
    assert told["queue_time"] == call.queue_time
    assert told["date_created"].endswith("+0000")


def test_fields_that_twilio_left_out_are_left_out(guard: GuardServer) -> None:
    own = NotedHttpClient(Response(201, '{"sid": "CA1", "to": null, "queue_time": 5, "price": "1"}'))

    with GuardedHttpClient(guard.url, KEY, http_client=own) as guarded:
        guarded.request("post", f"{ACCOUNTS}/Calls.json")

    assert guard.reports == [{"sid": "CA1", "queue_time": 5, "to": None}]


def test_reports_gather_in_batches_while_a_post_is_under_way(guard: GuardServer) -> None:
    guard.reports_seconds = 0.2
    reporter = reporter_to(guard.url)
    reporter.add(report(0))
    wait_until(lambda: reporter._in_hand, "the first post is under way")
    for number in range(1, 251):
        reporter.add(report(number))
    reporter.flush(3.0)

    assert [len(batch) for batch in guard.batches] == [1, 100, 100, 50]
    assert guard.reports == [report(number) for number in range(251)]


def test_reporting_does_not_slow_creates_when_the_guard_hangs(guard: GuardServer, connect: Connect) -> None:
    client = connect(guard.url)
    create(client)
    guard.hangs = True
    began = time.monotonic()
    for _ in range(50):
        create(client)

    assert time.monotonic() - began < 2.0


def test_reports_outlive_a_guard_that_is_down(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "_INITIAL_PAUSE", 0.05)
    with guard_server() as first:
        port = first.port
    client = connect(first.url)
    sids = [create(client).sid for _ in range(5)]
    time.sleep(0.3)  # several tries fail

    with guard_server(port) as back:
        wait_until(lambda: len(back.reports) == 5, "the reports arrive late", 4.0)
        assert sorted(each["sid"] for each in back.reports) == sorted(sids)


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_guard_in_trouble_is_asked_again(
    guard: GuardServer, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "_INITIAL_PAUSE", 0.05)
    guard.reports_status = status
    reporter = reporter_to(guard.url)
    reporter.add(report(1))
    time.sleep(0.2)
    assert guard.reports == []

    guard.reports_status = 200
    wait_until(lambda: guard.reports == [report(1)], "the same report is sent again", 3.0)


def test_a_refused_batch_is_dropped_and_the_next_is_sent(
    guard: GuardServer, caplog: pytest.LogCaptureFixture
) -> None:
    guard.reports_status = 422
    guard.reports_body = {"message": f"to: +1 (500) 555-0042 is odd, 15005550006 too, key {KEY}"}
    reporter = reporter_to(guard.url)
    reporter.add(report(1))
    reporter.flush(2.0)
    guard.reports_status = 200
    reporter.add(report(2))
    reporter.flush(2.0)

    assert guard.reports == [report(2)]
    (warning,) = caplog.records
    assert (warning.name, warning.levelno) == ("callguard.client", logging.WARNING)
    assert warning.getMessage() == (
        "The guard refused 1 reports of created calls: 422 to: *** is odd, *** too, key ***"
    )


def test_what_the_guard_names_as_wrong_takes_no_other_report_along(
    guard: GuardServer, caplog: pytest.LogCaptureFixture
) -> None:
    """The guard takes a batch whole or not at all, and names twenty errors at most."""
    guard.wrong = {report(n)["sid"] for n in range(0, 90, 2)}
    reporter = reporter_to(guard.url)
    for number in range(90):
        reporter.add(report(number))
    reporter.flush(5.0)

    assert guard.reports == [report(n) for n in range(1, 90, 2)]
    assert "some are wrong" in caplog.records[0].getMessage()


def test_a_report_tells_how_long_it_has_waited(guard: GuardServer) -> None:
    """Clocks need not agree, and a report that was held up is not news of now."""
    guard.reports_status = 503
    reporter = reporter_to(guard.url)
    reporter.add(report(1))
    time.sleep(0.4)
    guard.reports_status = 200
    reporter.flush(2.0)

    assert guard.reports == [report(1)]
    (age_ms,) = guard.ages
    assert 400 <= age_ms < 2_500


def test_an_odd_value_costs_its_batch_only(guard: GuardServer) -> None:
    reporter = reporter_to(guard.url)
    reporter.add({"sid": "CA1", "queue_time": float("nan")})
    reporter.flush(2.0)
    reporter.add(report(2))
    reporter.flush(2.0)

    assert guard.reports == [report(2)]


def test_the_oldest_are_dropped_when_too_many_wait(guard: GuardServer, caplog: pytest.LogCaptureFixture) -> None:
    guard.hangs = True
    reporter = reporter_to(guard.url)
    reporter.add(report(0))
    wait_until(lambda: reporter._in_hand, "the first post is under way")
    for number in range(1, 10_051):
        reporter.add(report(number))
    guard.released.set()
    wait_until(lambda: len(guard.reports) == 10_001, "the newest arrive", 4.0)

    assert guard.reports[:2] == [report(0), report(51)]
    assert [record.getMessage() for record in caplog.records] == [
        "50 reports of created calls were dropped: the guard takes none and too many wait."
    ]


def test_the_sending_thread_ends_when_idle_and_starts_again(
    guard: GuardServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "_IDLE_SECONDS", 0.05)
    reporter = reporter_to(guard.url)
    for number in range(2):
        reporter.add(report(number))
        reporter.flush(2.0)
        wait_until(lambda: reporter._thread is None, "the idle thread ends", 2.0)

    assert guard.reports == [report(0), report(1)]


def test_close_is_bounded_and_says_what_is_lost(caplog: pytest.LogCaptureFixture) -> None:
    reporter = Reporter(GuardApi(GuardSettings("http://127.0.0.1:9", KEY, 0.3, 1.0)))
    reporter.add(report(1))
    began = time.monotonic()
    reporter.flush(0.3)
    assert time.monotonic() - began < 1.0

    reporter.stop()

    assert caplog.records[-1].getMessage() == "1 reports of created calls never reached the guard."


def test_many_threads_lose_no_report(guard: GuardServer) -> None:
    reporter = reporter_to(guard.url)

    def add_hundred(start: int) -> None:
        for number in range(start, start + 100):
            reporter.add(report(number))

    threads = [threading.Thread(target=add_hundred, args=(start,)) for start in range(0, 2000, 100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reporter.flush(3.0)

    assert sorted(each["sid"] for each in guard.reports) == [report(n)["sid"] for n in range(2000)]
