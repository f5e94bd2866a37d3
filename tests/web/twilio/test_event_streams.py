"""Event Streams tells of calls that entered the queue, and of their progress, in batches."""

import base64
import io
import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callguard.domain.calls import CallEvent, CallStatus
from callguard.domain.drain_time import MAX_QUEUE_MS
from callguard.processes.connections import BODY_SECONDS, CONNECTION, WORK_SECONDS
from callguard.web.twilio.event_streams import MAX_BODY_BYTES
from tests.examples import up_to
from tests.web.twilio.callbacks import ACCOUNTS, CALL_SID, NOW_MS, OTHER_SID, OTHER_TOKEN, SID, timestamp
from tests.web.twilio.event_batches import (
    CREATED,
    INITIATED,
    EventServices,
    base64_json,
    call,
    created,
    event,
    progressed,
    send,
)

OTHER_CALL = "CA" + "9" * 32
PARTIES = ACCOUNTS[SID].hasher.of("+15550001111", "+15550002222")
HOUR_MS = 3_600_000


def sids(count: int) -> list[str]:
    return [f"CA{number:032x}" for number in range(count)]


def without(one: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in one.items() if key != name}


def outcome_of(one: object) -> tuple[int, list[str], list[CallEvent]]:
    """Return the answer's status, the codes in it, and what was taken."""
    services = EventServices()
    reply = send(services, [one])
    return reply.status_code, [problem["code"] for problem in reply.get_json()["problems"]], services.taken


def taken_of(one: object) -> CallEvent:
    _, codes, taken = outcome_of(one)
    assert codes == []
    assert len(taken) == 1
    return taken[0]


def test_a_created_call_has_entered_the_queue() -> None:
    services = EventServices()

    reply = send(services, [created()])

    assert reply.status_code == 200
    assert reply.get_json() == {"counted": 1, "duplicates": 0, "ignored": 0, "problems": []}
    assert reply.content_type == "application/json"
    assert services.takers == [SID]
    assert services.taken == [
        CallEvent(
            CALL_SID,
            CallStatus.QUEUED,
            NOW_MS,
            protected=False,
            sender=PARTIES.sender,
            sender_shown=PARTIES.sender_shown,
            destination=PARTIES.destination,
            queue_ms=1500,
        )
    ]
    assert services.refused == []


@pytest.mark.parametrize(
    "prefix", ["com.twilio.voice.status-callback", "com.twilio.voice.webhook.status-callback"]
)
@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("initiated", "initiated"),
        ("ringing", "ringing"),
        ("answered", "in-progress"),
        ("completed", "busy"),
        ("completed", "canceled"),
    ],
)
def test_a_status_callback_counts_as_it_would_at_its_own_door(prefix: str, name: str, word: str) -> None:
    taken = taken_of(progressed(f"{prefix}.call.{name}", CallStatus=word))

    assert (taken.call_sid, taken.status, taken.at_ms) == (CALL_SID, CallStatus(word), NOW_MS)
    assert (taken.sender, taken.destination) == (PARTIES.sender, PARTIES.destination)


def test_who_is_never_cancelled_is_protected() -> None:
    assert taken_of(created(call(**{"from": "+15550009123"}))).protected
    assert taken_of(created(call(to="+15550009123"))).protected
    assert taken_of(progressed(To="+15550009123")).protected


def test_a_single_object_is_a_batch_of_one() -> None:
    services = EventServices()

    assert send(services, created(), content_type="application/cloudevents+json").get_json()["counted"] == 1
    assert send(services, [], content_type="application/cloudevents-batch+json").get_json()["counted"] == 0


def test_the_other_account_speaks_with_its_own_token() -> None:
    services = EventServices()

    reply = send(services, [created(call(account_sid=OTHER_SID))], token=OTHER_TOKEN)

    assert reply.status_code == 200
    assert services.takers == [OTHER_SID]


# What may be missing, and where else it is found.


def test_without_a_readable_answer_the_request_is_read() -> None:
    for body in (None, "", "no base64!", base64_json([1]), base64_json({"code": 20003}), "////", 7, "[" * 10):
        taken = taken_of(created(response={"responseCode": 201, "responseBody": body}))

        assert (taken.sender, taken.destination) == (PARTIES.sender, PARTIES.destination)
        assert taken.queue_ms is None


def test_the_answer_is_believed_before_the_request() -> None:
    request = {"parameters": {"From": "+15550007777", "To": "+15550008888", "AccountSid": OTHER_SID}}

    assert taken_of(created(request=request)).sender == PARTIES.sender


def test_a_call_from_an_unknown_number_counts() -> None:
    bare = event(CREATED, {"sid": CALL_SID, "request": {"parameters": {"AccountSid": SID}}})

    assert taken_of(bare) == CallEvent(CALL_SID, CallStatus.QUEUED, NOW_MS, protected=True)


@pytest.mark.parametrize("path", ["Calls", "Calls.json", "Calls.json?x=1", "Calls/"])
def test_the_account_may_be_found_in_the_address_alone(path: str) -> None:
    request = {"url": f"https://api.twilio.com/2010-04-01/Accounts/{SID}/{path}"}

    assert taken_of(created(request=request, response=None)).call_sid == CALL_SID


@pytest.mark.parametrize(
    ("answered", "data", "age_ms"),
    [
        (timestamp(NOW_MS - 60_000), {}, 60_500),  # in whole seconds
        (None, {"timestamp": "2026-09-21T14:12:20.250Z"}, 60_250),
        ("", {"timestamp": None, "requestDateCreated": timestamp(NOW_MS - 60_000)}, 60_500),
        (None, {"timestamp": "2026-09-21T14:12:20Z"}, 60_500),
        (None, {"timestamp": "2026-09-21T14:12:20.250000123Z"}, 60_250),
        (None, {"timestamp": None}, 0),
        (timestamp(NOW_MS - 1_000), {}, 0),  # the arrival tells more than a whole second does
        (timestamp(NOW_MS + 60_000), {}, 0),
    ],
)
def test_a_creation_is_dated_by_what_knows_best(answered: str | None, data: dict[str, Any], age_ms: int) -> None:
    assert NOW_MS - taken_of(created(call(date_created=answered), **data)).at_ms == age_ms


@pytest.mark.parametrize("told", ["", None, "0", "1500", 1500, str(MAX_QUEUE_MS)])
def test_a_queue_time_is_a_whole_number_of_milliseconds(told: object) -> None:
    assert taken_of(created(call(queue_time=told))).queue_ms == (int(str(told)) if told else None)


@pytest.mark.parametrize(
    "told",
    ["-1", -1, "1.5", 1.5, "1e3", " 1", "abc", "٣", True, [], {}, "9" * 5000, MAX_QUEUE_MS + 1, 10**30, "0x10"],
)
def test_an_absurd_queue_time_is_a_problem(told: object) -> None:
    assert outcome_of(created(call(queue_time=told))) == (200, ["bad_queue_time"], [])


# What is true, but does not count.


@pytest.mark.parametrize(
    ("one", "code"),
    [
        (created(call(direction="inbound")), "other_direction"),
        (created(call(direction="outbound-dial")), "other_direction"),
        (created(call(parent_call_sid="CA" + "3" * 32)), "child_call"),
        (created(response={"responseCode": 400}), "not_created"),
        (created(sid=None, response={"responseCode": 429, "responseBody": "x"}), "not_created"),
        (created(call(date_created=timestamp(NOW_MS - 6 * HOUR_MS - 1000))), "stale"),
        (created(call(date_created=timestamp(NOW_MS + HOUR_MS))), "stale"),
        (created(call(date_created="Thu, 01 Jan 1970 00:00:00 +0000")), "stale"),
        (progressed(Direction="inbound"), "other_direction"),
        (progressed(Timestamp=timestamp(NOW_MS - 7 * HOUR_MS)), "stale"),
        (event("com.twilio.voice.api-request.call.modified", {}), "unknown_type"),
        (event("com.twilio.voice.status-callback.amd.detected", {}), "unknown_type"),
        (event("com.twilio.eventstreams.test-event", {"test_id": "1"}, id=SID), "unknown_type"),
        (event(INITIATED + ".x", {}), "unknown_type"),
        (without(event("xxxxx", {}), "data"), "unknown_type"),
    ],
)
def test_what_does_not_count_is_ignored_and_named(one: object, code: str) -> None:
    services = EventServices()

    reply = send(services, [one])

    assert reply.status_code == 200
    assert reply.get_json() == {
        "counted": 0,
        "duplicates": 0,
        "ignored": 1,
        "problems": [{"index": 0, "code": code}],
    }
    result = "stale" if code == "stale" else "ignored"
    assert (services.taken, services.refused) == ([], [(SID, "event_streams", result)])


def test_an_unknown_type_is_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    services = EventServices()
    strange = [event("com.twilio.new\u2028.thing", {})] * 50

    for _ in range(3):
        send(services, strange)
    services.clock.ms += 60_000
    send(services, strange)

    first, second = (record.getMessage() for record in caplog.records)
    assert "'com.twilio.new\\u2028.thing'" in first
    assert "(150 since the last such warning)" in second


# What is malformed.


MALFORMED = [
    (7, "not_an_object"),
    ("x", "not_an_object"),
    (None, "not_an_object"),
    ([created()], "not_an_object"),
    ({}, "missing_specversion"),
    (without(created(), "specversion"), "missing_specversion"),
    (created() | {"specversion": 1.0}, "bad_specversion"),
    (created() | {"specversion": "0.3"}, "bad_specversion"),
    (without(created(), "type"), "missing_type"),
    (created() | {"type": ["x"]}, "bad_type"),
    (without(created(), "data"), "missing_data"),
    (created() | {"data": "x"}, "bad_data"),
    (created() | {"data": []}, "bad_data"),
    (created(sid=None), "missing_call_sid"),
    (created(sid=""), "missing_call_sid"),
    (created(sid="CA1"), "bad_call_sid"),
    (created(sid=7), "bad_call_sid"),
    (created(sid=CALL_SID + "\n"), "bad_call_sid"),
    (created(sid="SM" + "1" * 32), "bad_call_sid"),
    (created(sid=OTHER_CALL), "ambiguous_call_sid"),
    (created(call(sid=[])), "ambiguous_call_sid"),
    (created(request="x"), "bad_request"),
    (created(response=[]), "bad_response"),
    (created(request={"parameters": "x"}), "bad_parameters"),
    (created(response={"responseCode": "201"}), "bad_response_code"),
    (created(response={"responseCode": True}), "bad_response_code"),
    (created(request=None, response=None), "missing_account_sid"),
    (created(call(account_sid="")) | {"data": {"sid": CALL_SID}}, "missing_account_sid"),
    (created(call(account_sid="AC1")), "bad_account_sid"),
    (created(call(account_sid=7)), "bad_account_sid"),
    (created(call(**{"from": 7})), "bad_from"),
    (created(call(to={})), "bad_to"),
    (created(call(**{"from": "+1555\n"})), "bad_from"),
    (created(call(to="\ud800")), "bad_to"),
    (created(call(to="1" * 3000)), "bad_to"),
    (created(call(date_created="yesterday")), "bad_timestamp"),
    (created(call(date_created="Sun, 31 Feb 2026 13:49:54 +0000")), "bad_timestamp"),
    (created(call(date_created=1790000000)), "bad_date_created"),
    (created(call(date_created=None), timestamp="2026-13-01T00:00:00Z"), "bad_timestamp"),
    (created(call(direction=1)), "bad_direction"),
    (progressed(CallSid="CA1"), "bad_call_sid"),
    (progressed(CallSid=OTHER_CALL), "ambiguous_call_sid"),
    (progressed(CallStatus="melted"), "unknown_call_status"),
    (progressed(CallStatus=7), "bad_parameters"),
    (progressed(From=["x"]), "bad_parameters"),
    (progressed(To="client:\udc80"), "bad_parameters"),
    (progressed(From=""), "missing_from"),
    (progressed(Timestamp="x"), "bad_timestamp"),
    (event(INITIATED, {"sid": CALL_SID}), "missing_account_sid"),
    (event(INITIATED, {}), "missing_account_sid"),
]


UNREAD: dict[str, Any] = {"FromCity": ["x"], "user name": 7, "ToZip": "1234-567/A", "CallDuration": "12.0"}


@pytest.mark.parametrize(
    "one",
    [
        without(created(), "id"),
        created() | {"id": 7, "source": None, "time": "now"},
        progressed(**UNREAD),
        progressed(From="jack", To="sip:alice@example.com"),
        progressed(To="911"),
    ],
)
def test_what_decides_nothing_loses_nothing(one: object) -> None:
    services = EventServices()

    assert send(services, [one]).get_json()["counted"] == 1
    assert services.refused == []


@pytest.mark.parametrize(
    "one",
    [
        created(call(direction="inbound", queue_time="soon", date_created=7, to="\x00")),
        created(call(direction="outbound-dial", sid="x"), sid="y"),
        created(call(parent_call_sid=OTHER_CALL, **{"from": 7})),
        progressed(Direction="inbound", CallSid="x", Timestamp="x", From="\x00"),
        progressed(ParentCallSid=OTHER_CALL, CallStatus="melted"),
    ],
)
def test_calls_that_do_not_count_are_ignored_whatever_else_they_hold(one: object) -> None:
    services = EventServices()

    assert send(services, [one]).get_json()["ignored"] == 1
    assert services.refused == [(SID, "event_streams", "ignored")]


@pytest.mark.parametrize(("one", "code"), MALFORMED)
def test_a_malformed_event_is_a_problem_and_its_neighbours_count(one: object, code: str) -> None:
    services = EventServices()

    reply = send(services, [created(), one, progressed()])

    assert reply.status_code == 200  # Twilio would not send it again, and call all three undelivered
    assert reply.get_json() == {
        "counted": 2,
        "duplicates": 0,
        "ignored": 0,
        "problems": [{"index": 1, "code": code}],
    }
    assert services.refused == [(SID, "event_streams", "malformed")]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "not_json"),
        (b"x", "not_json"),
        (b"[", "not_json"),
        (b"\xff\xfe[\x00]\x00", "not_json"),
        (b"\xef\xbb\xbf[]", "not_json"),
        (b"[NaN]", "not_json"),
        (b"[" * 100_000, "not_json"),
        (b'{"a":' * 50_000, "not_json"),
        (b"[" + b"9" * 5000 + b"]", "not_json"),
        (b"7", "not_events"),
        (b"null", "not_events"),
        (b'"x"', "not_events"),
    ],
)
def test_a_body_without_events_is_malformed(body: bytes, code: str) -> None:
    services = EventServices()

    reply = send(services, body)

    assert reply.status_code == 400
    assert reply.get_json()["problems"] == [{"index": None, "code": code}]
    assert services.refused == [(SID, "event_streams", "malformed")]


@pytest.mark.parametrize(
    "one",
    [
        created(call(account_sid=OTHER_SID)),
        created(request={"parameters": {"AccountSid": OTHER_SID}}, response=None),
        progressed(AccountSid=OTHER_SID),
        progressed(AccountSid=OTHER_SID, Direction="inbound"),
    ],
)
def test_nobody_speaks_for_another_account(one: object) -> None:
    services = EventServices()

    reply = send(services, [one])

    assert reply.status_code == 200
    assert reply.get_json()["problems"] == [{"index": 0, "code": "other_account"}]
    assert (services.taken, services.refused) == ([], [(SID, "event_streams", "other_account")])


def test_an_answer_lists_twenty_problems_the_malformed_first() -> None:
    batch = [event("unknown", {}), *[7] * 30]

    problems = send(EventServices(), batch).get_json()["problems"]

    assert [problem["index"] for problem in problems] == list(range(1, 21))


def test_an_answer_holds_nothing_of_the_request() -> None:
    secret = "mellon"
    bad = created(call(**{"from": secret, "queue_time": secret}), sid=secret) | {"id": secret, "source": secret}

    for one in (bad, event(secret, {}), {secret: secret}, secret):
        assert secret not in send(EventServices(), [one]).get_data(as_text=True)


# Repeats.


@settings(max_examples=up_to(25), deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 3))
def test_repeated_and_shuffled_batches_count_each_phase_once(luck: random.Random, copies: int) -> None:
    services = EventServices()
    batch = [created(call(sid=sid), sid=sid) for sid in sids(20)]
    batch += [progressed(sid=sid, CallSid=sid) for sid in sids(20)]
    batch *= copies
    luck.shuffle(batch)

    first, second = send(services, batch).get_json(), send(services, batch).get_json()

    assert (first["counted"], first["duplicates"]) == (40, 40 * (copies - 1))
    assert (second["counted"], second["duplicates"]) == (0, 40 * copies)


def test_a_batch_is_handed_on_in_order_of_time() -> None:
    services, (first, second) = EventServices(), sids(2)
    early, late = timestamp(NOW_MS - 90_000), timestamp(NOW_MS - 60_000)
    batch = [
        progressed(sid=first, CallSid=first),
        created(call(sid=second, date_created=late), sid=second),
        created(call(sid=first, date_created=timestamp()), sid=first),
        created(call(date_created=early)),
    ]

    send(services, batch)

    assert [(one.call_sid, one.status.value) for one in services.taken] == [
        (CALL_SID, "queued"),
        (second, "queued"),
        (first, "queued"),
        (first, "initiated"),
    ]


# The request itself.


def test_a_thousand_events_are_taken_at_once_and_one_more_is_too_many() -> None:
    services = EventServices()
    batch = [created(response=None, sid=sid) for sid in sids(1000)]

    assert len(json.dumps(batch)) > 16 * 1024
    assert send(services, batch).get_json()["counted"] == 1000

    reply = send(services, [*batch, created()])
    assert (reply.status_code, reply.get_json()["problems"]) == (413, [{"index": None, "code": "too_many_events"}])
    assert services.takers == [SID]
    assert services.refused == [(SID, "event_streams", "too_large")]


def test_a_megabyte_is_read_and_a_byte_more_is_not() -> None:
    services = EventServices()
    body = json.dumps([created()]).encode()

    assert send(services, body.ljust(MAX_BODY_BYTES)).status_code == 200
    assert send(services, body.ljust(MAX_BODY_BYTES + 1)).status_code == 413
    assert services.refused == [(SID, "event_streams", "too_large")]


def test_a_body_that_does_not_say_its_length_is_bounded_too() -> None:
    services = EventServices()
    body, chunked = json.dumps([created()]).encode(), {"wsgi.input_terminated": True, "CONTENT_LENGTH": ""}

    assert send(services, body.ljust(MAX_BODY_BYTES), environ=chunked).status_code == 200
    assert send(services, body.ljust(MAX_BODY_BYTES + 1), environ=chunked).status_code == 413


class Body(io.BytesIO):
    """A body that knows whether it was read."""

    was_read = False

    def read(self, *_: object) -> bytes:
        self.was_read = True
        return b""

    def readinto(self, *_: object) -> int:
        self.was_read = True
        return 0


def test_nothing_is_read_before_the_signature_is_known() -> None:
    for headers in ({}, {"X-Twilio-Signature": "x"}, {"X-Twilio-Signature": "A" * 27 + "="}):
        services, body = EventServices(), Body()

        reply = send(services, [created()], headers=headers, environ={"wsgi.input": body})

        assert (reply.status_code, reply.data, body.was_read) == (403, b"", False)
        assert (services.taken, services.refused) == ([], [])

    body = Body()
    assert send(EventServices(), [created()], environ={"wsgi.input": body}).status_code == 403
    assert body.was_read


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "", "application/xml"]
)
def test_anything_but_json_is_refused_once_it_is_known_to_be_twilios(content_type: str) -> None:
    services = EventServices()

    assert send(services, [created()], content_type=content_type).status_code == 415
    assert send(services, [created()], content_type=content_type, headers={}).status_code == 403
    assert services.refused == [(SID, "event_streams", "unsupported_media_type")]


def test_another_body_than_the_signed_one_is_refused() -> None:
    services = EventServices()
    good = json.dumps([created()]).encode()
    forged = good.replace(CALL_SID.encode(), OTHER_CALL.encode())

    reply = send(services, good, environ={"wsgi.input": io.BytesIO(forged)})

    assert (reply.status_code, reply.data, services.taken) == (403, b"", [])


def test_a_body_that_breaks_off_is_refused() -> None:
    class Broken:
        def read(self, *_: object) -> bytes:
            raise ConnectionResetError

        readinto = readline = read

    assert send(EventServices(), [created()], environ={"wsgi.input": Broken()}).status_code == 403


def test_a_slow_sender_is_given_up() -> None:
    class Connection:
        def __init__(self) -> None:
            self.given: list[float] = []

        def give(self, seconds: float) -> None:
            self.given.append(seconds)

        give_body = give

    connection = Connection()

    assert send(EventServices(), [created()], environ={CONNECTION: connection}).status_code == 200
    assert connection.given == [BODY_SECONDS, WORK_SECONDS]


def test_only_posts_are_served() -> None:
    client = EventServices().client

    for method in ("GET", "PUT", "DELETE", "OPTIONS"):
        assert client.open("/twilio/events", method=method).status_code == 405


def test_twilio_is_asked_to_come_back_while_redis_is_down() -> None:
    services = EventServices(is_down=True)

    reply = send(services, [created(), 7])

    assert (reply.status_code, reply.headers["Retry-After"], reply.data) == (503, "1", b"")


def test_a_batch_without_news_needs_no_redis() -> None:
    services = EventServices(is_down=True)

    assert send(services, [event("unknown", {})]).status_code == 200
    assert send(services, [7]).status_code == 200


def test_what_redis_could_not_be_told_is_told_later() -> None:
    services = EventServices(is_down=True)

    send(services, [created()])
    send(services, [7])
    services.is_down = False
    send(services, [created()])

    assert sorted(services.refused) == [(SID, "event_streams", "malformed"), (SID, "event_streams", "unavailable")]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(JSON, st.sampled_from(["sid", "request", "response", "timestamp", "requestDateCreated"]))
def test_no_data_makes_it_fail(value: object, name: str) -> None:
    for kind in (CREATED, INITIATED):
        strange = created(**{name: value}) if kind == CREATED else progressed()
        strange = {**strange, "type": kind, "data": {**strange["data"], name: value}}
        assert send(EventServices(), [strange]).status_code in (200, 400)


@settings(deadline=None)
@given(JSON, st.sampled_from([*call(), "sid"]))
def test_no_answer_makes_it_fail(value: object, name: str) -> None:
    assert send(EventServices(), [created(call(**{name: value}))]).status_code in (200, 400)


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_no_response_body_makes_it_fail(body: bytes) -> None:
    encoded = base64.b64encode(body).decode()

    assert send(EventServices(), [created(response={"responseBody": encoded})]).status_code == 200
