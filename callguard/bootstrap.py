"""Builds the parts of each kind of process from the settings. No other module builds them.

Nothing is sent to Redis or Twilio while something is built. Every builder may raise `NoRedisUrl`, or
`ConfigurationError` for a Redis URL that the client library does not take.
"""

import os
import secrets
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache, partial
from typing import Any

from callguard.cancel.incident_drain import IncidentDrain
from callguard.cancel.single_cancel import SingleCancel
from callguard.clock import SystemClock
from callguard.config.accounts import Account
from callguard.config.errors import ConfigurationError
from callguard.config.fingerprint import fingerprint
from callguard.config.settings import Settings
from callguard.config.urls import under
from callguard.detect.campaigns import AnnouncedCampaigns
from callguard.detect.control import GuardControl
from callguard.detect.group_commit import GroupCommit
from callguard.detect.guard import Guard
from callguard.detect.reported_calls import ReportedCalls
from callguard.domain.culprits import Culprit
from callguard.domain.processes import Fingerprint
from callguard.domain.snapshot import Rule, Snapshot
from callguard.domain.sources import Source
from callguard.errors import NoRedisUrl
from callguard.jobs.drain_queue import QUEUE_NAME, RqDrainQueue, connect_for_jobs, drain_queue
from callguard.live.hold_queues import HoldQueuesTask
from callguard.live.live_calls import LiveCallsTask
from callguard.metrics.collector import GuardCollector
from callguard.mirror.reconcile import Reconciler
from callguard.mirror.twilio_outages import TwilioOutages
from callguard.notify.apprise import AppriseNotifier
from callguard.redis_client import problems_of
from callguard.relaying import start_relay
from callguard.startup import redis_urls_with_options
from callguard.store.stores import Stores, open_stores
from callguard.telephony.calls import TwilioCalls
from callguard.telephony.cancelling import TwilioCanceller
from callguard.telephony.http_client import PooledHttpClient
from callguard.telephony.live_calls import TwilioLiveCalls
from callguard.telephony.signature import APOLOGY_PATH, CallbackAuthenticator
from callguard.watch.account_watch import AccountWatch
from callguard.watch.background import BackgroundTask
from callguard.watch.holds import HoldsTask, tell_of_loss
from callguard.watch.housekeeping import Housekeeping
from callguard.watch.leased_relay import LeasedRelay, RelayStarter
from callguard.watch.long_turns import LongTurns
from callguard.watch.missing_callbacks import MissingCallbacks
from callguard.watch.process_watch import ProcessWatch
from callguard.watch.progress import Progress
from callguard.watch.warnings import Warnings
from callguard.watch.watcher import Watcher

WEB_PATIENCE_SECONDS = 0.4
"""Seconds that one call to Redis may take. A callback may wait for two: its own and the one before.

Twilio needs the answer within a second: slow answers lose later callbacks (Twilio's error 15002)."""

JOB_PATIENCE_SECONDS = 2.0

SINGLE_CANCEL_TIMEOUT_SECONDS = 1.5
"""Seconds that Twilio may take for each answer about a single call, while a person waits for the guard's."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What every process has."""

    settings: Settings
    clock: SystemClock
    stores: Stores
    drains: RqDrainQueue
    fingerprint: Callable[[], Fingerprint]

    @property
    def accounts(self) -> Mapping[str, Account]:
        """The guarded accounts by SID."""
        return self.settings.accounts

    def process_watch(self) -> ProcessWatch:
        """Return the watch that notices processes which have fallen silent."""
        return ProcessWatch(self.stores.heartbeats, self.stores.notices, self.clock, time.monotonic)

    def relay_starter(self) -> RelayStarter:
        """Return what sees that notices are relayed, for a process that may not wait for receivers."""
        return RelayStarter(self.stores.relay_lease, self.stores.notices, start_relay, process_name)


@dataclass(frozen=True, slots=True)
class WebParts(Parts):
    """What a web process has: callbacks, events, reports and questions in, metrics out."""

    authenticator: CallbackAuthenticator
    callbacks: GroupCommit
    reports: ReportedCalls
    campaigns: AnnouncedCampaigns
    single_cancel: SingleCancel
    collector: GuardCollector


@dataclass(frozen=True, slots=True)
class WatcherParts(Parts):
    """What a watcher's process has."""

    watcher: Watcher
    relay: LeasedRelay


@dataclass(frozen=True, slots=True)
class DrainParts(Parts):
    """What a cancel worker has, and each of its jobs."""

    incident_drain: IncidentDrain


@dataclass(frozen=True, slots=True)
class ConsoleParts(Parts):
    """What a command has that looks at a guard, or steers it."""

    telephony: TwilioCalls
    canceller: Callable[[], TwilioCanceller]
    control: GuardControl
    campaigns: AnnouncedCampaigns


def build_web(settings: Settings, *, patience: float = WEB_PATIENCE_SECONDS) -> WebParts:
    """Return the parts of a web process; `patience` bounds each wait for Redis, in seconds."""
    built = _build(settings, patience)
    parts, stores, clock = built.parts, built.parts.stores, built.parts.clock
    impatient = PooledHttpClient(connections=10, timeout=SINGLE_CANCEL_TIMEOUT_SECONDS)
    single = TwilioCalls(settings.accounts, settings.twilio_api_url, impatient)
    return WebParts(
        **_fields(parts),
        authenticator=CallbackAuthenticator(settings.public_url, settings.accounts),
        callbacks=GroupCommit(partial(built.guard.take, source=Source.CALLBACK)),
        reports=built.reports,
        campaigns=_campaigns(parts),
        single_cancel=SingleCancel(
            settings.accounts, single, stores.tracker, clock, partial(built.guard.count, source=Source.REPORT)
        ),
        collector=GuardCollector(
            settings.accounts,
            stores.readings,
            stores.heartbeats,
            parts.drains,
            clock,
            QUEUE_NAME,
            stores.notices,
            parts.fingerprint,
            stores.api_refusals,
        ),
    )


def build_watcher(settings: Settings) -> WatcherParts:
    """Return the parts of a watcher's process. Its watcher shares the accounts with others."""
    built = _build(settings, JOB_PATIENCE_SECONDS)
    parts, stores, clock = built.parts, built.parts.stores, built.parts.clock
    stores.decisions.go_first()
    live = TwilioLiveCalls(settings.accounts, settings.twilio_api_url, built.http_client, built.telephony)
    return WatcherParts(
        **_fields(parts),
        watcher=Watcher(
            process_name(),
            {sid: _account_watch(built, live, account) for sid, account in settings.accounts.items()},
            stores.account_leases,
            stores.tracker,
            stores.news,
            stores.heartbeats,
            clock,
            LongTurns(stores.notices, clock, time.monotonic),
            follow=stores.decisions.follow,
        ),
        relay=LeasedRelay(
            process_name(), stores.relay_lease, stores.notices, AppriseNotifier(settings.notify_urls), clock
        ),
    )


def build_drain(settings: Settings, *, owner: str | None = None) -> DrainParts:
    """Return the parts of a cancel worker, or of its job, which holds leases as `owner`."""
    built = _build(settings, JOB_PATIENCE_SECONDS, owner)
    parts, stores = built.parts, built.parts.stores
    return DrainParts(
        **_fields(parts),
        incident_drain=IncidentDrain(
            partial(TwilioCanceller, settings.accounts, settings.twilio_api_url),
            stores.tracker,
            stores.incidents,
            built.reconciler,
            parts.drains,
            parts.clock,
            stores.notices,
            built.outages,
        ),
    )


def build_console(settings: Settings) -> ConsoleParts:
    """Return the parts of a command that looks at a guard, or steers it."""
    built = _build(settings, JOB_PATIENCE_SECONDS)
    parts, stores = built.parts, built.parts.stores
    return ConsoleParts(
        **_fields(parts),
        telephony=built.telephony,
        canceller=partial(TwilioCanceller, settings.accounts, settings.twilio_api_url),
        control=GuardControl(stores.incidents, stores.notices, stores.decisions, parts.clock, stores.news.tell),
        campaigns=_campaigns(parts),
    )


@dataclass(frozen=True, slots=True)
class _Built:
    """The parts of every process, and the objects from which the builders make the further parts."""

    parts: Parts
    http_client: PooledHttpClient
    telephony: TwilioCalls
    guard: Guard
    reports: ReportedCalls
    reconciler: Reconciler
    outages: TwilioOutages


def _build(settings: Settings, patience: float, owner: str | None = None) -> _Built:
    url = _redis_url(settings)
    clock, name, of_settings = SystemClock(), owner or process_name(), cache(partial(fingerprint, settings))
    stores = open_stores(
        url,
        patience=patience,
        clock=clock,
        process=name,
        fingerprint=of_settings,
        data_dir=settings.data_dir,
        tell_loss=tell_of_loss,
    )
    drains = RqDrainQueue(drain_queue(connect_for_jobs(settings.queue_redis_url or url, timeout=patience)))
    http_client = PooledHttpClient()
    telephony = TwilioCalls(settings.accounts, settings.twilio_api_url, http_client)
    guard = Guard(stores.tracker, stores.incidents, drains, stores.notices, clock, stores.news.tell)
    return _Built(
        Parts(settings, clock, stores, drains, of_settings),
        http_client,
        telephony,
        guard,
        ReportedCalls(stores.reports, stores.tracker, guard, telephony, stores.notices, clock),
        Reconciler(telephony, stores.tracker, guard, clock, stores.poll_lease, name),
        TwilioOutages(stores.outages, stores.notices, clock),
    )


def _redis_url(settings: Settings) -> str:
    if settings.redis_url is None:
        raise NoRedisUrl(
            "CALLGUARD_REDIS_URL is not set. Write for example CALLGUARD_REDIS_URL=redis://localhost:6379/0, "
            "or run `callguard up`, which starts an embedded Valkey."
        )
    if wrong := list(problems_of(redis_urls_with_options(settings))):
        raise ConfigurationError.of(wrong)
    return settings.redis_url


def _fields(parts: Parts) -> dict[str, Any]:
    return {field.name: getattr(parts, field.name) for field in fields(parts)}


def _campaigns(parts: Parts) -> AnnouncedCampaigns:
    stores = parts.stores
    return AnnouncedCampaigns(stores.campaigns, stores.notices, stores.decisions, parts.clock)


def _account_watch(built: _Built, live: TwilioLiveCalls, account: Account) -> AccountWatch:
    stores, clock = built.parts.stores, built.parts.clock
    return AccountWatch(
        account,
        guard=built.guard,
        reconciler=built.reconciler,
        tracker=stores.tracker,
        incidents=stores.incidents,
        drains=built.parts.drains,
        notices=stores.notices,
        outages=built.outages,
        clock=clock,
        monotonic=time.monotonic,
        tasks=_tasks(built, live, account),
        decisions=stores.decisions,
        verify_reports=built.reports.verify,
    )


def _tasks(built: _Built, live: TwilioLiveCalls, account: Account) -> Sequence[Callable[[Snapshot], None]]:
    stores, clock = built.parts.stores, built.parts.clock
    notices, tracker = stores.notices, stores.tracker

    def count(rule: str) -> None:
        tracker.count(account.sid, f"warnings:{rule}")

    def culprits(rule: Rule) -> Sequence[Culprit]:
        return tracker.culprits(account.sid, rule, account.policy, clock.now_ms())

    live_calls = LiveCallsTask(
        account,
        live,
        stores.live_calls,
        stores.incidents,
        stores.campaigns,
        notices,
        clock,
        under(built.parts.settings.public_url, APOLOGY_PATH),
    )
    hold_queues = HoldQueuesTask(account, live, stores.hold_queue_sizes)
    return (
        partial(Warnings(account, notices, count).look, culprits=culprits),
        HoldsTask(account, stores.incidents, notices),
        Housekeeping(account, tracker, stores.campaigns, notices, time.monotonic),
        Progress(account, stores.incidents, notices, partial(stores.readings.cancelled_rate, account.sid)),
        MissingCallbacks(account, notices),
        BackgroundTask(f"live calls of {account.sid}", live_calls, time.monotonic),
        BackgroundTask(f"hold queues of {account.sid}", hold_queues, time.monotonic),
    )


def telephony_of(settings: Settings) -> TwilioCalls:
    """Return the client of Twilio's REST API, for commands that need no Redis."""
    return TwilioCalls(settings.accounts, settings.twilio_api_url, PooledHttpClient())


def process_name() -> str:
    """Return a name that no other process has, for leases."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
