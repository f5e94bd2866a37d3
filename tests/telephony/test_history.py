"""An account's past, fetched from a simulated Twilio."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest

from callguard.config.accounts import Account
from callguard.domain.calls import CallStatus
from callguard.domain.history import HistoricCall
from callguard.errors import TwilioThrottled, TwilioUnavailable
from callguard.simulator import (
    SANDBOX_ACCOUNT_SID,
    SANDBOX_AUTH_TOKEN,
    AccountConfig,
    RunawayPlan,
    RunningSimulator,
    SimulatorConfig,
    running,
)
from callguard.telephony.calls import HISTORY_TRIES, TwilioCalls
from callguard.telephony.http_client import PooledHttpClient
from tests.calls import create_calls
from tests.waiting import wait_until

SID = SANDBOX_ACCOUNT_SID
CALLS = 1200
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def twilio() -> Iterator[RunningSimulator]:
    """A simulated Twilio that has dialled 1,200 calls: two pages."""
    with running(SimulatorConfig(accounts=(AccountConfig(cps=100_000.0, latency=0.0),))) as simulator:
        simulator.start_runaway(SID, RunawayPlan(CALLS))
        wait_until(lambda: simulator.account(SID).dialled == CALLS, "all calls are dialled")
        yield simulator


@pytest.fixture
def client() -> Iterator[PooledHttpClient]:
    """The HTTP client."""
    client = PooledHttpClient(timeout=5.0)
    yield client
    client.close()


@pytest.fixture
def calls(twilio: RunningSimulator, client: PooledHttpClient) -> TwilioCalls:
    """The adapter, pointed at the simulated Twilio."""
    return TwilioCalls({SID: Account(SID, (SANDBOX_AUTH_TOKEN,))}, twilio.url, client)


def never(seconds: float, reason: str) -> None:
    raise AssertionError(f"a rest of {seconds} s: {reason}")


def fetched(calls: TwilioCalls, since: datetime, before: datetime) -> list[HistoricCall]:
    return [call for page in calls.history(SID, since, before, never) for call in page]


def test_every_page_is_fetched(twilio: RunningSimulator, calls: TwilioCalls) -> None:
    now = datetime.now(UTC)

    past = fetched(calls, now - HOUR, now + HOUR)

    assert {call.call_sid for call in past} == set(twilio.statuses(SID))
    assert len(past) == CALLS
    one = past[0]
    assert one.created_ms is not None
    assert one.started_ms is not None
    assert now.timestamp() - 60 < one.created_ms / 1000 <= one.started_ms / 1000 < now.timestamp() + 1
    assert isinstance(one.status, CallStatus)
    assert one.queue_ms is not None
    assert not one.is_child
    assert one.to_number.startswith("+1555")


def test_the_span_means_the_same_in_every_zone(calls: TwilioCalls) -> None:
    """The library writes a time down without converting it."""
    now = datetime.now(timezone(timedelta(hours=-5)))

    assert len(fetched(calls, now - HOUR, now + HOUR)) == CALLS
    assert fetched(calls, now - 3 * HOUR, now - HOUR) == []
    assert fetched(calls, now + HOUR, now + 2 * HOUR) == []


@pytest.mark.parametrize(
    ("errors", "rests"),
    [
        pytest.param([TwilioThrottled("429")] * 3, [1.0, 2.0, 4.0], id="throttled"),
        pytest.param(
            [TwilioThrottled("429", 9.0), TwilioUnavailable("no answer")], [9.0, 2.0], id="asked to wait"
        ),
    ],
)
def test_a_page_that_was_not_served_is_asked_for_again(
    calls: TwilioCalls,
    client: PooledHttpClient,
    monkeypatch: pytest.MonkeyPatch,
    errors: list[Exception],
    rests: list[float],
) -> None:
    served, left, rested = client.request, list(errors), list[float]()

    def request(*args: object, **kwargs: object) -> object:
        if left:
            raise left.pop(0)
        return served(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(client, "request", request)
    now = datetime.now(UTC)

    pages = list(calls.history(SID, now - HOUR, now + HOUR, lambda seconds, _: rested.append(seconds)))

    assert sum(map(len, pages)) == CALLS
    assert rested == rests


def test_it_does_not_ask_for_ever(
    calls: TwilioCalls, client: PooledHttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    rested = list[float]()

    def request(*_: object, **__: object) -> object:
        raise TwilioThrottled("429")

    monkeypatch.setattr(client, "request", request)
    now = datetime.now(UTC)

    with pytest.raises(TwilioThrottled):
        list(calls.history(SID, now - HOUR, now, lambda seconds, _: rested.append(seconds)))

    assert rested == [2.0**n for n in range(HISTORY_TRIES - 1)]


def test_what_was_cancelled_and_what_waits_is_part_of_it(client: PooledHttpClient) -> None:
    """It never started, so a list by start time has none of it."""
    with running(SimulatorConfig(accounts=(AccountConfig(cps=0.001, latency=0.0),))) as simulator:
        calls = TwilioCalls({SID: Account(SID, (SANDBOX_AUTH_TOKEN,))}, simulator.url, client)
        create_calls(simulator, SID, 20)
        cancelled = [sid for sid, status in simulator.statuses(SID).items() if status == "queued"][:5]
        for sid in cancelled:
            calls.cancel(SID, sid)
        now = datetime.now(UTC)

        past = fetched(calls, now - HOUR, now + HOUR)

        assert {call.call_sid for call in past} == set(simulator.statuses(SID))
        assert {call.call_sid for call in past if call.status is CallStatus.CANCELED} == set(cancelled)
