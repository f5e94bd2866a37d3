"""Tasks beside the watch, and the one that reads the hold queues."""

import threading
import time
from dataclasses import dataclass, field

import pytest

from callguard.config.accounts import Account
from callguard.domain.policy import Policy
from callguard.domain.snapshot import Snapshot
from callguard.errors import TwilioUnavailable
from callguard.live.hold_queues import HoldQueuesTask
from callguard.simulator import Behaviour
from callguard.telephony.http_client import PooledHttpClient
from callguard.telephony.live_calls import TwilioLiveCalls
from callguard.watch.background import BackgroundTask
from tests.guarded import SID, guarded
from tests.waiting import wait_until

NOW = Snapshot(0)


@dataclass
class Noted:
    """A task that waits until it is told to go on."""

    every_seconds: float = 0.0
    wanted: bool = True
    error: Exception | None = None
    done: int = 0
    go_on: threading.Event = field(default_factory=threading.Event)

    def wants(self, snapshot: Snapshot) -> bool:
        del snapshot
        return self.wanted

    def __call__(self, snapshot: Snapshot) -> None:
        del snapshot
        assert self.go_on.wait(20)
        self.done += 1
        if self.error is not None:
            raise self.error


def until_done(background: BackgroundTask, task: Noted, times: int) -> None:
    def tick_and_look() -> bool:
        background(NOW)
        return task.done >= times

    wait_until(tick_and_look, f"it is done {times} times")


def test_a_slow_chore_holds_nothing_up_and_is_not_done_twice_at_once() -> None:
    task = Noted()
    background = BackgroundTask("a task", task, time.monotonic)

    for _ in range(5):
        background(NOW)
    task.go_on.set()

    wait_until(lambda: task.done == 1, "it is done")
    until_done(background, task, 2)


def test_it_waits_for_its_turn_and_its_wish() -> None:
    seconds = 100.0
    task = Noted(every_seconds=15.0)
    task.go_on.set()
    background = BackgroundTask("a task", task, lambda: seconds)

    background(NOW)
    wait_until(lambda: task.done == 1, "it is done")
    seconds += 14
    background(NOW)
    seconds += 1
    task.wanted = False
    background(NOW)
    time.sleep(0.05)
    assert task.done == 1

    task.wanted = True
    until_done(background, task, 2)


@pytest.mark.parametrize("error", [TwilioUnavailable("Twilio answered 503"), ZeroDivisionError()])
def test_its_errors_end_nothing(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    task = Noted(error=error)
    task.go_on.set()
    background = BackgroundTask("a task", task, time.monotonic)

    background(NOW)
    until_done(background, task, 3)

    assert "a task" in caplog.text


def test_hold_queues_are_shown_until_they_vanish_or_are_not_wanted(redis_url: str) -> None:
    talking = Behaviour(ring_seconds=0, talk_seconds=600, answered=1, busy=0, no_answer=0, failed=0)
    http_client, policy = PooledHttpClient(timeout=2.0), Policy(cps=50, hold_queues=True)
    with guarded(redis_url, policy, behaviour=talking) as g:
        g.queue_calls(3)
        wait_until(lambda: g.truth().statuses["in-progress"] == 3, "they are answered")
        for sid in list(g.twilio.statuses(SID))[:2]:
            g.twilio.put_on_hold(SID, sid, "callers")
        twilio = TwilioLiveCalls({SID: g.account}, g.twilio.url, http_client, g.telephony)
        task = HoldQueuesTask(g.account, twilio, g.store.hold_queue_sizes)

        assert task.wants(NOW)
        task(NOW)
        assert g.store.readings.read(SID, policy, 0).hold_queues == {"callers": 2}

        g.store.hold_queue_sizes.show(SID, {"gone": 5})
        task(NOW)
        assert g.store.hold_queue_sizes.shown(SID) == {"callers": 2}
        assert g.truth().queued == 0, "who is on hold is in no rate queue"
        assert g.store.tracker.snapshot(SID, 0).depth == 0
        other = Account(SID, ("a" * 32,), policy=Policy())
        assert not HoldQueuesTask(other, twilio, g.store.hold_queue_sizes).wants(NOW)
        assert g.store.readings.read(SID, Policy(), 0).hold_queues == {}

        g.twilio.change_faults(SID, error_rate=1.0)
        with pytest.raises(TwilioUnavailable):
            task(NOW)
        assert g.store.hold_queue_sizes.shown(SID) == {"callers": 2}, "for a minute"
    http_client.close()
