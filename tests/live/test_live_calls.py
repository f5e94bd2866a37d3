"""Live calls of a runaway against a simulated Twilio: who is hung up on or redirected, and who never is."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Thread
from typing import Any

import pytest
import requests

from callguard.cancel.incident_drain import DrainEnd
from callguard.clock import SystemClock
from callguard.domain.calls import CallEvent, CallStatus
from callguard.domain.campaigns import Campaign
from callguard.domain.incidents import Incident, LiveOutcome, live_summary
from callguard.domain.notices import NoticeKind
from callguard.domain.policy import LiveCalls, Mode, Policy
from callguard.domain.scope import SLACK_MS
from callguard.domain.snapshot import State
from callguard.domain.sources import Source
from callguard.live import live_calls
from callguard.live.live_calls import LiveCallsTask
from callguard.simulator import SANDBOX_AUTH_TOKEN, Behaviour, UpdateRecord
from callguard.store import live_calls as book
from callguard.telephony.http_client import PooledHttpClient
from callguard.telephony.live_calls import TwilioLiveCalls
from tests.guarded import SID, Guarded, guarded, trip_at
from tests.receiver import receiving
from tests.waiting import wait_until

HANGUP, REDIRECT, LEAVE = LiveCalls.HANGUP, LiveCalls.REDIRECT, LiveCalls.LEAVE
TALKING = Behaviour(ring_seconds=0, talk_seconds=600, answered=1, busy=0, no_answer=0, failed=0)
RINGING = replace(TALKING, ring_seconds=600)
RUNAWAY, OTHER = "+15550100000", "+15550109999"
CPS = 40.0


@dataclass
class Live:
    """A tripped guard, and the task that acts on live calls."""

    g: Guarded
    task: LiveCallsTask

    def look(self) -> None:
        self.task(self.g.store.tracker.snapshot(SID, SystemClock().now_ms()))

    def looking(self, condition: Any, description: str) -> None:
        def look_and_see() -> bool:
            self.look()
            return bool(condition())

        wait_until(look_and_see, description, timeout=20)

    def statuses(self, status: str) -> list[str]:
        return [sid for sid, now in self.g.twilio.statuses(SID).items() if now == status]

    def updates(self) -> list[UpdateRecord]:
        return self.g.twilio.updates(SID)

    @property
    def incident(self) -> Incident:
        incident = self.g.store.incidents.current(SID)
        assert incident is not None
        return incident


def policy(live: LiveCalls, **more: Any) -> Policy:
    return trip_at(cps=CPS, live_calls=live, **more)


@contextmanager
def chore_of(redis_url: str, wanted: Policy, behaviour: Behaviour = TALKING, **simulated: Any) -> Iterator[Live]:
    """A guard that is armed, with its task."""
    http_client = PooledHttpClient(timeout=2.0)
    with guarded(redis_url, wanted, behaviour=behaviour, **simulated) as g:
        twilio = TwilioLiveCalls({SID: g.account}, g.twilio.url, http_client, g.telephony)
        store, url = g.store, f"{g.twilio.url}/nothing"
        task = LiveCallsTask(
            g.account, twilio, store.live_calls, store.incidents, store.campaigns, g.notices, SystemClock(), url
        )
        yield Live(g, task)
    http_client.close()


@contextmanager
def tripped(
    redis_url: str, wanted: Policy, behaviour: Behaviour = TALKING, live: int = 10, **simulated: Any
) -> Iterator[Live]:
    """A guard that has tripped on calls of which `live` are live; the others stay queued."""
    with chore_of(redis_url, wanted, behaviour, **simulated) as runaway:
        run_away(runaway, live)
        runaway.g.trip()
        yield runaway


def run_away(runaway: Live, live: int) -> None:
    """Create calls, have some dialled, and the others wait for ever."""
    before = runaway.g.truth().dialled
    runaway.g.twilio.change(SID, cps=CPS)
    runaway.g.queue_calls(60, from_number=RUNAWAY)
    wait_until(lambda: runaway.g.truth().dialled >= before + live, "calls are live")
    stop_dialling(runaway)


def stop_dialling(runaway: Live) -> None:
    """Dial no more, and let the slot pass that was due already."""
    runaway.g.twilio.change(SID, cps=0.001)
    dialled = -1
    while dialled != runaway.g.truth().dialled:
        dialled = runaway.g.truth().dialled
        time.sleep(4 / CPS)


def caller(runaway: Live, from_number: str) -> str:
    """Create one call and wait until it is live."""
    before = set(runaway.g.twilio.statuses(SID))
    runaway.g.twilio.change(SID, cps=CPS)
    runaway.g.queue_calls(1, from_number=from_number)
    (sid,) = set(runaway.g.twilio.statuses(SID)) - before
    wait_until(lambda: runaway.g.twilio.statuses(SID)[sid] == "in-progress", "somebody answers")
    runaway.g.twilio.change(SID, cps=0.001)
    return sid


def assert_adds_up(incident: Incident) -> None:
    """Live calls are no part of what was found."""
    assert incident.found == sum(incident.outcomes.values()) + incident.protected + incident.remaining


def test_hangup_ends_answered_calls_and_no_others(redis_url: str) -> None:
    with tripped(redis_url, policy(HANGUP)) as runaway:
        live, queued = set(runaway.statuses("in-progress")), set(runaway.statuses("queued"))

        runaway.looking(lambda: not runaway.statuses("in-progress"), "all are hung up")

        assert {(r.sid, r.status_sent) for r in runaway.updates()} == {(sid, "completed") for sid in live}
        assert len(runaway.updates()) == len(live), "each is hung up once"
        assert set(runaway.statuses("queued")) == queued, "what is queued is the drain's"
        assert runaway.incident.live == {LiveOutcome.HUNG_UP: len(live)}
        assert_adds_up(runaway.incident)


def test_ringing_calls_are_cancelled_not_completed(redis_url: str) -> None:
    """`completed` would end a call that was answered meanwhile, and may be on hold by now."""
    with chore_of(redis_url, policy(HANGUP), RINGING) as runaway:
        runaway.g.queue_calls(60, from_number=RUNAWAY)
        wait_until(lambda: len(runaway.statuses("ringing")) >= 5, "telephones ring")
        stop_dialling(runaway)
        runaway.g.trip()
        ringing = set(runaway.statuses("ringing"))

        runaway.looking(lambda: not runaway.statuses("ringing"), "none rings any more")

        assert {(r.sid, r.status_sent) for r in runaway.updates()} == {(sid, "canceled") for sid in ringing}
        assert runaway.incident.live == {LiveOutcome.HUNG_UP: len(ringing)}


def test_redirect_sends_answered_calls_once_and_lets_others_ring(redis_url: str) -> None:
    with receiving() as receiver:
        url = f"{receiver.url}/sorry"
        with tripped(redis_url, policy(REDIRECT, live_calls_url=url)) as runaway:
            live = set(runaway.statuses("in-progress"))
            ringing = set(runaway.statuses("ringing"))

            runaway.looking(lambda: len(receiver.requests) >= len(live), "all are redirected")
            for _ in range(3):
                runaway.look()

            assert sorted(r.sid for r in runaway.updates()) == sorted(live)
            assert all(r.redirect and r.status_sent is None for r in runaway.updates())
            assert not ringing & {r.sid for r in runaway.updates()}
            assert {(r.target, r.method) for r in receiver.requests} == {("/sorry", "POST")}
            assert runaway.incident.live == {LiveOutcome.REDIRECTED: len(live)}
            assert live_summary(runaway.incident) == f"{len(live)} redirected"


def test_ringing_calls_are_not_redirected(redis_url: str) -> None:
    with chore_of(redis_url, policy(REDIRECT), RINGING) as runaway:
        runaway.g.queue_calls(60, from_number=RUNAWAY)
        wait_until(lambda: len(runaway.statuses("ringing")) >= 5, "telephones ring")
        stop_dialling(runaway)
        runaway.g.trip()

        runaway.look()

        assert runaway.updates() == []
        assert runaway.incident.live == {}


@pytest.mark.parametrize("live", [LEAVE, HANGUP, REDIRECT])
def test_nobody_on_hold_is_ever_touched(redis_url: str, live: LiveCalls) -> None:
    """Callers of the runaway's own number, on hold and answered from there, through drain and live calls."""
    with receiving() as receiver:
        wanted = policy(live, live_calls_url=receiver.url, never_cancel=(OTHER,))
        with chore_of(redis_url, wanted) as runaway:
            agent = caller(runaway, OTHER)
            run_away(runaway, live=12)
            talking = [sid for sid in runaway.statuses("in-progress") if sid != agent]
            held, answered = set(talking[:5]), talking[0]
            for sid in sorted(held, key=talking.index):
                runaway.g.twilio.put_on_hold(SID, sid, "support")
            generation = runaway.g.trip()

            runaway.look()
            answer_first(runaway, "support", agent)
            assert answered not in runaway.g.twilio.on_hold(SID, "support"), "an agent has taken the call"
            assert runaway.g.drain.run(runaway.g.account, generation, "me") is DrainEnd.FINISHED
            for _ in range(3):
                runaway.look()

            touched = {record.sid for record in runaway.updates()}
            assert not touched & held
            assert len(touched) > 30, "the drain was at work"
            assert {runaway.g.twilio.statuses(SID)[sid] for sid in held} == {"in-progress"}
            sent = {r.status_sent or "redirect" for r in runaway.updates() if r.sid != agent}
            assert (
                sent
                == {LEAVE: {"canceled"}, HANGUP: {"canceled", "completed"}, REDIRECT: {"canceled", "redirect"}}[
                    live
                ]
            )
            assert_adds_up(runaway.incident)


@pytest.mark.parametrize("live", [HANGUP, REDIRECT])
def test_who_is_put_on_hold_while_the_list_is_read_is_not_touched(
    redis_url: str, live: LiveCalls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither is who leaves a hold queue for an agent meanwhile."""
    with receiving() as receiver, tripped(redis_url, policy(live, live_calls_url=receiver.url)) as runaway:
        late, early = runaway.statuses("in-progress")[:2]
        runaway.g.twilio.put_on_hold(SID, early, "sales")
        listed = runaway.task._telephony.live_calls

        def slowly(account_sid: str) -> Any:
            yield from listed(account_sid)
            runaway.g.twilio.put_on_hold(SID, late, "support")
            twiml(runaway, early, "<Response><Dial>+15550102222</Dial></Response>")

        monkeypatch.setattr(runaway.task._telephony, "live_calls", slowly)
        runaway.look()
        monkeypatch.undo()
        runaway.look()

        touched = [record.sid for record in runaway.updates() if record.sid != early]
        assert late not in touched
        assert len(touched) >= 8
        assert [r.status_sent for r in runaway.updates() if r.sid == early] == [None], "ours, above"
        assert {runaway.g.twilio.statuses(SID)[sid] for sid in (late, early)} == {"in-progress"}


def test_many_hold_queues_are_read_too(redis_url: str) -> None:
    with tripped(redis_url, policy(HANGUP), live=35) as runaway:
        held = runaway.statuses("in-progress")[: live_calls.FEW_QUEUES + 5]
        for number, sid in enumerate(held):
            runaway.g.twilio.put_on_hold(SID, sid, f"queue {number}")

        runaway.looking(lambda: len(runaway.statuses("in-progress")) == len(held), "all others are hung up")

        assert not set(held) & {record.sid for record in runaway.updates()}


def answer_first(runaway: Live, queue: str, agent: str) -> None:
    """Let `agent`, a call in progress, answer the first caller of the queue."""
    waiting = len(runaway.g.twilio.on_hold(SID, queue))
    twiml(runaway, agent, f"<Response><Dial><Queue>{queue}</Queue></Dial></Response>")
    assert len(runaway.g.twilio.on_hold(SID, queue)) == waiting - 1


def twiml(runaway: Live, call_sid: str, document: str) -> None:
    """Have a call do something else, as its owner's program would."""
    answer = requests.post(
        f"{runaway.g.twilio.url}/2010-04-01/Accounts/{SID}/Calls/{call_sid}.json",
        data={"Twiml": document},
        auth=(SID, SANDBOX_AUTH_TOKEN),
        timeout=10,
    )
    assert answer.status_code == 200


@pytest.mark.parametrize("live", [HANGUP, REDIRECT])
def test_where_the_hold_queues_cannot_be_read_nothing_is_done(redis_url: str, live: LiveCalls) -> None:
    with tripped(redis_url, policy(live)) as runaway:
        runaway.g.twilio.change_faults(SID, error_rate=1.0)

        runaway.look()

        assert runaway.updates() == []
        (notice,) = [n for n in runaway.g.notices.posted if n.kind is NoticeKind.WARNING]
        assert "live calls are left alone for now" in notice.text


def test_paused_observing_and_armed_guards_do_nothing(redis_url: str) -> None:
    with tripped(redis_url, policy(HANGUP)) as runaway:
        book, now_ms = runaway.g.store.incidents, SystemClock().now_ms()
        before = runaway.g.store.tracker.snapshot(SID, now_ms)

        book.pause(SID, "a test", now_ms)
        runaway.look()
        runaway.task(before)  # it was not paused when the look began
        assert runaway.updates() == []

        book.resume(SID)
        book.rearm(SID, before.generation, "a test", now_ms, force=True)
        runaway.look()
        runaway.task(before)
        assert runaway.updates() == []
        assert runaway.statuses("in-progress")


def test_a_guard_that_observes_touches_nobody(redis_url: str) -> None:
    with tripped(redis_url, policy(HANGUP, mode=Mode.OBSERVE)) as runaway:
        runaway.look()

        assert runaway.updates() == []


def test_leave_asks_twilio_nothing(redis_url: str) -> None:
    with tripped(redis_url, policy(LEAVE)) as runaway:
        lists = runaway.g.truth().requests

        runaway.look()

        assert runaway.g.truth().requests == lists


def test_a_pause_amid_the_work_stops_it(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_calls, "BATCH", 2)
    monkeypatch.setattr(live_calls, "MAX_THREADS", 1)
    with tripped(redis_url, policy(HANGUP), live=20, latency=0.1) as runaway:
        in_progress = len(runaway.statuses("in-progress"))
        hang_up = runaway.task._telephony.hang_up

        def pause_after(account_sid: str, call_sid: str) -> Any:
            reply = hang_up(account_sid, call_sid)
            runaway.g.store.incidents.pause(SID, "enough", SystemClock().now_ms())
            return reply

        monkeypatch.setattr(runaway.task._telephony, "hang_up", pause_after)
        runaway.look()

        assert len(runaway.updates()) == 1
        assert len(runaway.statuses("in-progress")) == in_progress - 1


def test_who_is_spared_older_or_announced_is_left_alone(redis_url: str) -> None:
    with chore_of(redis_url, policy(HANGUP, never_cancel=(OTHER,))) as runaway:
        before = caller(runaway, RUNAWAY)
        time.sleep(SLACK_MS / 1000 + 2)  # Twilio tells whole seconds
        runaway.g.twilio.change(SID, cps=0.001)
        now_ms = SystemClock().now_ms()
        sender = runaway.g.account.hasher.sender("+15550107777")
        campaign = Campaign("c1", 5, 0, sender, "+1555***77", now_ms, now_ms + 600_000, "a test")
        runaway.g.store.campaigns.announce(SID, campaign)
        for number in (RUNAWAY, "+15550107777", OTHER):  # their creation is seen, so the runaway begins with them
            runaway.g.queue_calls(1, from_number=number)
        runaway.g.reconciler.read_queue(runaway.g.account, retire=True)
        _, announced, protected = list(runaway.g.twilio.statuses(SID))[1:]
        unheard = caller(runaway, "+15550107777")
        run_away(runaway, live=10)
        runaway.g.trip()
        left = {before, announced, unheard, protected}
        part = set(runaway.statuses("in-progress")) - left

        runaway.looking(lambda: not part & set(runaway.statuses("in-progress")), "the runaway is hung up on")
        runaway.look()

        assert {record.sid for record in runaway.updates()} == part
        assert left <= set(runaway.statuses("in-progress"))


def test_a_restart_repeats_nothing(redis_url: str) -> None:
    with receiving() as receiver, tripped(redis_url, policy(REDIRECT, live_calls_url=receiver.url)) as runaway:
        runaway.looking(runaway.updates, "they are redirected")
        done = len(runaway.updates())
        task = runaway.task
        for _ in range(3):
            again = LiveCallsTask(
                task._account, task._telephony, task._store, task._incidents, task._campaigns,
                task._notices, task._clock, receiver.url,
            )  # fmt: skip
            Live(runaway.g, again).look()

        assert len(runaway.updates()) == done
        assert runaway.incident.live == {LiveOutcome.REDIRECTED: done}


def test_two_watchers_act_once(redis_url: str) -> None:
    with receiving() as receiver:
        wanted = policy(REDIRECT, live_calls_url=receiver.url)
        with tripped(redis_url, wanted, latency=0.05) as runaway:
            task = runaway.task
            other = LiveCallsTask(
                task._account, task._telephony, task._store, task._incidents, task._campaigns,
                task._notices, task._clock, receiver.url,
            )  # fmt: skip
            live = len(runaway.statuses("in-progress"))
            threads = [Thread(target=Live(runaway.g, one).look) for one in (task, other)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

            sids = [record.sid for record in runaway.updates()]
            assert len(sids) == len(set(sids)) == live


def test_lost_replies_are_looked_into(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hang-up whose reply was lost counts once it is seen to have happened, and is not sent to nobody."""
    monkeypatch.setattr(book, "ATTEMPT_MS", 1)
    with tripped(redis_url, policy(HANGUP)) as runaway:
        live = set(runaway.statuses("in-progress"))
        update = runaway.task._telephony.hang_up

        def lose(account_sid: str, call_sid: str) -> Any:
            runaway.g.twilio.change_faults(SID, lost_reply_rate=1.0)
            try:
                return update(account_sid, call_sid)
            finally:
                runaway.g.twilio.change_faults(SID, lost_reply_rate=0.0)

        monkeypatch.setattr(runaway.task._telephony, "hang_up", lose)
        runaway.looking(lambda: sum(runaway.incident.live.values()) == len(live), "all are accounted for")

        assert runaway.incident.live == {LiveOutcome.HUNG_UP: len(live)}
        assert not runaway.statuses("in-progress")


def test_a_redirect_of_unknown_end_is_not_repeated(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book, "ATTEMPT_MS", 1)
    with receiving() as receiver, tripped(redis_url, policy(REDIRECT, live_calls_url=receiver.url)) as runaway:
        live = len(runaway.statuses("in-progress"))
        redirect = runaway.task._telephony.redirect

        def lose(account_sid: str, call_sid: str, url: str) -> Any:
            runaway.g.twilio.change_faults(SID, lost_reply_rate=1.0)
            try:
                return redirect(account_sid, call_sid, url)
            finally:
                runaway.g.twilio.change_faults(SID, lost_reply_rate=0.0)

        monkeypatch.setattr(live_calls, "MAX_THREADS", 1)
        monkeypatch.setattr(runaway.task._telephony, "redirect", lose)
        runaway.looking(lambda: sum(runaway.incident.live.values()) == live, "all are accounted for")
        runaway.look()

        assert runaway.incident.live == {LiveOutcome.FAILED: live}
        assert len(runaway.updates()) == live


def test_attempts_are_bounded(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book, "ATTEMPT_MS", 1)
    with tripped(redis_url, policy(HANGUP)) as runaway:
        live = set(runaway.statuses("in-progress"))
        update = runaway.task._telephony.hang_up

        def fail(account_sid: str, call_sid: str) -> Any:
            runaway.g.twilio.change_faults(SID, error_rate=1.0)
            try:
                return update(account_sid, call_sid)
            finally:
                runaway.g.twilio.change_faults(SID, error_rate=0.0)

        monkeypatch.setattr(live_calls, "MAX_THREADS", 1)
        monkeypatch.setattr(runaway.task._telephony, "hang_up", fail)
        runaway.looking(lambda: sum(runaway.incident.live.values()) == len(live), "all are given up")
        for _ in range(3):
            runaway.look()

        assert runaway.incident.live == {LiveOutcome.FAILED: len(live)}
        assert len(runaway.updates()) == book.MAX_ATTEMPTS * len(live)
        assert set(runaway.statuses("in-progress")) == live


def test_a_throttled_twilio_is_asked_later(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_calls, "THROTTLED_SECONDS", 0.05)
    with tripped(redis_url, policy(HANGUP), ceiling=3, latency=0.03) as runaway:
        live = len(runaway.statuses("in-progress"))

        runaway.looking(lambda: not runaway.statuses("in-progress"), "all are hung up at last")
        runaway.look()

        assert runaway.g.truth().requests.throttled > 0
        assert runaway.incident.live == {LiveOutcome.HUNG_UP: live}


def test_no_more_than_the_cap(redis_url: str) -> None:
    with tripped(redis_url, policy(HANGUP, max_cancellations=4)) as runaway:
        runaway.look()
        runaway.look()

        assert len(runaway.updates()) == 4
        assert runaway.incident.live == {LiveOutcome.HUNG_UP: 4}


def test_while_cooling_those_who_answer_late_are_hung_up_on(redis_url: str) -> None:
    with tripped(redis_url, policy(HANGUP), replace(TALKING, ring_seconds=2)) as runaway:
        assert runaway.g.drain.run(runaway.g.account, 1, "me") is DrainEnd.FINISHED
        assert runaway.g.store.tracker.snapshot(SID, 0).state is State.COOLING

        runaway.looking(lambda: not runaway.statuses("in-progress") + runaway.statuses("ringing"), "all is quiet")

        assert runaway.incident.live[LiveOutcome.HUNG_UP] >= 10
        assert_adds_up(runaway.incident)


@pytest.mark.parametrize(
    ("live", "mode", "acts"),
    [(HANGUP, Mode.ENFORCE, True), (LEAVE, Mode.ENFORCE, False), (HANGUP, Mode.OBSERVE, False)],
)
def test_a_runaway_without_a_queue_is_ended_as_the_policy_says(
    redis_url: str, live: LiveCalls, mode: Mode, acts: bool
) -> None:
    wanted = policy(live, mode=mode, initiated_burst=20, never_cancel=(OTHER,))
    with chore_of(redis_url, wanted) as runaway:
        protected = caller(runaway, OTHER)
        dial(runaway, 30)

        assert runaway.incident.unqueued
        if acts:
            runaway.looking(lambda: runaway.statuses("in-progress") == [protected], "all but one are hung up")
            assert {r.status_sent for r in runaway.updates()} == {"completed"}
            assert runaway.incident.live == {LiveOutcome.HUNG_UP: 30}
        else:
            runaway.look()
            assert runaway.updates() == []


def dial(runaway: Live, calls: int) -> None:
    """Have so many calls created and dialled, as fast as they come, and let their callbacks trip the guard."""
    g, before = runaway.g, set(runaway.g.twilio.statuses(SID))
    g.twilio.change(SID, cps=1000)
    g.queue_calls(calls, from_number=RUNAWAY)
    wait_until(lambda: len(runaway.statuses("in-progress")) == len(before) + calls, "all are dialled")
    sender = g.account.hasher.of(RUNAWAY, "").sender
    now_ms = SystemClock().now_ms()
    news = [CallEvent(sid, CallStatus.INITIATED, now_ms, sender=sender) for sid in g.twilio.statuses(SID)]
    g.guard.take(g.account, [event for event in news if event.call_sid not in before], Source.CALLBACK)
    g.reconciler.read_queue(g.account, retire=True)
