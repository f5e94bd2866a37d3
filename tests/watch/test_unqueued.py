"""A runaway that is dialled as fast as it is created: nothing is queued, and people hear of it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from callguard.detect.guard import Guard
from callguard.domain.calls import CallEvent, CallStatus
from callguard.domain.notices import Notice, NoticeKind
from callguard.domain.policy import Mode, Policy, Rearm, Unqueued
from callguard.domain.snapshot import Rule, State
from callguard.domain.sources import Source
from callguard.domain.tally import Outcome
from callguard.mirror.reconcile import Reconciler
from callguard.store.connection import connect
from callguard.store.notices import RedisNotices
from callguard.store.script_connections import ScriptConnections
from callguard.store.scripts import Scripts
from callguard.watch.account_watch import AccountWatch
from callguard.web.api.account_views import gate_of
from tests.calls import call_sid
from tests.frozen_clock import FrozenClock
from tests.guarded import SID, Guarded, guarded

WIDE = Policy(cps=30, quiet_seconds=30, poll_seconds=5)


@dataclass
class Wide:
    """A guard on an account with calls per second to spare, whose time is moved by hand."""

    g: Guarded
    guard: Guard
    watch: AccountWatch
    notices: RedisNotices
    clock: FrozenClock
    created: int = 0

    @property
    def state(self) -> State:
        return self.g.store.tracker.snapshot(SID, self.clock.ms).state

    @property
    def told(self) -> list[Notice]:
        return [notice for _, notice in self.notices.waiting(100)]

    @property
    def trips(self) -> list[str]:
        return [notice.text for notice in self.told if notice.kind is NoticeKind.TRIPPED]

    @property
    def gate_is_open(self) -> bool:
        return gate_of(self.g.store.tracker.snapshot(SID, self.clock.ms), self.g.account.policy).allowed

    def dial(self, calls: int, *, rate: float = 20, sender: str = "one", to: str = "") -> None:
        """Let `initiated` callbacks come, `rate` a second, and the watch look between them."""
        for _ in range(calls):
            self.created += 1
            sid = call_sid(self.created)
            news = CallEvent(
                sid, CallStatus.INITIATED, self.clock.ms, sender=sender, sender_shown=f"+1***{sender}",
                destination=to,
            )  # fmt: skip
            self.guard.take(self.g.account, [news], Source.CALLBACK)
            self.clock.pass_seconds(1 / rate)
            if self.created % 10 == 0:
                self.watch.tick()

    def wait(self, seconds: float) -> None:
        """Let time pass with nothing but the watch's ticks."""
        for _ in range(round(seconds)):
            self.clock.pass_seconds(1)
            self.watch.tick()


@contextmanager
def wide(redis_url: str, clock: FrozenClock, policy: Policy = WIDE) -> Iterator[Wide]:
    with guarded(redis_url, policy) as g:
        store = g.store
        notices = RedisNotices(
            connect(redis_url, timeout=5.0), Scripts(ScriptConnections(connect(redis_url, timeout=5.0)))
        )
        guard = Guard(store.tracker, store.incidents, g.wakes, notices, clock)
        reconciler = Reconciler(g.telephony, store.tracker, guard, clock, store.poll_lease, "tests")
        watch = AccountWatch(
            g.account, guard=guard, reconciler=reconciler, tracker=store.tracker, incidents=store.incidents,
            drains=g.wakes, notices=notices, outages=g.outages, clock=clock, monotonic=lambda: clock.ms / 1000,
        )  # fmt: skip
        yield Wide(g, guard, watch, notices, clock)


def test_calls_to_one_telephone_are_told_once(redis_url: str, clock: FrozenClock) -> None:
    with wide(redis_url, clock) as w:
        w.dial(900, to="one destination")

        assert w.state is State.TRIPPED
        (text,) = w.trips
        assert (
            "TRIPPED without a queue: rule repeat: 20 reached repeat_limit = 20: one destination was called 20 "
            "times in 1 s;" in text
        )
        assert "20 calls a second are being dialled to one destination, from +1***one (100 %)" in text
        assert "The gate is open" in text
        assert w.gate_is_open
        assert w.g.wakes.wakes == [], "there is nothing to cancel"
        incident = w.g.store.incidents.current(SID)
        assert incident is not None
        assert 800 < incident.count(Outcome.DIALLED) < 900, "all since the trip"
        assert incident.found == incident.count(Outcome.DIALLED)


@pytest.mark.parametrize("mode", list(Mode))
def test_block_shuts_the_gate_unless_the_guard_only_observes(
    redis_url: str, clock: FrozenClock, mode: Mode
) -> None:
    policy = Policy(cps=30, unqueued=Unqueued.BLOCK, mode=mode)
    with wide(redis_url, clock, policy) as w:
        w.dial(60, to="one destination")

        assert w.state is State.TRIPPED
        assert w.gate_is_open is (mode is Mode.OBSERVE)
        assert ("The gate is shut" in w.trips[0]) is (mode is Mode.ENFORCE)


def test_ignore_is_what_it_says(redis_url: str, clock: FrozenClock) -> None:
    with wide(redis_url, clock, Policy(cps=30, unqueued=Unqueued.IGNORE)) as w:
        w.dial(200, to="one destination")

        assert w.state is State.ARMED
        assert w.trips == []


def test_without_a_watcher_the_web_process_decides(redis_url: str, clock: FrozenClock) -> None:
    """Twilio's list is never read, and more callbacks come: after a second and a half that is enough."""
    with wide(redis_url, clock) as w:
        for number in range(200):
            news = CallEvent(call_sid(number), CallStatus.INITIATED, clock.ms, destination="one destination")
            w.guard.take(w.g.account, [news], Source.CALLBACK)
            clock.pass_seconds(0.05)
            if w.trips:
                break

        incident = w.g.store.incidents.current(SID)
        assert incident is not None
        assert incident.finding.rule is Rule.REPEAT
        assert number < 20 + 1.6 / 0.05


def test_many_telephones_trip_it_too(redis_url: str, clock: FrozenClock) -> None:
    """Ten a second on an account that ordinarily makes one now and then."""
    with wide(redis_url, clock) as w:
        begun_ms = clock.ms
        w.dial(300, rate=10)

        incident = w.g.store.incidents.current(SID)
        assert incident is not None
        assert incident.finding.rule is Rule.INITIATED
        assert incident.tripped_ms - begun_ms < 30_000
        assert "to one destination" not in w.trips[0]


def test_it_ends_when_its_rule_has_been_calm(redis_url: str, clock: FrozenClock) -> None:
    with wide(redis_url, clock) as w:
        w.dial(200, to="one destination")
        w.wait(15 + 70)  # a destination's repeats are news for 15 s, and the bucket leaks 65 calls
        assert len(w.g.store.incidents.recent(SID, 1)) == 0

        w.wait(40)

        (closed,) = w.g.store.incidents.recent(SID, 1)
        assert closed.unqueued
        assert closed.reason == "quiet for 30 s"
        assert [notice.kind for notice in w.told][-1] is NoticeKind.ARMED


def test_manual_rearming_waits_for_a_person(redis_url: str, clock: FrozenClock) -> None:
    with wide(redis_url, clock, Policy(cps=30, quiet_seconds=30, rearm=Rearm.MANUAL)) as w:
        w.dial(200, to="one destination")
        w.wait(200)

        assert w.state is State.TRIPPED
        assert "waits for `callguard reset`" in w.told[-1].text
        assert "told to wait" not in w.told[-1].text, "the gate is open"


def test_what_comes_back_within_the_hour_pages_nobody(redis_url: str, clock: FrozenClock) -> None:
    with wide(redis_url, clock) as w:
        w.dial(200, to="one destination")
        w.wait(130)
        (closed,) = w.g.store.incidents.recent(SID, 1)
        w.wait(600)  # so that the same destination is called often anew

        w.dial(200, to="one destination")

        assert w.state is State.TRIPPED
        incident = w.g.store.incidents.current(SID)
        assert incident is not None
        assert incident.id == closed.id
        assert incident.count(Outcome.DIALLED) > closed.count(Outcome.DIALLED)
        assert len(w.trips) == 1


def test_another_number_is_another_incident(redis_url: str, clock: FrozenClock) -> None:
    with wide(redis_url, clock) as w:
        w.dial(200, rate=20)
        w.wait(300)
        assert w.state is State.ARMED

        w.dial(200, rate=20, sender="two")

        assert len(w.trips) == 2
        assert "+1***two (100 %)" in w.trips[1]


def test_a_second_number_joins_the_incident(redis_url: str, clock: FrozenClock) -> None:
    with wide(redis_url, clock) as w:
        w.dial(200)
        w.dial(200, sender="two")

        incident = w.g.store.incidents.current(SID)
        assert incident is not None
        assert incident.scope.senders == {"one", "two"}


def test_people_are_reminded_every_few_hours(redis_url: str, clock: FrozenClock) -> None:
    """The outbox lets one notice through in four hours; the watch asks it once a minute."""
    with wide(redis_url, clock) as w:
        w.dial(100, rate=2)
        redis = connect(redis_url, timeout=5.0)
        w.dial(300, rate=2)
        assert len(w.trips) == 1

        (key,) = redis.keys(f"callguard:{{notices}}:told:{SID}:unqueued:*")
        assert 4 * 3600 - 600 < redis.ttl(key) <= 4 * 3600
        redis.delete(key)  # four hours are over
        w.dial(130, rate=2)
        assert len(w.trips) == 2
        dialled = re.match(
            r"STILL a runaway without a queue, after (\d) min: ([0-9,]+) calls were dialled since it began; "
            r"nothing is queued, so nothing can be cancelled; "
            r"2 calls a second are being dialled, from \+1\*\*\*one",
            w.trips[1],
        )
        assert dialled is not None, w.trips[1]
        incident = w.g.store.incidents.current(SID)
        assert incident is not None
        assert 300 < int(dialled[2]) <= incident.count(Outcome.DIALLED)


def test_a_backlog_that_comes_up_is_cancelled(redis_url: str, clock: FrozenClock) -> None:
    with wide(redis_url, clock, Policy(cps=1, min_backlog=10, quiet_seconds=30)) as w:
        w.dial(100, sender="")
        assert w.state is State.TRIPPED
        assert w.g.wakes.wakes == []

        w.g.queue_calls(40)
        w.wait(2)

        assert set(w.g.wakes.wakes) == {(SID, 1)}
        assert "calls are queued by now: the incident goes on with cancelling them" in w.trips[-1]
        w.g.drain.run(w.g.account, 1, "me")
        assert w.g.truth().cancelled >= 38
        incident = w.g.store.incidents.current(SID)
        assert incident is not None
        assert incident.count(Outcome.CANCELLED) == w.g.truth().cancelled


def test_an_account_whose_everyday_crosses_its_thresholds_is_told_so(redis_url: str, clock: FrozenClock) -> None:
    with wide(redis_url, clock) as w:
        for _day in range(3):
            w.dial(200, rate=20)
            w.wait(250)
            clock.pass_seconds(24 * 3600 - 260)

        warnings = [notice.text for notice in w.told if "wrongly configured" in notice.text]
        assert len(warnings) == 1
        assert "its traffic has crossed initiated_burst on 3 of the last 7 days" in warnings[0]
        assert "write initiated_burst = " in warnings[0]


def test_the_figure_that_is_told_was_observed(redis_url: str, clock: FrozenClock) -> None:
    """The bucket holds 130; what came were 200 at once."""
    with wide(redis_url, clock) as w:
        news = [CallEvent(call_sid(n), CallStatus.INITIATED, clock.ms) for n in range(200)]
        w.guard.take(w.g.account, news, Source.CALLBACK)
        w.watch.tick()

        incident = w.g.store.incidents.current(SID)
        assert incident is not None
        assert incident.finding.observed == pytest.approx(200, abs=2)


def test_a_rule_that_the_last_callback_crossed_is_told_by_the_watcher_that_comes_back(
    redis_url: str, clock: FrozenClock
) -> None:
    with wide(redis_url, clock) as w:
        for number in range(20):
            news = CallEvent(call_sid(number), CallStatus.INITIATED, clock.ms, destination="one destination")
            w.guard.take(w.g.account, [news], Source.CALLBACK)
        clock.pass_seconds(20)
        w.watch.tick()

        assert len(w.trips) == 1


def test_after_a_persons_reset_people_are_paged_anew(redis_url: str, clock: FrozenClock) -> None:
    with wide(redis_url, clock) as w:
        w.dial(100, to="one destination")
        w.g.store.incidents.rearm(SID, 1, "by hand", clock.ms, force=True, by="ann")
        w.dial(100, to="one destination")

        assert len(w.trips) == 2


def test_what_is_only_observed_is_counted_too(redis_url: str, clock: FrozenClock) -> None:
    with wide(redis_url, clock, Policy(cps=30, mode=Mode.OBSERVE)) as w:
        w.dial(200, to="one destination")

        incident = w.g.store.incidents.current(SID)
        assert incident is not None
        assert incident.count(Outcome.DIALLED) > 100
