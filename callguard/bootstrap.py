"""The one place that builds things: settings in, a wired guard out."""

import os
import secrets
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial

from redis import Redis

from callguard.cancel.incident_drain import IncidentDrain
from callguard.cancel.single_cancel import SingleCancel
from callguard.clock import SystemClock
from callguard.config.accounts import Account
from callguard.config.api_keys import ApiKey
from callguard.config.errors import ConfigurationError
from callguard.config.fingerprint import fingerprint
from callguard.config.settings import Settings
from callguard.config.urls import under
from callguard.detect.control import GuardControl
from callguard.detect.group_commit import GroupCommit
from callguard.detect.guard import Guard
from callguard.detect.reported_calls import ReportedCalls
from callguard.domain.calls import CallEvent
from callguard.domain.culprits import Culprit
from callguard.domain.notices import Notice, NoticeKind
from callguard.domain.processes import Fingerprint
from callguard.domain.results import ReportResult, ReportSource
from callguard.domain.snapshot import Rule, Snapshot
from callguard.domain.sources import Source
from callguard.errors import CallGuardError
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
from callguard.store.api_refusals import RedisApiRefusals
from callguard.store.call_tracker import RedisCallTracker
from callguard.store.campaigns import RedisCampaigns
from callguard.store.cancel_runs import RedisCancelRuns
from callguard.store.connection import connect, translated_errors
from callguard.store.decision_file import DecisionFile
from callguard.store.decisions import OTHERS_FIRST_SECONDS, RedisDecisions
from callguard.store.durability import Durability, await_durability
from callguard.store.incidents import RedisIncidentStore
from callguard.store.live_calls import RedisHoldQueueSizes, RedisLiveCallStore
from callguard.store.notices import RedisNotices
from callguard.store.outages import RedisOutages
from callguard.store.presence import RedisHeartbeats, RedisPollLease, RedisRelayLease
from callguard.store.readings import RedisReadings
from callguard.store.reports import RedisReports
from callguard.store.rights import GUARD_RIGHTS, QUEUE_RIGHTS, Right, missing_rights
from callguard.store.script_connections import ScriptConnections
from callguard.store.scripts import Scripts
from callguard.store.server_facts import server_facts
from callguard.store.watching import RedisAccountLeases, RedisNews
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
from callguard.watch.remembering import follow_decisions
from callguard.watch.warnings import Warnings
from callguard.watch.watcher import Watcher

WEB_PATIENCE_SECONDS = 0.4
"""How long a call to Redis may take behind a callback, which may wait for two: its own and the one before.

It must be answered within a second: slow answers lose later callbacks (Twilio's error 15002)."""

JOB_PATIENCE_SECONDS = 2.0

NAMED_CANCEL_TIMEOUT_SECONDS = 1.5
"""How long Twilio may take for each answer about a single call, while somebody waits for ours."""

DROPPED_EVERY_SECONDS = 3600
"""How often at most people are told that news is dropped."""

SCRIPT_CONNECTIONS = 128
"""They are opened when they are needed."""


class NoRedisUrl(CallGuardError):
    """No Redis was named."""


@dataclass(frozen=True, slots=True)
class Services:
    """Everything wired, for one process."""

    accounts: Mapping[str, Account]
    clock: SystemClock
    authenticator: CallbackAuthenticator
    tracker: RedisCallTracker
    incidents: RedisIncidentStore
    decisions: RedisDecisions
    control: GuardControl
    readings: RedisReadings
    heartbeats: RedisHeartbeats
    account_leases: RedisAccountLeases
    news: RedisNews
    campaigns: RedisCampaigns
    cancel_runs: RedisCancelRuns
    notices: RedisNotices
    relay_lease: RedisRelayLease
    reach: TwilioOutages
    poll_lease: RedisPollLease
    drains: RqDrainQueue
    telephony: TwilioCalls
    canceller: Callable[[], TwilioCanceller]
    live_telephony: TwilioLiveCalls
    live_calls: RedisLiveCallStore
    hold_board: RedisHoldQueueSizes
    guard: Guard
    callbacks: GroupCommit
    reports: ReportedCalls
    reconciler: Reconciler
    drain: IncidentDrain
    single_cancel: SingleCancel
    collector: GuardCollector
    fingerprint: Callable[[], Fingerprint]
    notify_urls: tuple[str, ...]
    api_refusals: RedisApiRefusals
    connection: Redis
    public_url: str
    twilio_api_url: str
    metrics_token: str | None
    api_keys: tuple[ApiKey, ...]

    def take_callback(self, account: Account, event: CallEvent) -> None:
        """Count a verified callback and act on it."""
        self.callbacks.take(account, event)

    def refuse(self, account_sid: str, result: str) -> None:
        """Count a callback that was not taken."""
        self.tracker.refused(account_sid, result)

    def take_report(self, account: Account, events: Sequence[CallEvent], source: str) -> int:
        """Count news of calls that `source` reports, act on it, and return how much of it was news."""
        is_twilio = source != ReportSource.CLIENT.value
        counted = (
            self.guard.take(account, events, Source.REPORT) if is_twilio else self.reports.take(account, events)
        )
        for result, count in ((ReportResult.ACCEPTED, counted), (ReportResult.DUPLICATE, len(events) - counted)):
            if count:
                self.tracker.count(account.sid, f"reports:{source}:{result.value}", count)
        return counted

    def refuse_report(self, account_sid: str, source: str, result: str) -> None:
        """Count a report that was not taken; source and result are of closed sets."""
        self.tracker.count(account_sid, f"reports:{source}:{result}")

    def leave_alone(self, account_sid: str, call_sid: str) -> None:
        """Never touch a live call that our own TwiML has taken over."""
        self.live_calls.leave_alone(account_sid, [call_sid])

    def begin_remembering(self) -> None:
        """Follow what people decide, in a thread: for a process that has no watch over the accounts."""
        follow_decisions(self.decisions, list(self.accounts))

    def missing_rights(self) -> Sequence[Right]:
        """Return the rights that the guard's user lacks at Redis, and at RQ's."""
        with translated_errors():
            own = missing_rights(self.connection, GUARD_RIGHTS)
            return [*own, *missing_rights(self.drains.connection, QUEUE_RIGHTS)]

    def durability(self) -> Durability:
        """Return how far Redis keeps what was written until now; may take two seconds."""
        return await_durability(self.connection)

    def server_facts(self) -> Mapping[str, str]:
        """Return what the Redis server says of itself."""
        return server_facts(self.connection)

    def tell_dropped(self, account_sid: str, what: str, text: str) -> None:
        """Tell, at most once an hour, that news of an account was dropped; `what` is of a closed set."""
        notice = Notice(account_sid, NoticeKind.DROPPED, text, self.clock.now_ms())
        self.notices.post(notice, once=f"dropped:{what}", every_seconds=DROPPED_EVERY_SECONDS)

    def notifier(self) -> AppriseNotifier:
        """Return the way to people."""
        return AppriseNotifier(self.notify_urls)

    def relay(self) -> LeasedRelay:
        """Return a relay of notices, for a process that may wait for receivers."""
        return LeasedRelay(process_name(), self.relay_lease, self.notices, self.notifier(), self.clock)

    def relay_starter(self) -> RelayStarter:
        """Return what sees that notices are relayed, for a process that may not wait for receivers."""
        return RelayStarter(self.relay_lease, self.notices, start_relay, process_name)

    def process_watch(self) -> ProcessWatch:
        """Return what tells of processes that fall silent."""
        return ProcessWatch(self.heartbeats, self.notices, self.clock, time.monotonic)

    def watcher(self) -> Watcher:
        """Return a watcher, which shares all accounts with others."""
        self.decisions.go_first()
        return Watcher(
            process_name(),
            {sid: self._account_watch(account) for sid, account in self.accounts.items()},
            self.account_leases,
            self.tracker,
            self.news,
            self.heartbeats,
            self.clock,
            LongTurns(self.notices, self.clock, time.monotonic),
            follow=self.decisions.follow,
        )

    def _account_watch(self, account: Account) -> AccountWatch:
        return AccountWatch(
            account,
            guard=self.guard,
            reconciler=self.reconciler,
            tracker=self.tracker,
            incidents=self.incidents,
            drains=self.drains,
            notices=self.notices,
            reach=self.reach,
            clock=self.clock,
            monotonic=time.monotonic,
            tasks=self._chores(account),
            decisions=self.decisions,
            verify_reports=self.reports.verify,
        )

    def _chores(self, account: Account) -> Sequence[Callable[[Snapshot], None]]:
        def count(rule: str) -> None:
            self.tracker.count(account.sid, f"warnings:{rule}")

        def culprits(rule: Rule) -> Sequence[Culprit]:
            return self.tracker.culprits(account.sid, rule, account.policy, self.clock.now_ms())

        warnings = Warnings(account, self.notices, count)
        return (
            partial(warnings.look, culprits=culprits),
            HoldsTask(account, self.incidents, self.notices),
            Housekeeping(account, self.tracker, self.campaigns, self.notices, time.monotonic),
            Progress(account, self.incidents, self.notices, partial(self.readings.cancelled_rate, account.sid)),
            MissingCallbacks(account, self.notices),
            BackgroundTask(f"live calls of {account.sid}", self.live_calls_task(account), time.monotonic),
            BackgroundTask(
                f"hold queues of {account.sid}",
                HoldQueuesTask(account, self.live_telephony, self.hold_board),
                time.monotonic,
            ),
        )

    def live_calls_task(self, account: Account) -> LiveCallsTask:
        """Return what acts on live calls of the account where its policy says so."""
        return LiveCallsTask(
            account,
            self.live_telephony,
            self.live_calls,
            self.incidents,
            self.campaigns,
            self.notices,
            self.clock,
            under(self.public_url, APOLOGY_PATH),
        )


def build(settings: Settings, *, patience: float = JOB_PATIENCE_SECONDS, owner: str | None = None) -> Services:
    """Wire everything; nothing is sent to Redis or Twilio yet.

    Args:
        settings: where everything is.
        patience: bounds each wait for Redis, in seconds.
        owner: the name for leases; else one that no other process has.

    Raises:
        NoRedisUrl: the settings name no Redis.
        ConfigurationError: they name one in a way that the client library does not take.
    """
    if settings.redis_url is None:
        raise NoRedisUrl(
            "CALLGUARD_REDIS_URL is not set. Write for example CALLGUARD_REDIS_URL=redis://localhost:6379/0, "
            "or run `callguard up`, which starts an embedded Valkey."
        )
    if wrong := list(problems_of(redis_urls_with_options(settings))):
        raise ConfigurationError.of(wrong)
    clock = SystemClock()
    connection = connect(settings.redis_url, timeout=patience)
    script_client = connect(settings.redis_url, timeout=patience, connections=SCRIPT_CONNECTIONS)
    scripts = Scripts(ScriptConnections(script_client))
    tracker = RedisCallTracker(connection, scripts)
    notices = RedisNotices(connection, scripts)
    api_refusals = RedisApiRefusals(connection)
    decisions = RedisDecisions(
        connection,
        scripts,
        clock,
        DecisionFile(settings.data_dir),
        others_first_seconds=OTHERS_FIRST_SECONDS,
        tell=partial(tell_of_loss, notices),
    )
    incidents = RedisIncidentStore(connection, scripts, decisions)
    readings = RedisReadings(scripts, tracker)
    name, of_settings = owner or process_name(), cache(partial(fingerprint, settings))
    heartbeats = RedisHeartbeats(connection, name, of_settings)
    queue_url = settings.queue_redis_url or settings.redis_url
    drains = RqDrainQueue(drain_queue(connect_for_jobs(queue_url, timeout=patience)))
    api_url, http_client = settings.twilio_api_url, PooledHttpClient()
    telephony = TwilioCalls(settings.accounts, api_url, http_client)
    canceller = partial(TwilioCanceller, settings.accounts, api_url)
    poll_lease = RedisPollLease(scripts)
    reach = TwilioOutages(RedisOutages(connection), notices, clock)
    news = RedisNews(connection, scripts)
    guard = Guard(tracker, incidents, drains, notices, clock, news.tell)
    reconciler = Reconciler(telephony, tracker, guard, clock, poll_lease, name)
    return Services(
        accounts=settings.accounts,
        clock=clock,
        authenticator=CallbackAuthenticator(settings.public_url, settings.accounts),
        tracker=tracker,
        incidents=incidents,
        decisions=decisions,
        control=GuardControl(incidents, notices, decisions, clock, news.tell),
        readings=readings,
        heartbeats=heartbeats,
        account_leases=RedisAccountLeases(connection, scripts),
        news=news,
        campaigns=RedisCampaigns(connection, scripts),
        cancel_runs=RedisCancelRuns(connection, scripts),
        notices=notices,
        relay_lease=RedisRelayLease(connection, scripts),
        reach=reach,
        poll_lease=poll_lease,
        drains=drains,
        telephony=telephony,
        live_telephony=TwilioLiveCalls(settings.accounts, api_url, http_client, telephony),
        live_calls=RedisLiveCallStore(connection, scripts, decisions),
        hold_board=RedisHoldQueueSizes(connection),
        guard=guard,
        callbacks=GroupCommit(partial(guard.take, source=Source.CALLBACK)),
        reports=ReportedCalls(RedisReports(connection, scripts), tracker, guard, telephony, notices, clock),
        reconciler=reconciler,
        drain=IncidentDrain(canceller, tracker, incidents, reconciler, drains, clock, notices, reach),
        canceller=canceller,
        single_cancel=_named_cancel(settings, tracker, clock),
        collector=GuardCollector(
            settings.accounts, readings, heartbeats, drains, clock, QUEUE_NAME, notices, of_settings, api_refusals
        ),
        fingerprint=of_settings,
        notify_urls=settings.notify_urls,
        api_refusals=api_refusals,
        connection=connection,
        public_url=settings.public_url,
        twilio_api_url=settings.twilio_api_url,
        metrics_token=settings.metrics_token,
        api_keys=settings.api_keys,
    )


def _named_cancel(settings: Settings, tracker: RedisCallTracker, clock: SystemClock) -> SingleCancel:
    impatient = PooledHttpClient(connections=10, timeout=NAMED_CANCEL_TIMEOUT_SECONDS)
    telephony = TwilioCalls(settings.accounts, settings.twilio_api_url, impatient)
    return SingleCancel(settings.accounts, telephony, tracker, clock)


def telephony_of(settings: Settings) -> TwilioCalls:
    """Return the way to Twilio, for whoever needs no Redis; nothing is sent yet."""
    return TwilioCalls(settings.accounts, settings.twilio_api_url, PooledHttpClient())


def process_name() -> str:
    """Return a name that no other process has, for leases."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
