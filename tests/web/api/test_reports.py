"""Created calls, as the client wrapper reports them."""

import json
from datetime import UTC, datetime
from email.utils import format_datetime
from io import BytesIO
from typing import Any

import pytest

from callguard.config.api_keys import Role
from callguard.domain.calls import CallEvent, CallStatus
from callguard.domain.policy import Policy
from callguard.domain.sources import Source
from callguard.web.api.report_routes import MAX_BODY_BYTES
from tests.frozen_clock import FrozenClock
from tests.web.api.served import FROM, OBSERVED_SID, PROTECTED, SID, TO, UNKNOWN_SID, Services, call_sid, reported

HOUR_MS = 3_600_000


def post(services: Services, *calls: object) -> Any:
    return services.client(Role.REPORTER).post("/api/reports", json={"calls": list(calls)})


def rfc2822(ms: int) -> str:
    return format_datetime(datetime.fromtimestamp(ms // 1000, UTC))


def test_a_call_is_counted_once(services: Services) -> None:
    assert post(services, reported(1), reported(2)).json == {"counted": 2, "duplicates": 0}
    assert post(services, reported(2), reported(3)).json == {"counted": 1, "duplicates": 1}
    assert services.counted("calls:queued") == 0, "Twilio has said nothing of them"
    services.list_reported()
    assert services.counted("calls:queued") == 3


def test_a_report_becomes_an_event_without_numbers(services: Services) -> None:
    created_ms = (services.clock.ms - HOUR_MS) // 1000 * 1000

    post(services, reported(7, date_created=rfc2822(created_ms)))

    ((sid, (event,)),) = services.reported
    parties = services.accounts[SID].hasher.of(FROM, TO)
    assert sid == SID
    assert (event.call_sid, event.status, event.at_ms) == (call_sid(7), CallStatus.QUEUED, created_ms)
    assert (event.protected, event.queue_ms, event.sender_shown) == (False, 1000, "+1555***11")
    assert (event.sender, event.destination) == (parties.sender, parties.destination)
    assert FROM not in repr(event)


@pytest.mark.parametrize("changes", [{"from": PROTECTED}, {"to": PROTECTED}])
def test_a_call_on_the_list_is_protected(services: Services, changes: dict[str, str]) -> None:
    post(services, reported(**changes))

    assert services.reported[0][1][0].protected


@pytest.mark.parametrize("status", [s for s in CallStatus if s is not CallStatus.QUEUED])
def test_that_a_call_has_left_the_queue_twilio_alone_is_believed(services: Services, status: CallStatus) -> None:
    """A reporter with a fault must not hide a queue: a list that shows the call brings it back."""
    answer = post(services, reported(1, status=status.value, queue_time="5"))

    assert answer.json == {"counted": 1, "duplicates": 0}
    (looked_up,) = services.reports.unconfirmed(SID)
    services.tracker.observe(SID, [looked_up], Policy(), services.clock.ms, Source.REPORT)
    assert services.tracker.snapshot(SID, services.clock.ms).depth == 0
    assert services.tracker.snapshot(SID, services.clock.ms).queued.level == 1
    listed = [CallEvent(call_sid(1), CallStatus.QUEUED, services.clock.ms)]
    seen = services.tracker.observe(SID, listed, Policy(), services.clock.ms, Source.POLL).snapshot
    assert seen is not None
    assert (seen.depth, seen.queued.level) == (1, 1)


def test_reports_that_were_held_up_prove_no_backlog(services: Services) -> None:
    """A minute's reports at once, after the guard was away: nobody knows whether one still waits."""
    post(services, *(reported(n, age_ms=40_000 + n * 500, queue_time=None) for n in range(60)))
    post(services, *(reported(100 + n, age_ms=40_000, queue_time="1000") for n in range(5)))
    post(services, *(reported(200 + n, age_ms=40_000, queue_time="900000") for n in range(7)))

    seen = services.tracker.snapshot(SID, services.clock.ms)
    assert (seen.cancellable, seen.unconfirmed, seen.queued.level) == (0, 72, 0)
    now_ms = services.clock.ms
    services.tracker.observe(SID, services.reports.unconfirmed(SID), Policy(), now_ms, Source.REPORT)
    seen = services.tracker.snapshot(SID, services.clock.ms)
    assert (seen.depth, seen.unconfirmed) == (0, 0), "only a list that shows them proves that they wait"
    assert services.counted("calls:queued") == 72


def test_an_age_goes_before_a_date(services: Services) -> None:
    post(services, reported(1, age_ms=1234, date_created=rfc2822(services.clock.ms - HOUR_MS)))

    ((_, (event,)),) = services.reported
    assert event.at_ms == services.clock.ms - 1234


@pytest.mark.parametrize("unknown", ["from", "to"])
def test_a_call_of_unknown_parties_is_spared_until_a_list_tells_them(services: Services, unknown: str) -> None:
    """It might be one that is never cancelled."""
    call = reported(1)
    del call[unknown]
    post(services, call)

    assert services.reports.unconfirmed(SID)[0].protected
    services.list_reported()
    assert services.tracker.snapshot(SID, services.clock.ms).protected == 1


def test_events_are_in_order_of_time(services: Services) -> None:
    old, older = (rfc2822(services.clock.ms - minutes * 60_000) for minutes in (1, 2))

    post(services, reported(1), reported(2, date_created=old), reported(3, date_created=older))

    ((_, events),) = services.reported
    assert [int(e.call_sid[2:], 16) for e in events] == [3, 2, 1]
    assert [e.at_ms for e in events] == sorted(e.at_ms for e in events)


def test_several_accounts_may_be_in_one_post(services: Services) -> None:
    answer = post(services, reported(1), reported(2, account_sid=OBSERVED_SID), reported(3))

    assert answer.json == {"counted": 3, "duplicates": 0}
    assert [(sid, len(events)) for sid, events in services.reported] == [(SID, 2), (OBSERVED_SID, 1)]


@pytest.mark.parametrize(
    "other",
    [
        {"direction": "outbound-dial", "parent_call_sid": call_sid(99)},
        {"direction": "inbound", "sid": "x", "queue_time": "soon", "from": 7},
        {"direction": "trunking-originating", "account_sid": "AC" + "f" * 32},
        {"direction": 7},
        {"parent_call_sid": call_sid(99)},
    ],
)
def test_calls_that_do_not_count_are_ignored_whatever_else_they_hold(
    services: Services, other: dict[str, object]
) -> None:
    answer = post(services, reported(1), {**reported(2), **other}, reported(3, direction="outbound-api"))

    assert answer.json == {"counted": 2, "duplicates": 0, "ignored": 1}
    assert len(services.reports.unconfirmed(SID)) == 2


def test_an_error_names_the_place_among_all_calls(services: Services) -> None:
    answer = post(services, {**reported(1), "direction": "inbound"}, reported(2, account_sid="AC" + "f" * 32))

    assert answer.status_code == 404
    assert [problem["index"] for problem in answer.json["errors"]] == [1]


def test_a_call_to_an_emergency_number_is_protected(services: Services) -> None:
    post(services, reported(1, to="911"), reported(2, to="+44999"), reported(3, to="9111"))
    services.list_reported()

    assert services.tracker.snapshot(SID, services.clock.ms).protected == 2


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"calls":' * 50_000, b"[" * 60_000 + b"]" * 60_000, b"9" * 5000]
)
def test_json_of_any_depth_is_answered(services: Services, body: bytes) -> None:
    answer = services.client(Role.REPORTER).post("/api/reports", data=body, content_type="application/json")

    assert answer.status_code == 400


MISSING = object()


@pytest.mark.parametrize(
    ("field", "given"),
    [
        *(("queue_time", good) for good in (None, "", "0", 0, "90000000", 90_000_000, MISSING)),
        *(("status", good) for good in (None, "in-progress", "no-answer", MISSING)),
        *(("date_created", good) for good in (None, "", MISSING)),
        *(
            ("from", good)
            for good in (
                None,
                "",
                "client:jane",
                "sip:jane@example.com",
                "Zoë",
                "+" * 2048,
                "jack",
                "911",
                MISSING,
            )
        ),
        *(("to", good) for good in (None, "", "client:jane", MISSING)),
        *(("age_ms", good) for good in (0, 21_600_000, None, MISSING)),
        ("price_unit", {"a field that Twilio": ["has"]}),
    ],
)
def test_what_twilio_may_answer_is_taken(services: Services, field: str, given: object) -> None:
    call = reported(**{field: given})
    if given is MISSING:
        call.pop(field, None)

    assert post(services, call).status_code == 200


WRONG: dict[str, list[object]] = {
    "sid": [None, MISSING, "", "CA1", "AC" + "0" * 32, "CA" + "g" * 32, 7, call_sid(1) + "\n"],
    "account_sid": [None, MISSING, "", "AC1", "AC" + "A" * 32, 7, [SID]],
    "status": ["", "Queued", "canceling", 1, [], {}],
    "queue_time": ["-1", -1, "1.5", 1.5, 1.0, True, "90000001", 90_000_001, "9" * 5000, " 1", []],
    "date_created": [
        *("yesterday", 0, 1_790_000_000, "2026-09-21T10:00:00", "2026-09-21", {}),
        *("9" * 9000, "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"),
    ],
    "from": [15550001111, "a\nb", "\x00", "x" * 2049, "a\x85b", []],
    "to": [15550002222, "\x7f", "x" * 2049, {}],
}


@pytest.mark.parametrize(("field", "given"), [(field, bad) for field, all_bad in WRONG.items() for bad in all_bad])
def test_a_wrong_field_is_named_and_nothing_counted(services: Services, field: str, given: object) -> None:
    call = reported(2, **{field: given})
    if given is MISSING:
        call.pop(field, None)

    answer = post(services, reported(1), call)

    assert (answer.status_code, answer.json["code"]) == (400, "bad_reports")
    (problem,) = answer.json["errors"]
    assert (problem["index"], problem["field"]) == (1, field)
    assert problem["message"].startswith("should be ")
    assert services.reported == []
    assert services.counted("reports:client:malformed") == 1
    assert services.counted("calls:queued") == 0


@pytest.mark.parametrize("write", [rfc2822, lambda ms: datetime.fromtimestamp(ms // 1000, UTC).isoformat()])
@pytest.mark.parametrize(
    ("offset_ms", "is_good"),
    [(-6 * HOUR_MS, True), (-6 * HOUR_MS - 1000, False), (15 * 60_000, True), (15 * 60_000 + 1000, False)],
)
def test_a_creation_is_neither_too_old_nor_ahead(
    services: Services, clock: FrozenClock, write: Any, offset_ms: int, is_good: bool
) -> None:
    clock.ms = clock.ms // 1000 * 1000

    answer = post(services, reported(date_created=write(clock.ms + offset_ms)))

    assert answer.status_code == (200 if is_good else 400)
    if is_good:
        assert services.reported[0][1][0].at_ms == clock.ms + min(offset_ms, 0)


@pytest.mark.parametrize("written", ["+02:00", "-05:30"])
def test_a_zone_is_believed(services: Services, written: str) -> None:
    moment = datetime.fromtimestamp(services.clock.ms // 1000 - 60, UTC)
    local = moment.astimezone(datetime.fromisoformat(f"2026-01-01T00:00:00{written}").tzinfo)

    post(services, reported(date_created=local.isoformat()))

    assert services.reported[0][1][0].at_ms == moment.timestamp() * 1000


@pytest.mark.parametrize(
    ("body", "index", "field"),
    [
        ({}, None, "calls"),
        ([], None, None),
        ("calls", None, None),
        (7, None, None),
        ({"calls": []}, None, "calls"),
        ({"calls": {}}, None, "calls"),
        ({"calls": [reported(n) for n in range(1001)]}, None, "calls"),
        ({"calls": [reported(), None]}, 1, None),
        ({"calls": [[reported()]]}, 0, None),
    ],
)
def test_a_body_of_another_shape_is_refused(
    services: Services, body: object, index: int | None, field: str | None
) -> None:
    answer = services.client().post("/api/reports", json=body)

    assert (answer.status_code, answer.json["code"]) == (400, "bad_reports")
    (problem,) = answer.json["errors"]
    assert (problem.get("index"), problem.get("field")) == (index, field)
    assert services.reported == []


def test_a_thousand_calls_are_taken(services: Services) -> None:
    answer = post(services, *(reported(n, filler="x" * 500) for n in range(1000)))

    assert answer.json == {"counted": 1000, "duplicates": 0}


def test_at_most_twenty_problems_are_listed(services: Services) -> None:
    answer = post(services, *(reported(n, queue_time="-1") for n in range(50)))

    assert [problem["index"] for problem in answer.json["errors"]] == list(range(20))


def test_an_unknown_account_is_named_by_its_place(services: Services) -> None:
    answer = post(services, reported(1), reported(2, account_sid=UNKNOWN_SID), reported(3))

    assert (answer.status_code, answer.json["code"]) == (404, "unknown_account")
    assert [(p["index"], p["field"]) for p in answer.json["errors"]] == [(1, "account_sid")]
    assert UNKNOWN_SID not in answer.text
    assert services.reported == []
    assert services.counted("reports:client:malformed") == 1


@pytest.mark.parametrize(
    ("sent", "http_status", "code"),
    [
        ({"data": b"{", "content_type": "application/json"}, 400, "bad_json"),
        ({"data": b"", "content_type": "application/json"}, 400, "bad_json"),
        ({"data": b"\xff", "content_type": "application/json"}, 400, "bad_json"),
        ({"data": b"[" * 100_000, "content_type": "application/json"}, 400, "bad_json"),
        ({"data": b'{"calls": ["\\ud800"]}', "content_type": "application/json"}, 400, "bad_json"),
        ({"data": b'{"calls": [NaN]}', "content_type": "application/json"}, 400, "bad_json"),
        ({"data": b"1" * 9000, "content_type": "application/json"}, 400, "bad_json"),
        ({"data": b'{"calls": []}', "content_type": "text/plain"}, 415, "unsupported_media_type"),
        ({"data": b'{"calls": []}'}, 415, "unsupported_media_type"),
        ({"data": {"calls": "1"}}, 415, "unsupported_media_type"),
        ({"data": b" " * (MAX_BODY_BYTES + 1), "content_type": "application/json"}, 413, "too_large"),
    ],
)
def test_a_body_that_is_no_json_is_refused(
    services: Services, sent: dict[str, Any], http_status: int, code: str
) -> None:
    answer = services.client().post("/api/reports", **sent)

    assert (answer.status_code, answer.json["code"]) == (http_status, code)
    assert answer.json["message"]


@pytest.mark.parametrize(("too_many", "http_status"), [(0, 200), (1, 413), (MAX_BODY_BYTES, 413)])
@pytest.mark.parametrize("says_length", [True, False])
def test_the_most_bytes(services: Services, says_length: bool, too_many: int, http_status: int) -> None:
    body = json.dumps({"calls": [reported()]}).encode().ljust(MAX_BODY_BYTES + too_many)
    chunked: dict[str, Any] = {"wsgi.input_terminated": True, "CONTENT_LENGTH": ""}

    answer = services.client().post(
        "/api/reports",
        input_stream=BytesIO(body),
        content_type="application/json",
        environ_overrides={"CONTENT_LENGTH": str(len(body))} if says_length else chunked,
    )

    assert answer.status_code == http_status


def test_without_redis_a_report_is_to_be_sent_again(services: Services, caplog: pytest.LogCaptureFixture) -> None:
    """What the other account has counted already does not count twice, and the refusal counts later."""
    client, calls = services.client(), [reported(1), reported(2, account_sid=OBSERVED_SID)]
    services.down = frozenset({OBSERVED_SID})

    answer = client.post("/api/reports", json={"calls": calls})

    assert (answer.status_code, answer.json["code"], answer.headers["Retry-After"]) == (503, "unavailable", "1")
    assert "answered 503" in caplog.text

    services.down = frozenset()
    assert client.post("/api/reports", json={"calls": calls}).json == {"counted": 1, "duplicates": 1}
    assert services.counted("reports:client:unavailable", OBSERVED_SID) == 1
    assert services.counted("reports:client:unavailable") == 0


def test_a_malformed_report_is_counted_once_for_each_account_that_is_known(services: Services) -> None:
    wrong = [reported(1, sid=""), reported(2), reported(3, account_sid=OBSERVED_SID), reported(4, account_sid="x")]

    post(services, *wrong)

    assert services.counted("reports:client:malformed") == 1
    assert services.counted("reports:client:malformed", OBSERVED_SID) == 1
