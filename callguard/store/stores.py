"""Everything that is kept in Redis, over connections that are shared."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from redis import Redis

from callguard.clock import Clock
from callguard.domain.decisions import StateLost
from callguard.domain.processes import Fingerprint
from callguard.store.api_refusals import RedisApiRefusals
from callguard.store.call_tracker import RedisCallTracker
from callguard.store.campaigns import RedisCampaigns
from callguard.store.cancel_runs import RedisCancelRuns
from callguard.store.connection import connect, translated_errors
from callguard.store.decision_file import DecisionFile
from callguard.store.decisions import OTHERS_FIRST_SECONDS, RedisDecisions
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
from callguard.store.server_facts import Durability, await_durability, server_facts
from callguard.store.watching import RedisAccountLeases, RedisNews

SCRIPT_CONNECTIONS = 128
"""The most connections for scripts; each is opened when it is needed."""


@dataclass(frozen=True, slots=True)
class Stores:
    """All stores of one process, one of each. Each of their methods may raise `StoreUnavailable`."""

    connection: Redis
    tracker: RedisCallTracker
    reports: RedisReports
    incidents: RedisIncidentStore
    decisions: RedisDecisions
    campaigns: RedisCampaigns
    cancel_runs: RedisCancelRuns
    live_calls: RedisLiveCallStore
    hold_queue_sizes: RedisHoldQueueSizes
    readings: RedisReadings
    outages: RedisOutages
    notices: RedisNotices
    relay_lease: RedisRelayLease
    poll_lease: RedisPollLease
    account_leases: RedisAccountLeases
    news: RedisNews
    heartbeats: RedisHeartbeats
    api_refusals: RedisApiRefusals

    def missing_rights(self, queue: Redis) -> list[Right]:
        """Return the rights that the guard's user lacks here, and at RQ's `queue`."""
        with translated_errors():
            return [*missing_rights(self.connection, GUARD_RIGHTS), *missing_rights(queue, QUEUE_RIGHTS)]

    def durability(self) -> Durability:
        """Return how far Redis keeps what was written until now; may take two seconds."""
        return await_durability(self.connection)

    def server_facts(self) -> Mapping[str, str]:
        """Return what the Redis server says of itself."""
        return server_facts(self.connection)


def open_stores(
    url: str,
    *,
    patience: float,
    clock: Clock,
    process: str,
    fingerprint: Callable[[], Fingerprint],
    data_dir: Path,
    tell_loss: Callable[[RedisNotices, StateLost], None],
) -> Stores:
    """Return everything in the Redis at `url`; nothing is sent yet.

    Args:
        url: of the server.
        patience: the longest wait for the server, in seconds.
        clock: the time.
        process: the name of this process.
        fingerprint: what it runs; read when it is first asked for.
        data_dir: where decisions are remembered too.
        tell_loss: is called with each loss of decisions that was restored.
    """
    connection = connect(url, timeout=patience)
    scripts = Scripts(ScriptConnections(connect(url, timeout=patience, connections=SCRIPT_CONNECTIONS)))
    tracker, notices = RedisCallTracker(connection, scripts), RedisNotices(connection, scripts)
    decisions = RedisDecisions(
        connection,
        scripts,
        clock,
        DecisionFile(data_dir),
        others_first_seconds=OTHERS_FIRST_SECONDS,
        tell=partial(tell_loss, notices),
    )
    return Stores(
        connection=connection,
        tracker=tracker,
        reports=RedisReports(connection, scripts),
        incidents=RedisIncidentStore(connection, scripts, decisions),
        decisions=decisions,
        campaigns=RedisCampaigns(connection, scripts),
        cancel_runs=RedisCancelRuns(connection, scripts),
        live_calls=RedisLiveCallStore(connection, scripts, decisions),
        hold_queue_sizes=RedisHoldQueueSizes(connection),
        readings=RedisReadings(scripts, tracker),
        outages=RedisOutages(connection),
        notices=notices,
        relay_lease=RedisRelayLease(connection, scripts),
        poll_lease=RedisPollLease(scripts),
        account_leases=RedisAccountLeases(connection, scripts),
        news=RedisNews(connection, scripts),
        heartbeats=RedisHeartbeats(connection, process, fingerprint),
        api_refusals=RedisApiRefusals(connection),
    )
