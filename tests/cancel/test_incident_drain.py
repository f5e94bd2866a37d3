"""The drain against a simulated Twilio: all that is queued is cancelled, and nothing else is touched."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from threading import Thread
from typing import Any

import pytest

from callguard.cancel import backlog
from callguard.cancel.incident_drain import DrainEnd, IncidentDrain
from callguard.clock import SystemClock
from callguard.config.accounts import Account
from callguard.domain.calls import CallEvent, CallStatus
from callguard.domain.concurrency import ConcurrencyLimit
from callguard.domain.policy import Mode, Policy
from callguard.domain.snapshot import State
from callguard.domain.sources import Source
from callguard.domain.tally import Outcome
from callguard.domain.throughput import Throughput
from callguard.mirror.reconcile import Reconciler
from callguard.simulator import Behaviour, RunawayPlan
from callguard.telephony.calls import TwilioCalls
from callguard.telephony.cancelling import TwilioCanceller
from callguard.telephony.http_client import PooledHttpClient
from tests.guarded import SID, Guarded, guarded, now_ms, trip_at
from tests.waiting import wait_until

CALLS = 150


@contextmanager
def tripped(redis_url: str, policy: Policy, calls: int = CALLS, **simulated: object) -> Iterator[Guarded]:
    with guarded(redis_url, policy, **simulated) as g:
        g.queue_calls(calls)
        g.trip()
        yield g


def assert_all_accounted_for(g: Guarded) -> None:
    """What the incident says adds up and is what Twilio says."""
    incident = g.store.incidents.current(SID)
    assert incident is not None
    assert incident.remaining == 0
    assert g.truth().queued == incident.protected
    assert incident.count(Outcome.CANCELLED) == g.truth().cancelled
    assert {record.status_sent for record in g.twilio.updates(SID)} <= {"canceled"}


def test_every_queued_call_is_cancelled_oldest_first(redis_url: str) -> None:
    with tripped(redis_url, trip_at()) as g:
        assert g.drain.run(g.account, 1, "me") is DrainEnd.FINISHED

        assert_all_accounted_for(g)
        order = list(g.twilio.statuses(SID))
        places = [order.index(record.sid) for record in g.twilio.updates(SID)]
        # No call is attempted before one that is older by more than the requests under way at once.
        assert all(place <= turn + ConcurrencyLimit().ceiling for turn, place in enumerate(places))
        assert sum(places[:50]) < sum(places[50:100]) < sum(places[100:])
        assert g.store.tracker.snapshot(SID, 0).state is State.COOLING


def test_cancelling_leaves_the_drain_estimate_to_time(redis_url: str) -> None:
    with tripped(redis_url, trip_at(cps=2)) as g:
        g.drain.run(g.account, 1, "me")

        estimate = g.store.readings.read(SID, g.account.policy, now_ms()).snapshot.drain_seconds
        assert g.truth().queued == 0
        assert estimate == pytest.approx(g.truth().drain_seconds, abs=2)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"error_rate": 0.3}, id="a third of the requests fail"),
        pytest.param({"lost_reply_rate": 0.3}, id="a third of the replies are lost"),
        pytest.param({"error_rate": 0.1, "lost_reply_rate": 0.1}, id="both"),
    ],
)
def test_faults_at_twilio_do_not_stop_it(
    redis_url: str, fault: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "INITIAL_PAUSE_SECONDS", 0.02)
    monkeypatch.setattr(backlog, "MAX_ATTEMPTS", 12)
    with tripped(redis_url, trip_at()) as g:
        g.twilio.change_faults(SID, **fault)
        while (end := g.drain.run(g.account, 1, "me")) is DrainEnd.YIELDED:
            continue

        assert end is DrainEnd.FINISHED
        assert_all_accounted_for(g)


def test_a_low_ceiling_is_found_and_no_call_is_lost(redis_url: str) -> None:
    with tripped(redis_url, trip_at(), ceiling=5) as g:
        assert g.drain.run(g.account, 1, "me") is DrainEnd.FINISHED

        assert_all_accounted_for(g)
        assert g.truth().requests.throttled > 0


def test_calls_in_progress_are_left_alone(redis_url: str) -> None:
    """Even where the mirror still takes them for queued."""
    behaviour = Behaviour(ring_seconds=0.05, talk_seconds=60, answered=1, busy=0, no_answer=0, failed=0)
    with guarded(redis_url, trip_at(cps=100), behaviour=behaviour) as g:
        g.queue_calls(60)
        g.trip()
        wait_until(lambda: g.truth().statuses.get("in-progress", 0) >= 20, "calls are talking")
        g.drain.run(g.account, 1, "me")
        talking = {sid for sid, status in g.twilio.statuses(SID).items() if status == "in-progress"}

        records = [record for record in g.twilio.updates(SID) if record.previous_status == "in-progress"]
        assert talking
        assert all(record.result_status == "in-progress" for record in records)
        incident = g.store.incidents.current(SID)
        assert incident is not None
        assert incident.count(Outcome.CANCELLED) == g.truth().cancelled


def test_calls_that_are_never_cancelled_stay_queued(redis_url: str) -> None:
    with guarded(redis_url, trip_at(cps=1, never_cancel=("+15559990000", "+1777*"))) as g:
        g.queue_calls(40)
        g.queue_calls(5, from_number="+15559990000")
        g.queue_calls(5, to="+17771234567")
        g.trip()

        assert g.drain.run(g.account, 1, "me") is DrainEnd.FINISHED
        incident = g.store.incidents.current(SID)
        assert incident is not None
        assert incident.protected == g.truth().queued == 10


def test_calls_to_emergency_numbers_stay_queued_whatever_the_policy_says(redis_url: str) -> None:
    with guarded(redis_url, trip_at(cps=0.1)) as g:
        g.queue_calls(40)
        for number in ("911", "+911", "112", "+44999", "933"):
            g.queue_calls(1, to=number)
        g.queue_calls(1, to="9111")
        g.trip()

        assert g.drain.run(g.account, 1, "me") is DrainEnd.FINISHED
        incident = g.store.incidents.current(SID)
        assert incident is not None
        assert incident.protected == g.truth().queued == 5
        assert g.truth().cancelled == incident.count(Outcome.CANCELLED)


def test_a_call_that_an_older_guard_took_into_the_mirror_is_spared_too(redis_url: str) -> None:
    """It knew no emergency numbers; the mirror holds no numbers."""
    with guarded(redis_url, trip_at(cps=0.1)) as g:
        g.queue_calls(40)
        g.queue_calls(1, to="911")
        g.trip()
        protected = [sid for sid, call in g.store.tracker.mirrored(SID).items() if call.protected]
        assert len(protected) == 1
        g.store.tracker.protect(SID, [(protected[0], "")], protected=False)
        now_ms = SystemClock().now_ms()
        older = "as of an older guard"
        g.store.tracker.polled(
            SID, Policy(), now_ms, None, Throughput(), began_ms=now_ms, never_cancel_digest=older
        )

        g.drain.run(g.account, 1, "me")

        assert g.truth().queued == 1
        assert g.twilio.statuses(SID)[protected[0]] == "queued"


def test_a_bug_in_reading_the_list_does_not_cost_the_turn(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with guarded(redis_url, trip_at(cps=0.1)) as g:
        g.queue_calls(40)
        g.trip()
        read, times = g.reconciler.read_queue, iter(range(100))

        def failing(*args: Any, **options: Any) -> Any:
            if next(times) < 2:
                raise AttributeError("'NoneType' object has no attribute 'get'")
            return read(*args, **options)

        monkeypatch.setattr(g.reconciler, "read_queue", failing)

        assert g.drain.run(g.account, 1, "me") is DrainEnd.FINISHED
        assert g.truth().queued == 0
        assert "the list could not be read" in caplog.text


def test_observing_cancels_nothing_and_says_how_many_it_would_have(redis_url: str) -> None:
    with tripped(redis_url, trip_at(cps=1, mode=Mode.OBSERVE)) as g:
        assert g.drain.run(g.account, 1, "me") is DrainEnd.FINISHED

        incident = g.store.incidents.current(SID)
        assert incident is not None
        assert g.twilio.updates(SID) == []
        assert incident.count(Outcome.OBSERVED) == pytest.approx(CALLS, abs=2)
        assert incident.found == incident.count(Outcome.OBSERVED)


def test_the_cap_is_kept_to_the_call(redis_url: str) -> None:
    with tripped(redis_url, trip_at(cps=1, max_cancellations=40)) as g:
        assert g.drain.run(g.account, 1, "me") is DrainEnd.CAPPED

        assert g.truth().cancelled == 40
        assert g.truth().queued > 100


def test_pausing_stops_it_within_its_requests_under_way(redis_url: str) -> None:
    with tripped(redis_url, trip_at(cps=1), calls=400, latency=0.05) as g:
        ends: list[DrainEnd] = []
        thread = Thread(target=lambda: ends.append(g.drain.run(g.account, 1, "me")))
        thread.start()
        wait_until(lambda: g.truth().cancelled > 40, "the drain is at work")
        g.store.incidents.pause(SID, "a test", now_ms())
        after_pause = g.truth().cancelled
        thread.join(20)

        assert ends == [DrainEnd.STOPPED]
        assert g.truth().cancelled <= after_pause + 60
        g.store.incidents.resume(SID)
        assert g.drain.run(g.account, 1, "me") is DrainEnd.FINISHED
        assert_all_accounted_for(g)


def test_a_refused_token_ends_it_without_a_storm(redis_url: str) -> None:
    """A token that was rotated at Twilio makes every request fail alike; more of them do not help."""
    with tripped(redis_url, trip_at(cps=1)) as g:
        stranger = replace(g.account, auth_tokens=("0" * 32,))
        drain = drain_as(stranger, g)

        assert drain.run(g.account, 1, "me") is DrainEnd.STOPPED
        assert g.truth().queued > 100
        assert g.drain.run(g.account, 1, "me") is DrainEnd.FINISHED


def drain_as(account: Account, g: Guarded) -> IncidentDrain:
    """Return a drain with other credentials."""
    telephony = TwilioCalls({SID: account}, g.twilio.url, PooledHttpClient(timeout=2.0))
    reconciler = Reconciler(telephony, g.store.tracker, g.guard, SystemClock(), g.store.poll_lease, "other")
    canceller = partial(TwilioCanceller, {SID: account}, g.twilio.url)
    return IncidentDrain(
        canceller, g.store.tracker, g.store.incidents, reconciler, g.wakes, SystemClock(), g.notices, g.outages
    )


def test_a_second_run_keeps_away_while_the_lease_lives(redis_url: str) -> None:
    with tripped(redis_url, trip_at()) as g:
        assert g.store.incidents.start_drain(SID, 1, "another", Mode.ENFORCE)

        assert g.drain.run(g.account, 1, "me") is DrainEnd.NOT_OURS
        assert g.twilio.updates(SID) == []


def test_a_run_for_a_past_generation_does_nothing(redis_url: str) -> None:
    with tripped(redis_url, trip_at()) as g:
        g.store.incidents.rearm(SID, 1, "reset", now_ms(), force=True)

        assert g.drain.run(g.account, 1, "me") is DrainEnd.NOT_OURS
        assert g.twilio.updates(SID) == []


def test_calls_created_during_the_drain_are_cancelled_too(redis_url: str) -> None:
    with tripped(redis_url, trip_at(cps=1)) as g:
        g.twilio.start_runaway(SID, RunawayPlan(60, rate=100))
        wait_until(lambda: g.truth().runaway.created > 10, "the script goes on")
        g.drain.run(g.account, 1, "me")
        wait_until(lambda: not g.truth().runaway.running, "the script ends")
        g.watch.tick()
        if g.store.tracker.snapshot(SID, now_ms()).state is State.DRAINING:
            g.drain.run(g.account, 1, "me")

        assert g.truth().queued == 0
        assert_all_accounted_for(g)


def test_a_lagging_list_does_not_bring_calls_back(redis_url: str) -> None:
    with tripped(redis_url, trip_at(cps=1), list_lag=0.0) as g:
        g.drain.run(g.account, 1, "me")
        cancelled_before = len(g.twilio.updates(SID))
        g.reconciler.read_queue(replace(g.account), retire=True)

        assert g.store.tracker.snapshot(SID, now_ms()).depth == 0
        assert len(g.twilio.updates(SID)) == cancelled_before


def test_it_goes_on_cancelling_while_another_process_reads_the_list(redis_url: str) -> None:
    """A whole pass over a long queue takes the watcher a while; what it finds is swept meanwhile."""
    with guarded(redis_url, trip_at(cps=1)) as g:
        g.queue_calls(30)
        g.trip()
        assert g.store.poll_lease.take(SID, "the watcher")
        runner = Thread(target=lambda: g.drain.run(g.account, 1, "me"))
        runner.start()
        wait_until(lambda: g.truth().queued == 0, "what is known is cancelled")

        g.queue_calls(20)
        for page in g.telephony.queued_calls(SID):
            now_ms = SystemClock().now_ms()
            news = [
                CallEvent(
                    call.call_sid, CallStatus.QUEUED, now_ms, sender=g.account.hasher.sender(call.from_number)
                )
                for call in page.calls
            ]
            g.guard.take(g.account, news, Source.POLL)
            g.store.poll_lease.take(SID, "the watcher")
        wait_until(lambda: g.truth().queued == 0, "and what is found", timeout=4)

        g.store.poll_lease.give_back(SID, "the watcher")
        runner.join(timeout=20)
        assert not runner.is_alive()


def test_a_drain_that_is_done_makes_way_before_twilio_has_said_so_twice(redis_url: str) -> None:
    """Elsewhere calls are being dialled: that nothing is left here is asked for at the next turn."""
    with tripped(redis_url, trip_at(), calls=40) as g:
        g.wakes.wakes.append(("AC" + "f" * 32, 1))
        lists = g.truth().requests.lists

        assert g.drain.run(g.account, 1, "me") is DrainEnd.YIELDED

        assert g.truth().queued == 0
        assert g.truth().requests.lists == lists
        g.wakes.wakes.clear()
        assert g.drain.run(g.account, 1, "me") is DrainEnd.FINISHED
        assert_all_accounted_for(g)
