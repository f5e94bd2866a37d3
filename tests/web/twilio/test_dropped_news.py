"""Signed news that does not count is logged, counted under its own name, and told."""

import socket

import pytest

from tests.web.twilio.callbacks import NOW_MS, SID, Services, fields, post, signed, timestamp
from tests.web.twilio.event_batches import EventServices, call, created, send

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS


def sent(services: Services, **changes: str | None) -> int:
    form = fields(**changes)
    return post(services.client(), form, signed(form)).status_code


@pytest.mark.parametrize(
    ("off_ms", "which", "advice"),
    [
        (20 * MINUTE_MS, "20 min ahead of", "Set this machine's clock: Twilio's is right"),
        (-500 * MINUTE_MS, "8.3 h behind", "Set this machine's clock if it is ahead of the world's"),
    ],
)
def test_a_callback_of_another_time_says_which_clock_is_off_and_by_how_much(
    off_ms: int, which: str, advice: str, caplog: pytest.LogCaptureFixture
) -> None:
    services = Services()

    status = sent(services, Timestamp=timestamp(NOW_MS + off_ms))

    assert status == 204
    assert (services.taken, services.refused) == ([], [(SID, "stale")])
    ((account_sid, what, text),) = services.told
    assert (account_sid, what) == (SID, "callbacks:stale")
    assert f"their time is {which} the clock of {socket.gethostname()}" in text
    assert advice in text
    assert (
        f"callbacks of an account are dropped as stale: \"their time is {which} this machine's clock"
        in caplog.text
    )
    assert SID not in caplog.text


def test_a_flood_of_them_is_told_and_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    services = Services()
    client, form = services.client(), fields(Timestamp=timestamp(NOW_MS + HOUR_MS))
    for _ in range(50):
        post(client, form, signed(form))
    services.clock.ms += MINUTE_MS
    post(client, form, signed(form))

    assert services.refused == [(SID, "stale")] * 51
    assert len(services.told) == 2
    assert caplog.text.count("dropped as stale") == 2
    assert "(50 since the last such warning)" in caplog.text


def test_a_malformed_one_is_told_by_its_code(caplog: pytest.LogCaptureFixture) -> None:
    services = Services()

    assert sent(services, Timestamp=None) == 400

    assert services.refused == [(SID, "malformed")]
    ((_, what, text),) = services.told
    assert what == "callbacks:malformed"
    assert "dropped as malformed (missing_timestamp)" in text
    assert "missing_timestamp" in caplog.text


def test_what_is_ignored_on_purpose_is_told_to_nobody(caplog: pytest.LogCaptureFixture) -> None:
    services = Services()

    assert sent(services, Direction="inbound") == 204

    assert services.refused == [(SID, "ignored")]
    assert services.told == []
    assert caplog.text == ""


def test_a_redis_that_is_away_costs_no_answer() -> None:
    services = Services(is_down=True)

    assert sent(services, Timestamp=timestamp(NOW_MS + HOUR_MS)) == 204


def test_events_of_another_time_are_told_too() -> None:
    services = EventServices()

    send(services, [created(call(date_created=timestamp(NOW_MS + HOUR_MS)))])

    assert services.refused == [(SID, "event_streams", "stale")]
    ((_, what, text),) = services.told
    assert what == "events:stale"
    assert "Twilio's events are dropped as stale: their time is 60 min ahead of the clock" in text
