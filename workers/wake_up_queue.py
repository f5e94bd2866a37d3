"""The queue as a cancel worker takes from it."""

import logging
import time
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError
from rq import Queue
from rq.exceptions import DequeueTimeout
from rq.intermediate_queue import IntermediateQueue
from rq.job import Job, JobStatus

from callguard.jobs.wake_up import MAX_BYTES, WakeUp, delete_spoilt, is_spoilt, wake_up_of

_log = logging.getLogger(__name__)

_QUEUED = JobStatus.QUEUED.value.encode()

AT_ONCE_SECONDS = 1.0
"""Seconds for which foreign entries are dropped without a sign of life in between."""


class WakeUpQueue(Queue):
    """Drops entries that are no wake-up of ours before RQ reads them: some would kill RQ's worker."""

    @classmethod
    def lmove(cls, connection: Redis, queue_key: str, timeout: int | None) -> Any:
        """Take the next wake-up, as RQ's queue does; one line in the log tells what was dropped before it.

        Raises:
            DequeueTimeout: there is none, or so many foreign entries that a sign of life is due.
        """
        until, junk = time.monotonic() + AT_ONCE_SECONDS, 0
        try:
            while taken := super().lmove(connection, queue_key, timeout):
                if _is_sound(connection, taken[1]):
                    return taken
                junk += _drop(connection, queue_key, taken[1])
                if time.monotonic() >= until:
                    raise DequeueTimeout(timeout, queue_key)
            return None
        except ResponseError as error:
            if not is_spoilt(error):
                raise
            delete_spoilt(cls.from_queue_key(queue_key, connection=connection))
            raise DequeueTimeout(timeout, queue_key) from error
        finally:
            if junk:
                _log.warning("RQ's queue held %d entries that are no wake-ups of ours: dropped", junk)


def _is_sound(connection: Redis, entry: bytes) -> bool:
    wake_up = wake_up_of(entry)
    return wake_up is not None and _asks_for(connection, Job.key_for(entry.decode()), wake_up)


def _asks_for(connection: Redis, key: str, wake_up: WakeUp) -> bool:
    """Return whether the job is as `wake` leaves it. A job that is gone has expired."""
    try:
        sizes = [connection.hstrlen(key, field) for field in ("data", "status")]
        if max(sizes) > MAX_BYTES:
            return False
        data, status = connection.hmget(key, "data", "status")
    except ResponseError as error:
        if not is_spoilt(error):
            raise
        return False
    return status == _QUEUED and isinstance(data, bytes) and wake_up.is_asked_for_by(data)


def _drop(connection: Redis, queue_key: str, entry: bytes) -> int:
    """Forget an entry, and a job of our form; return 0 for one that RQ had forgotten already, else 1."""
    connection.lrem(IntermediateQueue.get_intermediate_queue_key(queue_key), 1, entry)  # type: ignore[arg-type]
    if wake_up_of(entry) is None:
        return 1
    return int(connection.delete(Job.key_for(entry.decode())))
