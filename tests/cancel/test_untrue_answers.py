"""Twilio's lists and replies that are not true: calls left out, a 404, an account that is not ours."""

from dataclasses import replace

from callguard.cancel.incident_drain import DrainEnd
from callguard.cancel.sweep import MAX_UNKNOWN
from callguard.clock import SystemClock
from callguard.domain.calls import CallEvent, CallStatus, ListedPage
from callguard.domain.concurrency import ConcurrencyLimit
from callguard.domain.notices import NoticeKind
from callguard.domain.replies import CancelReply
from callguard.domain.snapshot import State
from callguard.domain.sources import Source
from callguard.domain.tally import Outcome
from callguard.mirror.reconcile import Reconciler
from tests.cancel.intercepted import intercepted, run_to_the_end
from tests.guarded import SID, guarded, now_ms, trip_at
from tests.waiting import wait_until


def test_a_404_that_is_not_true_does_not_leave_calls_queued(redis_url: str) -> None:
    """A replica of Twilio's that lags behind knows nothing of a fresh call."""
    with guarded(redis_url, trip_at(cps=1)) as g:
        g.queue_calls(40)
        g.trip()
        drain, _ = intercepted(g, on_cancel=lambda _, turn: CancelReply.GONE if turn == 1 else None)

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
        drain, _ = intercepted(g, on_cancel=lambda sid, _: asked.append(sid))

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
        drain, telephony = intercepted(g, on_page=hide_some)
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


def test_a_twilio_that_says_queued_at_first_is_not_taken_for_away(redis_url: str) -> None:
    with guarded(redis_url, trip_at(cps=1)) as g:
        g.queue_calls(120)
        g.trip()
        drain, telephony = intercepted(
            g, on_cancel=lambda _, turn: CancelReply.STILL_QUEUED if turn == 1 else None
        )

        assert run_to_the_end(drain, g) is DrainEnd.FINISHED
        assert g.truth().queued == 0
        assert max(telephony.turns.values()) == 2
        assert (g.store.incidents.concurrency(SID) or 100) >= 20


def test_calls_that_have_left_prove_no_backlog(redis_url: str) -> None:
    """Two bursts that were dialled at once are no queue, though the first may still be in the mirror."""
    with guarded(redis_url, trip_at(cps=40, spike_burst=30, min_backlog=25)) as g:
        g.queue_calls(22)
        g.reconciler.read_queue(g.account, retire=True)
        wait_until(lambda: g.truth().queued == 0, "all are dialled")
        g.queue_calls(22)
        for _ in range(2):  # the suspicion, and then the answer to it
            g.reconciler.read_queue(g.account, retire=True)

        snapshot = g.store.tracker.snapshot(SID, now_ms())
        assert (snapshot.state, snapshot.unqueued) == (State.TRIPPED, True)
        assert g.wakes.wakes == []
