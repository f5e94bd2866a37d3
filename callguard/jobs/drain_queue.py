"""Waking cancel workers, and counting what waits for them."""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer

from callguard.errors import StoreUnavailable
from callguard.jobs.wake_up import DRAIN_JOB, WakeUp, delete_spoilt, is_spoilt, wake_up_of
from callguard.redis_client import redis_client

_log = logging.getLogger(__name__)

QUEUE_NAME = "callguard-cancel"

# An older wake-up is of no use: the watcher has sent others since.
WAITING_SECONDS = 30
JOB_TIMEOUT_SECONDS = 60
MAX_READ = 10_000
"""How many entries of the queue are read; the guard puts in one for each account."""

FAILED_SECONDS = 3600


def connect_for_jobs(url: str, *, timeout: float = 0.5) -> Redis:
    """Return a connection for RQ, which wants bytes. Waits `timeout` seconds, repeats nothing."""
    return redis_client(
        url,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 0),
        health_check_interval=15,
    )


def drain_queue(connection: Redis) -> Queue:
    """Return the one queue that cancel workers listen to."""
    return Queue(QUEUE_NAME, connection=connection, serializer=JSONSerializer)


class RqDrainQueue:
    """Fulfils `DrainQueue`."""

    def __init__(self, queue: Queue) -> None:
        """Enqueue to `queue`."""
        self._queue = queue
        self.connection = queue.connection

    def wake(self, account_sid: str, generation: int) -> bool:
        """Enqueue one drain, unless one waits already: each takes a worker's time, even if nothing is left to do.

        The job holds the account and the generation, no secret and no number. Entries that are no wake-up of ours
        are removed: workers would try each of them first.
        """
        wanted = WakeUp(account_sid, generation)
        try:
            entries = self._entries()
            self._take_out_foreign(entries)
            if not self._waits(entries, lambda waiting: waiting == wanted):
                self._enqueue(wanted)
        except RedisError as error:
            _log.warning("no worker could be woken (%s); the watcher will", type(error).__name__)
            self._mend(error)
            return False
        return True

    def _enqueue(self, wanted: WakeUp) -> None:
        self._queue.enqueue_call(
            DRAIN_JOB,
            job_id=wanted.new_id(),
            args=wanted.arguments,
            timeout=JOB_TIMEOUT_SECONDS,
            ttl=WAITING_SECONDS,
            result_ttl=0,
            failure_ttl=FAILED_SECONDS,
            description="drain",
        )

    def others_wait(self, account_sid: str) -> bool:
        """Return whether jobs of other accounts wait: a job's name begins with its account."""
        try:
            return self._waits(self._entries(), lambda waiting: waiting.account_sid != account_sid)
        except RedisError as error:
            _log.debug("which accounts wait for a worker could not be read (%s)", type(error).__name__)
            return False

    def _waits(self, entries: Sequence[bytes], is_meant: Callable[[WakeUp], bool]) -> bool:
        """Return whether such a job waits. RQ forgets a job after its `ttl` and leaves its id in the queue."""
        ours = ((entry, wake_up_of(entry)) for entry in entries)
        meant = [Job.key_for(entry.decode()) for entry, wake_up in ours if wake_up and is_meant(wake_up)]
        return bool(meant and self._queue.connection.exists(*meant))

    def _take_out_foreign(self, entries: Sequence[bytes]) -> None:
        foreign = {entry for entry in entries if wake_up_of(entry) is None}
        if not foreign:
            return
        with self._queue.connection.pipeline(transaction=False) as pipeline:
            for entry in foreign:
                pipeline.lrem(self._queue.key, 0, entry)  # type: ignore[arg-type]
            pipeline.execute()
        _log.warning("RQ's queue %s held %d entries that are none of ours: taken out", QUEUE_NAME, len(foreign))

    def _entries(self) -> list[bytes]:
        entries: Any = self._queue.connection.lrange(self._queue.key, 0, MAX_READ - 1)
        return list(entries)

    def counts(self) -> Mapping[str, int]:
        """Return jobs by state, without RQ's clean-up that a plain `count` would set off.

        Raises:
            StoreUnavailable: RQ's Redis did not answer.
        """
        queue = self._queue
        try:
            return {
                "queued": len(queue),
                "started": queue.started_job_registry.get_job_count(cleanup=False),
                "failed": queue.failed_job_registry.get_job_count(cleanup=False),
            }
        except RedisError as error:
            self._mend(error)
            raise StoreUnavailable(f"RQ's Redis did not answer: {type(error).__name__}") from error

    def _mend(self, error: RedisError) -> None:
        if is_spoilt(error):
            with suppress(RedisError):
                delete_spoilt(self._queue)
