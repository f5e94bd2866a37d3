"""What a colleague who tried to break the drain has found; each was true once."""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from threading import Thread
from typing import Any

import pytest

from callguard.cancel import backlog
from callguard.cancel import time_slice as turn
from callguard.cancel.incident_drain import DrainEnd, IncidentDrain, OpenCanceller
from callguard.cancel.needs import CallCanceller
from callguard.cancel.sweep import MAX_UNKNOWN
from callguard.clock import SystemClock
from callguard.domain.calls import CallEvent, CallStatus, ListedPage
from callguard.domain.concurrency import ConcurrencyLimit
from callguard.domain.notices import NoticeKind
from callguard.domain.policy import Mode
from callguard.domain.replies import CancelReply
from callguard.domain.snapshot import State
from callguard.domain.sources import Source
from callguard.domain.tally import Outcome
from callguard.errors import TwilioRefused
from callguard.mirror.reconcile import Reconciler
from callguard.store import retention
from callguard.telephony.calls import TwilioCalls
from tests.guarded import SID, Guarded, guarded, trip_at
from tests.waiting import wait_until


@dataclass
class Meddling:
    """The real adapters, with somebody in between."""

    real: TwilioCalls
    open_canceller: OpenCanceller
    on_cancel: Callable[[str, int], CancelReply | None] = lambda _sid, _turn: None
    on_page: Callable[[ListedPage, int], ListedPage] = lambda page, _turn: page
    turns: dict[str, int] = field(default_factory=dict)
    lists: int = 0

    def queued_calls(self, account_sid: str) -> Iterator[ListedPage]:
        self.lists += 1
        for page in self.real.queued_calls(account_sid):
            yield self.on_page(page, self.lists)

    def cancel(self, account_sid: str, call_sid: str) -> CancelReply:
        return self.real.cancel(account_sid, call_sid)

    def look_up(self, account_sid: str, call_sid: str) -> CancelReply:
        return self.real.look_up(account_sid, call_sid)

    @asynccontextmanager
    async def canceller(self) -> AsyncIterator[CallCanceller]:
        async with self.open_canceller() as canceller:
            yield MeddlingCanceller(self, canceller)


@dataclass
class MeddlingCanceller:
    """The canceller, with the same in between."""

    meddling: Meddling
    real: CallCanceller

    async def cancel(self, account_sid: str, call_sid: str) -> CancelReply:
        turns = self.meddling.turns
        turns[call_sid] = turns.get(call_sid, 0) + 1
        reply = self.meddling.on_cancel(call_sid, turns[call_sid])
        return reply or await self.real.cancel(account_sid, call_sid)

    async def look_up(self, account_sid: str, call_sid: str) -> CancelReply:
        return await self.real.look_up(account_sid, call_sid)


def meddled(g: Guarded, **meddling: Any) -> tuple[IncidentDrain, Meddling]:
    telephony = Meddling(g.telephony, g.drain.canceller, **meddling)
    reconciler = Reconciler(telephony, g.store.tracker, g.guard, SystemClock(), g.store.poll_lease, "other")
    drain = IncidentDrain(
        telephony.canceller,
        g.store.tracker,
        g.store.incidents,
        reconciler,
        g.wakes,
        SystemClock(),
        g.notices,
        g.outages,
    )
    return drain, telephony


def run_to_the_end(drain: IncidentDrain, g: Guarded, runs: int = 6) -> DrainEnd:
    for _ in range(runs):
        end = drain.run(g.account, 1, "me")
        if end is not DrainEnd.YIELDED:
            return end
    return end


def test_a_404_that_is_not_true_does_not_leave_calls_queued(redis_url: str) -> None:
    """A replica of Twilio's that lags behind knows nothing of a fresh call."""
    with guarded(redis_url, trip_at(cps=1)) as g:
        g.queue_calls(40)
        g.trip()
        drain, _ = meddled(g, on_cancel=lambda _, turn: CancelReply.GONE if turn == 1 else None)

        assert run_to_the_end(drain, g) is DrainEnd.FINISHED
        incident = g.store.incidents.current(SID)
        assert g.truth().queued == 0
        assert incident is not None
        assert incident.count(Outcome.CANCELLED) == g.truth().cancelled


def test_calls_that_twilio_does_not_know_end_the_sweep(redis_url: str) -> None:
    """What we take for the queue is another account's, or region's: Twilio's list says what there is."""
    with guarded(redis_url, trip_at(cps=1)) as g:
        g.queue_calls(40)
        long_ago = SystemClock().now_ms() - 15_000
        unknown = [CallEvent(f"CA{n:032x}", CallStatus.QUEUED, long_ago) for n in range(300)]
        g.guard.take(g.account, unknown, Source.CALLBACK)
        g.reconciler.read_queue(g.account, retire=False)
        asked: list[str] = []
        drain, _ = meddled(g, on_cancel=lambda sid, _: asked.append(sid))

        assert run_to_the_end(drain, g) is DrainEnd.FINISHED

        not_known = {call.call_sid for call in unknown} & set(asked)
        assert MAX_UNKNOWN <= len(not_known) <= MAX_UNKNOWN + ConcurrencyLimit().ceiling
        assert len(not_known) < 150, "the list has shown none of them"
        (notice,) = [n for n in g.notices.posted if "knows none of the first 20 calls" in n.text]
        assert notice.kind is NoticeKind.WARNING
        incident = g.store.incidents.current(SID)
        assert incident is not None
        assert g.truth().queued == 0, "what the list shows is cancelled all the same"
        assert incident.count(Outcome.GONE) == 300
        assert incident.count(Outcome.CANCELLED) == g.truth().cancelled


def test_calls_that_one_list_has_left_out_are_cancelled_all_the_same(redis_url: str) -> None:
    def hide_some(page: ListedPage, turn: int) -> ListedPage:
        return replace(page, calls=[]) if turn <= 2 else page

    with guarded(redis_url, trip_at(cps=1)) as g:
        g.queue_calls(40)
        g.trip()
        drain, telephony = meddled(g, on_page=hide_some)
        g.reconciler.read_queue(g.account, retire=True)
        Reconciler(telephony, g.store.tracker, g.guard, SystemClock(), g.store.poll_lease, "other").read_queue(
            g.account, retire=True
        )
        g.store.tracker.retire(SID, g.store.tracker.head(SID, 20))
        run_to_the_end(drain, g)
        g.reconciler.read_queue(g.account, retire=True)
        if g.store.incidents.reopen(SID, 1):
            run_to_the_end(drain, g)

        assert g.truth().queued == 0


def test_an_outage_does_not_pass_for_the_cap(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn, "MAX_SECONDS", 2.0)
    with guarded(redis_url, trip_at(cps=1, max_cancellations=40)) as g:
        g.queue_calls(150)
        g.trip()
        g.twilio.change_faults(SID, error_rate=1.0)
        assert g.drain.run(g.account, 1, "me") is DrainEnd.YIELDED
        g.twilio.change_faults(SID, error_rate=0.0)

        assert run_to_the_end(g.drain, g) is DrainEnd.CAPPED
        assert g.truth().cancelled == 40


def test_an_outage_is_no_storm_of_requests(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn, "MAX_SECONDS", 2.0)
    with guarded(redis_url, trip_at(cps=1)) as g:
        g.queue_calls(150)
        g.trip()
        g.twilio.change_faults(SID, error_rate=1.0)
        before = g.truth().requests.errors
        g.drain.run(g.account, 1, "me")

        assert g.truth().requests.errors - before < 150


def test_one_call_that_twilio_always_refuses_does_not_keep_the_drain_going(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "INITIAL_PAUSE_SECONDS", 0.01)
    with guarded(redis_url, trip_at(cps=1)) as g:
        g.queue_calls(40)
        g.trip()
        poison = g.store.tracker.head(SID, 40)[-1]

        def refuse(call_sid: str, _turn: int) -> CancelReply | None:
            if call_sid == poison:
                raise TwilioRefused("Twilio answered 400, code 21218", 21218, 400)
            return None

        drain, telephony = meddled(g, on_cancel=refuse)

        assert run_to_the_end(drain, g) is DrainEnd.FINISHED
        incident = g.store.incidents.current(SID)
        assert incident is not None
        assert incident.count(Outcome.FAILED) == 1
        assert telephony.turns[poison] == backlog.MAX_ATTEMPTS
        assert g.truth().queued == 1


def test_a_list_that_takes_longer_than_the_lease_is_waited_for(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "LEASE_MS", 600)
    monkeypatch.setattr("callguard.store.incidents.LEASE_MS", 600)
    monkeypatch.setattr("callguard.cancel.incident_drain.KEEP_EVERY_SECONDS", 0.1)

    def slow(page: ListedPage, _turn: int) -> ListedPage:
        time.sleep(1.0)
        return page

    with guarded(redis_url, trip_at(cps=1)) as g:
        g.queue_calls(40)
        g.trip()
        drain, _ = meddled(g, on_page=slow)

        assert drain.run(g.account, 1, "me") is DrainEnd.FINISHED
        assert g.truth().queued == 0


def test_ordinary_traffic_does_not_put_off_the_arming(redis_url: str) -> None:
    with guarded(redis_url, trip_at(cps=1, quiet_seconds=2)) as g:
        g.queue_calls(60)
        g.trip()
        g.drain.run(g.account, 1, "me")

        def next_second() -> bool:
            """One call a second, as many as `spike_rate` allows; each reopens the drain."""
            g.queue_calls(1)
            time.sleep(1.0)
            g.watch.tick()
            if g.store.tracker.snapshot(SID, _now()).state is State.DRAINING:
                g.drain.run(g.account, 1, "me")
                g.watch.tick()
            return g.store.tracker.snapshot(SID, _now()).state is State.ARMED

        wait_until(next_second, "the guard is armed again", timeout=15)


def test_observing_makes_one_incident_of_one_backlog(redis_url: str) -> None:
    with guarded(redis_url, trip_at(cps=1, quiet_seconds=1, mode=Mode.OBSERVE)) as g:
        g.queue_calls(80)
        g.trip()
        g.drain.run(g.account, 1, "me")
        deadline = time.monotonic() + 4
        while time.monotonic() < deadline:
            g.watch.tick()
            time.sleep(0.05)

        assert g.store.tracker.snapshot(SID, _now()).generation == 1


def test_a_number_that_is_protected_later_is_protected(redis_url: str) -> None:
    with guarded(redis_url, trip_at(cps=1, spike_burst=1000)) as g:
        g.queue_calls(10, from_number="+15559990000")
        g.reconciler.read_queue(g.account, retire=True)
        assert g.store.tracker.snapshot(SID, _now()).spared == 0

        policy = replace(g.account.policy, never_cancel=("+1555999*",))
        g.reconciler.read_queue(replace(g.account, policy=policy), retire=True)

        snapshot = g.store.tracker.snapshot(SID, _now())
        assert (snapshot.cancellable, snapshot.spared) == (0, g.truth().queued)


def test_switching_to_observe_stops_an_incident_that_cancels(redis_url: str) -> None:
    with guarded(redis_url, trip_at(cps=1)) as g:
        g.queue_calls(60)
        g.trip()
        observing = replace(g.account, policy=replace(g.account.policy, mode=Mode.OBSERVE))

        assert g.drain.run(observing, 1, "me") is DrainEnd.FINISHED
        assert g.twilio.updates(SID) == []


def test_calls_that_have_left_prove_no_backlog(redis_url: str) -> None:
    """Two bursts that were dialled at once are no queue, though the first may still be in the mirror."""
    with guarded(redis_url, trip_at(cps=40, spike_burst=30, min_backlog=25)) as g:
        g.queue_calls(22)
        g.reconciler.read_queue(g.account, retire=True)
        wait_until(lambda: g.truth().queued == 0, "all are dialled")
        g.queue_calls(22)
        for _ in range(2):  # the suspicion, and then the answer to it
            g.reconciler.read_queue(g.account, retire=True)

        snapshot = g.store.tracker.snapshot(SID, _now())
        assert (snapshot.state, snapshot.unqueued) == (State.TRIPPED, True)
        assert g.wakes.wakes == []


def test_a_reset_in_the_middle_leaves_a_true_account(redis_url: str) -> None:
    with guarded(redis_url, trip_at(cps=1)) as g:
        g.queue_calls(200)
        g.trip()

        def reset_after_thirty(call_sid: str, _turn: int) -> CancelReply | None:
            if len(g.twilio.updates(SID)) >= 30:
                g.store.incidents.rearm(SID, 1, "reset", _now(), force=True)
            return None

        drain, _ = meddled(g, on_cancel=reset_after_thirty)
        assert drain.run(g.account, 1, "me") is not DrainEnd.FINISHED

        (closed,) = g.store.incidents.recent(SID, 1)
        assert closed.count(Outcome.CANCELLED) == g.truth().cancelled
        assert closed.remaining == pytest.approx(g.truth().queued, abs=1)


def test_one_call_that_is_denied_does_not_stop_the_others(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "INITIAL_PAUSE_SECONDS", 0.01)
    with guarded(redis_url, trip_at(cps=0.1)) as g:  # so that it is not dialled meanwhile
        g.queue_calls(60)
        g.trip()
        (poison,) = g.store.tracker.head(SID, 1)

        def deny(call_sid: str, _turn: int) -> CancelReply | None:
            if call_sid == poison:
                raise TwilioRefused("Twilio answered 403, code 20003", 20003, 403)
            return None

        drain, _ = meddled(g, on_cancel=deny)

        assert run_to_the_end(drain, g) is DrainEnd.FINISHED
        incident = g.store.incidents.current(SID)
        assert incident is not None
        assert incident.count(Outcome.FAILED) == 1
        assert incident.count(Outcome.CANCELLED) == g.truth().cancelled


def test_what_twilio_itself_has_not_refused_is_tried_again(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy's 404 or 408 has no Twilio code, and says nothing of the call."""
    monkeypatch.setattr(backlog, "INITIAL_PAUSE_SECONDS", 0.01)

    def weather(_sid: str, turn: int) -> CancelReply | None:
        if turn <= 3:
            raise TwilioRefused("Twilio answered 408, code 0", 0, 408)
        return None

    with guarded(redis_url, trip_at(cps=1)) as g:
        g.queue_calls(40)
        g.trip()
        drain, _ = meddled(g, on_cancel=weather)

        assert run_to_the_end(drain, g) is DrainEnd.FINISHED
        incident = g.store.incidents.current(SID)
        assert incident is not None
        assert incident.count(Outcome.FAILED) == 0
        assert g.truth().queued == 0


def test_a_twilio_that_says_queued_at_first_is_not_taken_for_away(redis_url: str) -> None:
    with guarded(redis_url, trip_at(cps=1)) as g:
        g.queue_calls(120)
        g.trip()
        drain, telephony = meddled(g, on_cancel=lambda _, turn: CancelReply.STILL_QUEUED if turn == 1 else None)

        assert run_to_the_end(drain, g) is DrainEnd.FINISHED
        assert g.truth().queued == 0
        assert max(telephony.turns.values()) == 2
        assert (g.store.incidents.concurrency(SID) or 100) >= 20


def test_who_is_protected_after_a_restart_is_not_cancelled_from_memory(redis_url: str) -> None:
    with guarded(redis_url, trip_at(cps=1)) as g:
        g.queue_calls(60, from_number="+15559990000")
        g.trip()
        policy = replace(g.account.policy, never_cancel=("+1555999*",))

        assert g.drain.run(replace(g.account, policy=policy), 1, "me") is DrainEnd.FINISHED
        assert g.twilio.updates(SID) == []
        assert g.store.tracker.snapshot(SID, _now()).spared == g.truth().queued


def test_who_is_protected_amid_a_sweep_is_soon_left_alone(redis_url: str) -> None:
    """What was read ahead of the requests is read again."""
    with guarded(redis_url, trip_at(cps=1), latency=0.1, ceiling=3) as g:
        g.queue_calls(150)
        g.trip()
        runner = Thread(target=lambda: g.drain.run(g.account, 1, "me"))
        runner.start()
        wait_until(lambda: g.truth().cancelled > 5, "the drain is at work")
        protected = g.store.tracker.head(SID, 150)[60:110]
        g.store.tracker.spare(SID, [(sid, "") for sid in protected], spared=True)
        wait_until(lambda: g.truth().queued <= len(protected), "the others are cancelled", timeout=25)
        g.store.incidents.pause(SID, "enough", _now())
        runner.join(timeout=20)

        assert {record.sid for record in g.twilio.updates(SID)}.isdisjoint(protected)


def test_observing_a_long_queue_comes_to_its_end(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callguard.cancel.incident_drain.OBSERVED_AT_ONCE", 10)
    with guarded(redis_url, trip_at(cps=1, mode=Mode.OBSERVE)) as g:
        g.queue_calls(155)
        g.trip()

        assert g.drain.run(g.account, 1, "me") is DrainEnd.FINISHED
        incident = g.store.incidents.current(SID)
        assert incident is not None
        assert incident.found == incident.count(Outcome.OBSERVED) == g.truth().queued


def test_a_turn_does_not_wait_for_a_list_that_does_not_come(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn, "MAX_SECONDS", 1.5)

    def never(page: ListedPage, _turn: int) -> ListedPage:
        time.sleep(8)
        return page

    with guarded(redis_url, trip_at(cps=1)) as g:
        g.queue_calls(40)
        g.trip()
        drain, _ = meddled(g, on_page=never)
        began = time.monotonic()

        assert drain.run(g.account, 1, "me") is DrainEnd.YIELDED
        assert time.monotonic() - began < 6
        assert g.truth().queued == 0


def _now() -> int:
    return time.time_ns() // 1_000_000


def test_a_token_that_is_revoked_in_mid_sweep_is_told_and_its_return_too(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(backlog, "INITIAL_PAUSE_SECONDS", 0.01)
    with guarded(redis_url, trip_at(cps=1)) as g:
        g.queue_calls(90)
        g.trip()
        is_revoked = False

        def deny(_sid: str, _turn: int) -> CancelReply | None:
            nonlocal is_revoked
            if is_revoked or len(g.twilio.updates(SID)) >= 20:
                is_revoked = True
                raise TwilioRefused("Twilio answered 401, code 20003", 20003, 401)
            return None

        drain, meddling = meddled(g, on_cancel=deny)
        for _ in range(3):
            assert drain.run(g.account, 1, "me") is DrainEnd.STOPPED

        denied = [notice for notice in g.notices.posted if notice.kind is NoticeKind.DENIED]
        assert {notice.text.partition(".")[0] for notice in denied} == {
            "Twilio refuses our credentials (401 or 403) for cancelling"
        }
        assert len({g.notices.onces[g.notices.posted.index(notice)] for notice in denied}) == 1
        meddling.on_cancel = lambda _sid, _turn: None
        assert run_to_the_end(drain, g) is DrainEnd.FINISHED

        kinds = [notice.kind for notice in g.notices.posted]
        assert kinds[-2:] == [NoticeKind.DENIED, NoticeKind.DONE]
        assert "Twilio accepts our credentials again" in g.notices.posted[-2].text
        incident = g.store.incidents.current(SID)
        assert incident is not None
        assert incident.tally.summary() in g.notices.posted[-1].text
