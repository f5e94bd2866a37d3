"""A guard wired by hand on a private server and a simulated Twilio: all parts real but RQ's wake-up."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from callguard.cancel.incident_drain import IncidentDrain
from callguard.clock import SystemClock
from callguard.config.accounts import Account
from callguard.detect.guard import Guard
from callguard.detect.reported_calls import ReportedCalls
from callguard.domain.policy import Policy
from callguard.mirror.reconcile import Reconciler
from callguard.mirror.twilio_outages import TwilioOutages
from callguard.simulator import (
    SANDBOX_ACCOUNT_SID,
    SANDBOX_AUTH_TOKEN,
    AccountConfig,
    AccountTruth,
    RunningSimulator,
    SimulatorConfig,
    running,
)
from callguard.store.connection import connect
from callguard.store.outages import RedisOutages
from callguard.telephony.calls import TwilioCalls
from callguard.telephony.cancelling import TwilioCanceller
from callguard.telephony.http_client import PooledHttpClient
from callguard.watch.account_watch import AccountWatch
from tests.calls import create_calls
from tests.conftest import Store, build_store
from tests.outbox import Outbox
from tests.waiting import wait_until

SID = SANDBOX_ACCOUNT_SID


@dataclass
class NotedWakes:
    """A wake-up that is only noted."""

    wakes: list[tuple[str, int]] = field(default_factory=list)

    def wake(self, account_sid: str, generation: int) -> bool:
        self.wakes.append((account_sid, generation))
        return True

    def others_wait(self, account_sid: str) -> bool:
        return any(waiting != account_sid for waiting, _ in self.wakes)


@dataclass
class Guarded:
    """A guard, its account, and the simulated Twilio's truth."""

    account: Account
    store: Store
    twilio: RunningSimulator
    telephony: TwilioCalls
    notices: Outbox
    guard: Guard
    reconciler: Reconciler
    drain: IncidentDrain
    wakes: NotedWakes
    watch: AccountWatch
    outages: TwilioOutages
    reports: ReportedCalls

    def truth(self) -> AccountTruth:
        return self.twilio.account(SID)

    def queue_calls(self, count: int, **plan: Any) -> None:
        """Create calls at once and wait until all are queued."""
        create_calls(self.twilio, SID, count, **plan)

    def trip(self) -> int:
        """Read Twilio's queue, which trips the guard, and return the generation."""
        self.reconciler.read_queue(self.account, retire=True)
        ((_, generation),) = self.wakes.wakes[-1:]
        return generation


@contextmanager
def guarded(redis_url: str, policy: Policy, **simulated: Any) -> Iterator[Guarded]:
    """Run a simulated Twilio and wire a guard of one account to it."""
    store = build_store(redis_url)
    account = Account(SID, (SANDBOX_AUTH_TOKEN,), policy=policy)
    http_client = PooledHttpClient(connections=50, timeout=2.0)
    config = SimulatorConfig(accounts=(AccountConfig(cps=policy.cps, **{"latency": 0.01, **simulated}),))
    with running(config) as twilio:
        telephony = TwilioCalls({SID: account}, twilio.url, http_client)
        clock, wakes, notices = SystemClock(), NotedWakes(), Outbox()
        outages = TwilioOutages(RedisOutages(connect(redis_url, timeout=5.0)), notices, clock)
        guard = Guard(store.tracker, store.incidents, wakes, notices, clock)
        reconciler = Reconciler(telephony, store.tracker, guard, clock, store.poll_lease, "tests")
        reports = ReportedCalls(store.reports, store.tracker, guard, telephony, notices, clock)
        watch = AccountWatch(
            account, guard=guard, reconciler=reconciler, tracker=store.tracker, incidents=store.incidents,
            drains=wakes, notices=notices, outages=outages, clock=clock, monotonic=time.monotonic,
            verify_reports=reports.verify,
        )  # fmt: skip
        canceller = partial(TwilioCanceller, {SID: account}, twilio.url, timeout=2.0)
        drain = IncidentDrain(
            canceller, store.tracker, store.incidents, reconciler, wakes, clock, notices, outages
        )
        yield Guarded(
            account, store, twilio, telephony, notices, guard, reconciler, drain, wakes, watch, outages, reports
        )
        wait_until(_no_list_is_read, "no list is read that would hold the next guard's lease")
    http_client.close()


def _no_list_is_read() -> bool:
    return all(thread.name != "list" for thread in threading.enumerate())


def now_ms() -> int:
    return SystemClock().now_ms()


trip_at = partial(Policy, cps=5.0, spike_burst=20, min_backlog=5)


def environ_of_worker(g: Guarded, redis_url: str) -> dict[str, str]:
    """Return the settings of a real cancel worker for this guard."""
    return {
        "TWILIO_ACCOUNT_SID": SID,
        "TWILIO_AUTH_TOKEN": SANDBOX_AUTH_TOKEN,
        "CALLGUARD_PUBLIC_URL": "http://127.0.0.1",
        "CALLGUARD_REDIS_URL": redis_url,
        "CALLGUARD_TWILIO_API_URL": g.twilio.url,
        "CALLGUARD_POLICY__CPS": "1",
    }
