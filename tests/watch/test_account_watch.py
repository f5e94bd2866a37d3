"""The watch over one account, against a simulated Twilio and a real server."""

import time
from collections.abc import Callable

import pytest
from twilio.http.response import Response

from callguard.domain.calls import CallEvent, CallStatus
from callguard.domain.notices import NoticeKind, Outage
from callguard.domain.policy import Mode, Rearm, Unqueued
from callguard.domain.snapshot import Finding, Rule, State
from callguard.domain.sources import Source
from callguard.domain.tally import Outcome
from callguard.mirror import twilio_outages
from callguard.store.connection import connect
from callguard.store.outages import RedisOutages
from callguard.telephony.http_client import PooledHttpClient
from callguard.watch import account_watch
from tests.calls import call_sid
from tests.guarded import SID, Guarded, guarded, now_ms, trip_at
from tests.waiting import wait_until

FINDING = Finding(Rule.MANUAL, 1, 1, "by hand", 0)


def state(g: Guarded) -> State:
    return g.store.tracker.snapshot(SID, now_ms()).state


def ticking(g: Guarded, condition: Callable[[], object], description: str) -> None:
    """Let time pass for the watch until the condition holds."""

    def tick_and_look() -> object:
        g.watch.tick()
        return condition()

    wait_until(tick_and_look, description, timeout=15)


def test_a_runaway_without_any_callback_is_caught_by_the_poll(redis_url: str) -> None:
    with guarded(redis_url, trip_at(cps=1, poll_seconds=0.2)) as g:
        g.watch.tick()
        assert state(g) is State.ARMED

        g.queue_calls(60)
        ticking(g, lambda: state(g) is State.TRIPPED, "the guard trips")

        incident = g.store.incidents.current(SID)
        assert incident is not None
        assert incident.finding.rule is Rule.SPIKE
        assert g.wakes.wakes == [(SID, 1)]


@pytest.mark.parametrize("text", ["[]", '"x"', "null", '{"calls": null}', '{"calls": [7]}', "[" * 100_000])
def test_a_list_of_another_shape_is_asked_for_less_often_and_holds_up_nothing(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    asked: list[object] = []
    tasks: list[object] = []

    def answer(*words: object, **options: object) -> Response:
        asked.append((words, options))
        return Response(200, text, {})

    with guarded(redis_url, trip_at(cps=1, poll_seconds=0.2)) as g:
        monkeypatch.setattr(PooledHttpClient, "request", answer)
        monkeypatch.setattr(g.watch, "_tasks", (tasks.append,))
        for _ in range(5):
            g.watch.tick()

    assert len(asked) == 1
    assert len(tasks) == 5
    assert "Twilio's answer could not be read" in caplog.text
    assert "Traceback" not in caplog.text


def test_the_mirror_follows_calls_that_leave_without_a_word(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callguard.mirror.queue_mirror.SETTLING_MS", 0)
    with guarded(redis_url, trip_at(cps=20, poll_seconds=0.2, spike_burst=1000)) as g:
        g.queue_calls(40)
        ticking(g, lambda: g.store.tracker.snapshot(SID, now_ms()).depth > 10, "the queue is seen")

        ticking(g, lambda: g.store.tracker.snapshot(SID, now_ms()).depth == 0, "the mirror empties")


def test_a_call_that_a_killed_drain_has_cancelled_is_not_taken_for_gone(redis_url: str) -> None:
    """It left the list, and nobody could say any more why. The next run of the drain asks."""
    with guarded(redis_url, trip_at(cps=1, poll_seconds=0.2)) as g:
        g.queue_calls(40)
        g.trip()
        assert g.store.incidents.start_drain(SID, 1, "a drain that is killed", Mode.ENFORCE)
        (cancelled,) = g.store.tracker.head(SID, 1)
        g.telephony.cancel(SID, cancelled)
        g.store.incidents.yield_drain(SID, "a drain that is killed")
        lists = g.truth().requests.lists
        ticking(g, lambda: g.truth().requests.lists > lists + 2, "Twilio's list is read")

        assert g.store.tracker.head(SID, 1) == [cancelled]
        g.drain.run(g.account, 1, "me")
        incident = g.store.incidents.current(SID)
        assert incident is not None
        assert incident.count(Outcome.CANCELLED) == g.truth().cancelled


@pytest.mark.parametrize("outage", list(Outage))
def test_an_outage_that_another_process_has_noted_ends_with_the_next_poll(redis_url: str, outage: Outage) -> None:
    outages = RedisOutages(connect(redis_url, timeout=5.0))
    with guarded(redis_url, trip_at(cps=1, poll_seconds=0)) as g:
        g.watch.tick()
        outages.begin(SID, outage, now_ms() - 60_000)

        g.watch.tick()

        assert outages.now(SID) == {}
        assert len(g.notices.posted) == (outage is not Outage.CANCEL_DENIED)


def test_outages_of_a_calm_account_are_not_asked_for_by_themselves(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with guarded(redis_url, trip_at(cps=1, poll_seconds=0)) as g:
        monkeypatch.setattr(RedisOutages, "now", lambda *_: pytest.fail("they were asked for"))
        g.watch.tick()
        g.watch.tick()

        assert g.truth().requests.lists == 2


def test_a_suspicion_is_settled_by_asking_twilio(redis_url: str) -> None:
    """Callbacks alone cross the rule; the backlog is known only to Twilio's list, which is asked at once."""
    policy = trip_at(cps=1, initiated_burst=10, spike_burst=1000, poll_seconds=3600)
    with guarded(redis_url, policy) as g:
        g.watch.tick()
        g.queue_calls(50)
        for number in range(12):
            news = [CallEvent(call_sid(number), CallStatus.INITIATED, now_ms())]
            g.guard.take(g.account, news, Source.CALLBACK)
        assert state(g) is State.ARMED

        ticking(g, lambda: state(g) is State.TRIPPED, "the suspicion is proven")

        incident = g.store.incidents.current(SID)
        assert incident is not None
        assert incident.finding.rule is Rule.INITIATED


@pytest.mark.parametrize(("unqueued", "then"), [("ignore", State.ARMED), ("page", State.TRIPPED)])
def test_a_suspicion_without_a_backlog_cancels_nothing(redis_url: str, unqueued: str, then: State) -> None:
    with guarded(redis_url, trip_at(initiated_burst=10, poll_seconds=3600, unqueued=Unqueued(unqueued))) as g:
        for number in range(12):
            news = [CallEvent(call_sid(number), CallStatus.INITIATED, now_ms())]
            g.guard.take(g.account, news, Source.CALLBACK)
        g.watch.tick()
        lists = g.truth().requests.lists
        ticking(g, lambda: g.truth().requests.lists > lists, "Twilio is asked again")

        assert state(g) is then
        assert g.wakes.wakes == []


def test_a_drain_that_nobody_leads_is_woken(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """State first, wake-up second: here the wake-up is lost."""
    monkeypatch.setattr(account_watch, "WAKE_EVERY_SECONDS", 0.1)
    with guarded(redis_url, trip_at()) as g:
        assert g.store.incidents.trip(SID, 0, FINDING, Mode.ENFORCE, now_ms())

        ticking(g, lambda: g.wakes.wakes == [(SID, 1)], "a worker is woken")

        g.store.incidents.start_drain(SID, 1, "somebody", Mode.ENFORCE)
        time.sleep(0.2)
        g.watch.tick()
        assert len(g.wakes.wakes) == 1


def test_it_arms_again_when_it_has_been_quiet(redis_url: str) -> None:
    with guarded(redis_url, trip_at(cps=1, quiet_seconds=1)) as g:
        g.queue_calls(60)
        g.trip()
        g.drain.run(g.account, 1, "me")
        assert state(g) is State.COOLING

        ticking(g, lambda: state(g) is State.ARMED, "the guard is armed again")

        (incident,) = g.store.incidents.recent(SID, 5)
        assert incident.reason == "quiet for 1 s"


def test_it_waits_for_a_person_where_the_policy_says_so(redis_url: str) -> None:
    with guarded(redis_url, trip_at(cps=1, quiet_seconds=1, rearm=Rearm.MANUAL)) as g:
        g.queue_calls(60)
        g.trip()
        g.drain.run(g.account, 1, "me")
        deadline = time.monotonic() + 1.5
        while time.monotonic() < deadline:
            g.watch.tick()

        assert state(g) is State.COOLING


def test_new_calls_while_cooling_are_drained_too(redis_url: str) -> None:
    with guarded(redis_url, trip_at(cps=1, quiet_seconds=900)) as g:
        g.queue_calls(60)
        g.trip()
        g.drain.run(g.account, 1, "me")
        g.queue_calls(3)

        ticking(g, lambda: state(g) is State.DRAINING, "the drain is opened again")

        assert g.wakes.wakes[-1] == (SID, 1)


def test_twilio_away_is_outlived(redis_url: str) -> None:
    with guarded(redis_url, trip_at(poll_seconds=0.2)) as g:
        g.twilio.change_faults(SID, error_rate=1.0)
        g.watch.tick()
        assert g.store.tracker.snapshot(SID, now_ms()).polled_ms == 0

        g.twilio.change_faults(SID, error_rate=0.0)
        ticking(g, lambda: g.store.tracker.snapshot(SID, now_ms()).polled_ms, "the list is read")


def test_a_paused_account_is_watched_but_not_touched(redis_url: str) -> None:
    with guarded(redis_url, trip_at(cps=1, poll_seconds=0.2)) as g:
        g.store.incidents.pause(SID, "a test", now_ms())
        g.queue_calls(60)
        ticking(g, lambda: g.store.tracker.snapshot(SID, now_ms()).depth > 50, "the queue is seen")

        assert state(g) is State.ARMED
        g.store.incidents.resume(SID)
        ticking(g, lambda: state(g) is State.TRIPPED, "the guard trips once it may")


def test_people_hear_of_the_trip_and_of_the_arming(redis_url: str) -> None:
    with guarded(redis_url, trip_at(cps=1, quiet_seconds=1)) as g:
        g.queue_calls(60)
        g.trip()
        g.drain.run(g.account, 1, "me")
        ticking(g, lambda: state(g) is State.ARMED, "the guard is armed again")

        told = {notice.kind: notice.text for notice in g.notices.posted}
        assert "TRIPPED: rule spike" in told[NoticeKind.TRIPPED]
        assert "from +1555***00 (100 %)" in told[NoticeKind.TRIPPED]
        assert "armed again: quiet for 1 s" in told[NoticeKind.ARMED]
        assert "cancelled" in told[NoticeKind.ARMED]


def test_people_hear_that_the_cap_was_reached(redis_url: str) -> None:
    with guarded(redis_url, trip_at(cps=1, quiet_seconds=1, max_cancellations=20)) as g:
        g.queue_calls(60)
        g.trip()
        g.drain.run(g.account, 1, "me")
        ticking(g, lambda: NoticeKind.CAPPED in [n.kind for n in g.notices.posted], "somebody is told")

        assert state(g) is State.COOLING


def test_it_polls_each_second_once_a_rule_is_half_way(redis_url: str) -> None:
    """Twelve of twenty calls: nothing trips, but the next look comes soon."""
    with guarded(redis_url, trip_at(cps=1, poll_seconds=3600)) as g:
        g.watch.tick()
        lists = g.truth().requests.lists
        for number in range(12):
            g.guard.take(g.account, [CallEvent(call_sid(number), CallStatus.QUEUED, now_ms())], Source.REPORT)

        ticking(g, lambda: g.truth().requests.lists > lists, "Twilio's list is read")
        assert state(g) is State.ARMED


def test_people_hear_that_the_list_cannot_be_read_and_can_be_again(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(twilio_outages, "BLIND_MS", 100)
    monkeypatch.setattr(account_watch, "MAX_BACK_OFF_SECONDS", 0.2)
    with guarded(redis_url, trip_at(poll_seconds=0.1)) as g:
        g.twilio.change_faults(SID, error_rate=1.0)
        ticking(g, lambda: g.notices.posted, "somebody is told")
        g.twilio.change_faults(SID, error_rate=0.0)
        ticking(g, lambda: "is read again" in g.notices.posted[-1].text, "and told of the end")

        assert {notice.kind for notice in g.notices.posted} == {NoticeKind.BLIND}
        assert "could not be read" in g.notices.posted[0].text


def test_people_hear_that_twilio_refuses_the_token(redis_url: str) -> None:
    with guarded(redis_url, trip_at(poll_seconds=0.1), auth_token="b" * 32) as g:
        g.watch.tick()

        (notice,) = g.notices.posted
        assert notice.kind is NoticeKind.DENIED
        assert "for the list of queued calls" in notice.text


def test_a_drain_is_woken_though_the_clock_was_set_back(redis_url: str) -> None:
    with guarded(redis_url, trip_at()) as g:
        assert g.store.incidents.trip(SID, 0, FINDING, Mode.ENFORCE, now_ms() + 600_000)

        ticking(g, lambda: g.wakes.wakes == [(SID, 1)], "a worker is woken")
