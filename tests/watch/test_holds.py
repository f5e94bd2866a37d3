"""What holds the guard back: it is told, and it ends."""

from dataclasses import replace

import pytest

from callguard.config.accounts import Account
from callguard.domain.calls import CallEvent, CallStatus
from callguard.domain.decisions import StateLost
from callguard.domain.holds import HoldReason, holds
from callguard.domain.notices import NoticeKind
from callguard.domain.policy import Mode, Policy, Rearm
from callguard.domain.snapshot import Finding, Rule, Snapshot, State, Word
from callguard.domain.sources import Source
from callguard.domain.tally import Outcome
from callguard.domain.wording import checked_reason, printable
from callguard.store.connection import connect
from callguard.store.notices import RedisNotices
from callguard.store.script_connections import ScriptConnections
from callguard.store.scripts import Scripts
from callguard.watch.account_watch import AccountWatch
from callguard.watch.holds import HoldsTask, tell_of_loss
from tests.calls import call_sid, queued
from tests.conftest import ACCOUNT_SID as SID
from tests.conftest import Store
from tests.frozen_clock import FrozenClock
from tests.guarded import Guarded, guarded, trip_at
from tests.outbox import Outbox

FINDING = Finding(Rule.SPIKE, 70.5, 65, "spike_burst", 1_000)
ACCOUNT = Account(SID, ("a" * 32,))


@pytest.fixture
def outbox(redis_url: str) -> RedisNotices:
    """The real outbox: what is told once is dropped there."""
    connection = connect(redis_url, timeout=5.0)
    return RedisNotices(connection, Scripts(ScriptConnections(connect(redis_url, timeout=5.0))))


def told(outbox: RedisNotices) -> list[NoticeKind]:
    return [notice.kind for _, notice in outbox.waiting(100)]


def look(store: Store, clock: FrozenClock, outbox: RedisNotices) -> Snapshot:
    snapshot = store.tracker.snapshot(SID, clock.ms)
    HoldsTask(ACCOUNT, store.incidents, outbox)(snapshot)
    return store.tracker.snapshot(SID, clock.ms)


@pytest.mark.parametrize(("minutes", "told_before"), [(30, 5), (4, 2)])
def test_a_pause_ends_by_itself_and_tells_before(
    store: Store, clock: FrozenClock, outbox: RedisNotices, minutes: int, told_before: int
) -> None:
    until_ms = clock.ms + minutes * 60_000
    store.incidents.pause(SID, "a test", clock.ms, by="anna@web1", until_ms=until_ms)
    clock.pass_seconds((minutes - told_before) * 60 - 1)
    assert look(store, clock, outbox).paused
    assert told(outbox) == []

    clock.pass_seconds(1)
    for _ in range(3):
        assert look(store, clock, outbox).paused
    assert told(outbox) == [NoticeKind.PAUSED]

    clock.ms = until_ms
    assert not look(store, clock, outbox).paused
    look(store, clock, outbox)
    assert told(outbox) == [NoticeKind.PAUSED, NoticeKind.RESUMED]
    assert "by anna@web1: a test" in outbox.waiting(2)[1][1].text


def test_a_pause_whose_time_is_over_lasts_until_the_watcher_has_said_so(store: Store, clock: FrozenClock) -> None:
    store.incidents.pause(SID, "", clock.ms, until_ms=clock.ms + 1000)
    clock.pass_seconds(60)

    assert not store.incidents.trip(SID, 0, FINDING, Mode.ENFORCE, clock.ms)


def test_a_pause_that_was_made_longer_meanwhile_goes_on(
    store: Store, clock: FrozenClock, outbox: RedisNotices
) -> None:
    store.incidents.pause(SID, "", clock.ms, until_ms=clock.ms + 1000)
    before = store.tracker.snapshot(SID, clock.ms)
    clock.pass_seconds(1)
    store.incidents.pause(SID, "", clock.ms, until_ms=clock.ms + 60_000)
    HoldsTask(ACCOUNT, store.incidents, outbox)(replace(before, now_ms=clock.ms))

    assert store.tracker.snapshot(SID, clock.ms).paused


def test_a_pause_without_an_end_has_none(store: Store, clock: FrozenClock, outbox: RedisNotices) -> None:
    store.incidents.pause(SID, "", clock.ms, until_ms=clock.ms + 1000)
    store.incidents.pause(SID, "", clock.ms)
    clock.pass_seconds(7 * 86_400)

    assert look(store, clock, outbox).paused
    assert told(outbox) == []


def test_a_doubt_is_told_at_once_and_each_hour(outbox: RedisNotices, clock: FrozenClock, store: Store) -> None:
    noted = Outbox()
    lost = Snapshot(clock.ms, lost_ms=clock.ms)
    tell_of_loss(outbox, StateLost(SID, True, True, "no process remembers it", "", clock.ms))
    HoldsTask(ACCOUNT, store.incidents, outbox)(lost)
    HoldsTask(ACCOUNT, store.incidents, noted)(lost)

    assert told(outbox) == [NoticeKind.STATE_LOST]
    assert "callguard resume" in noted.posted[0].text


class _Watched:
    """A watch whose parts are real but for Twilio, which it need not ask here."""

    def __init__(self, store: Store, clock: FrozenClock, outbox: RedisNotices, policy: Policy) -> None:
        self.policy, self.store, self.clock, self.outbox = policy, store, clock, outbox

    def watch(self, g: Guarded) -> AccountWatch:
        return AccountWatch(
            Account(SID, ("a" * 32,), policy=self.policy), guard=g.guard, reconciler=g.reconciler,
            tracker=self.store.tracker, incidents=self.store.incidents, drains=g.wakes, notices=self.outbox,
            outages=g.outages,
            clock=self.clock, monotonic=lambda: self.clock.ms / 1000,
        )  # fmt: skip


def cooled(store: Store, clock: FrozenClock, *, capped: bool = False, calls: int = 10) -> None:
    """Trip, drain and cool down."""
    store.tracker.observe(SID, [queued(n, clock.ms) for n in range(calls)], Policy(), clock.ms, Source.POLL)
    store.incidents.trip(SID, 0, FINDING, Mode.ENFORCE, clock.ms)
    store.incidents.start_drain(SID, 1, "me", Mode.ENFORCE)
    for number in range(calls - 5 if capped else calls):
        store.incidents.settle_all(SID, 1, [(call_sid(number), Outcome.CANCELLED)], clock.ms)
    assert store.incidents.finish_drain(SID, 1, "me", clock.ms, capped=capped)


POLICY = Policy(cps=5, rearm=Rearm.MANUAL, quiet_seconds=60, poll_seconds=3600, max_cancellations=5)


def test_an_incident_that_waits_for_a_reset_says_so_once_and_reminds(
    redis_url: str, store: Store, clock: FrozenClock, outbox: RedisNotices
) -> None:
    with guarded(redis_url, trip_at()) as g:
        watch = _Watched(store, clock, outbox, POLICY).watch(g)
        cooled(store, clock)
        watch._advance(store.tracker.snapshot(SID, clock.ms))
        assert told(outbox) == []

        clock.pass_seconds(60)
        for _ in range(3):
            watch._advance(store.tracker.snapshot(SID, clock.ms))
        assert told(outbox) == [NoticeKind.WAITING]
        assert "callguard reset" in outbox.waiting(1)[0][1].text

        (hold,) = holds(store.tracker.snapshot(SID, clock.ms), POLICY)
        assert hold.reason is HoldReason.WAITS_FOR_RESET
        assert "callguard reset" in hold.text


def test_each_cap_is_told(redis_url: str, store: Store, clock: FrozenClock, outbox: RedisNotices) -> None:
    with guarded(redis_url, trip_at()) as g:
        watch = _Watched(store, clock, outbox, POLICY).watch(g)
        cooled(store, clock, capped=True, calls=20)
        for _ in range(3):
            watch._advance(store.tracker.snapshot(SID, clock.ms))
        assert told(outbox) == [NoticeKind.CAPPED]

        assert store.incidents.continue_drain(SID, 1, clock.ms, by="anna@web1")
        store.incidents.start_drain(SID, 1, "me", Mode.ENFORCE)
        store.incidents.settle_all(SID, 1, [(call_sid(16), Outcome.CANCELLED)], clock.ms)
        assert store.incidents.finish_drain(SID, 1, "me", clock.ms, capped=True)
        for _ in range(3):
            watch._advance(store.tracker.snapshot(SID, clock.ms))
        assert told(outbox) == [NoticeKind.CAPPED, NoticeKind.CAPPED]


@pytest.mark.parametrize(
    ("snapshot", "policy", "reasons"),
    [
        (Snapshot(1), Policy(), []),
        (Snapshot(1, State.COOLING, capped=True, mode=Mode.ENFORCE), Policy(rearm=Rearm.MANUAL), ["capped"]),
        (Snapshot(1, State.COOLING, mode=Mode.OBSERVE), Policy(), ["observing"]),
        (Snapshot(1, State.COOLING, mode=Mode.ENFORCE), Policy(rearm=Rearm.MANUAL), ["waits_for_reset"]),
        (Snapshot(1, State.DRAINING, True, mode=Mode.ENFORCE), Policy(), ["paused"]),
        (Snapshot(1), Policy(mode=Mode.OBSERVE), ["observing"]),
        (Snapshot(1, lost_ms=1), Policy(), ["state_lost", "observing"]),
    ],
)
def test_what_holds_the_guard_back(snapshot: Snapshot, policy: Policy, reasons: list[str]) -> None:
    assert [hold.reason.value for hold in holds(snapshot, policy)] == reasons


def test_a_pause_says_who_why_since_when_and_until_when() -> None:
    word = Word("anna@web1", "a test", 1_790_000_000_000, 1_790_000_600_000)
    (hold,) = holds(Snapshot(1, paused=True, pause=word), Policy())

    assert "by anna@web1: a test" in hold.text
    assert "since 2026-09-21 14:13:20 UTC" in hold.text
    assert "2026-09-21 14:23:20 UTC" in hold.text


@pytest.mark.parametrize(
    "text", ["x\x1b[31mred", "two\nlines", "\x07", "\u202ethgir", "two\u2028lines", "x" * 501, "\x9b31m"]
)
def test_a_reason_that_a_terminal_would_obey_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="characters"):
        checked_reason(text)


def test_reasons_are_text() -> None:
    assert checked_reason("  Größe, 100 %, 日本  ") == "Größe, 100 %, 日本"
    assert printable("x\x1b[31mred\n") == "x\N{REPLACEMENT CHARACTER}[31mred\N{REPLACEMENT CHARACTER}"


def _ticking_at(g: Guarded, mode: Mode) -> AccountWatch:
    """A watch that was started anew, with another mode."""
    policy = replace(g.account.policy, mode=mode)
    g.account = Account(g.account.sid, g.account.auth_tokens, policy=policy)
    return AccountWatch(
        g.account, guard=g.guard, reconciler=g.reconciler, tracker=g.store.tracker, incidents=g.store.incidents,
        drains=g.wakes, notices=g.notices, outages=g.outages, clock=g.drain.clock, monotonic=lambda: 0.0,
    )  # fmt: skip


def test_an_observed_incident_that_is_to_be_enforced_is_drained(redis_url: str) -> None:
    with guarded(redis_url, trip_at(cps=1, poll_seconds=3600, mode=Mode.OBSERVE)) as g:
        g.queue_calls(60)
        generation = g.trip()
        g.drain.run(g.account, generation, "me")
        sid = g.account.sid
        observed = g.store.incidents.current(sid)
        assert observed is not None
        assert observed.count(Outcome.OBSERVED) > 50

        _ticking_at(g, Mode.ENFORCE).tick()
        assert (sid, generation) in g.wakes.wakes[1:]
        g.drain.run(g.account, generation, "me")

        incident = g.store.incidents.current(sid)
        assert incident is not None
        assert incident.mode is Mode.ENFORCE
        assert incident.count(Outcome.CANCELLED) == g.truth().cancelled > 50
        assert incident.found == observed.found
        assert NoticeKind.WARNING in [notice.kind for notice in g.notices.posted]


def test_an_enforced_incident_that_is_to_be_observed_stops_cancelling(redis_url: str) -> None:
    with guarded(redis_url, trip_at(cps=1, poll_seconds=3600)) as g:
        g.queue_calls(60)
        generation, sid = g.trip(), g.account.sid
        assert g.store.incidents.start_drain(sid, generation, "me", Mode.ENFORCE)
        (head,) = g.store.tracker.head(sid, 1)
        assert g.store.incidents.settle_all(sid, generation, [(head, Outcome.CANCELLED)], g.drain.clock.now_ms())

        _ticking_at(g, Mode.OBSERVE).tick()

        assert not g.store.incidents.settle_all(sid, generation, (), g.drain.clock.now_ms())
        g.store.incidents.yield_drain(sid, "me")
        g.drain.run(g.account, generation, "me")
        incident = g.store.incidents.current(sid)
        assert incident is not None
        assert (incident.mode, g.truth().cancelled) == (Mode.OBSERVE, 0)
        assert incident.count(Outcome.CANCELLED) == 1
        assert incident.found == sum(incident.outcomes.values())


def test_a_run_that_observed_counts_nothing_after_the_mode_has_changed(store: Store, clock: FrozenClock) -> None:
    store.tracker.observe(SID, [queued(n, clock.ms) for n in range(10)], Policy(), clock.ms, Source.POLL)
    store.incidents.trip(SID, 0, FINDING, Mode.OBSERVE, clock.ms)
    store.incidents.start_drain(SID, 1, "me", Mode.OBSERVE)
    for number in range(4):
        store.incidents.settle_all(SID, 1, [(call_sid(number), Outcome.OBSERVED)], clock.ms)
    gone = [CallEvent(call_sid(0), CallStatus.INITIATED, clock.ms)]
    store.tracker.observe(SID, gone, Policy(), clock.ms, Source.CALLBACK)
    assert store.incidents.change_mode(SID, 1, Mode.ENFORCE)
    store.incidents.settle_all(SID, 1, [(call_sid(2), Outcome.CANCELLED)], clock.ms)
    assert store.incidents.unobserve(SID, 1) == 2
    store.incidents.settle_all(SID, 1, [(call_sid(5), Outcome.OBSERVED)], clock.ms)
    store.incidents.settle_all(SID, 1, [(call_sid(1), Outcome.CANCELLED)], clock.ms)

    incident = store.incidents.current(SID)
    assert incident is not None
    assert incident.outcomes == {Outcome.CANCELLED: 2, Outcome.OBSERVED: 1}
    assert (incident.remaining, incident.found) == (7, 10)
