"""What a wake-up is in RQ's queue: its id says all that a worker needs to know."""

import json
import logging
import re
import secrets
import zlib
from dataclasses import dataclass

from redis.exceptions import ResponseError
from rq import Queue
from rq.intermediate_queue import IntermediateQueue
from rq.worker_registration import REDIS_WORKER_KEYS, WORKERS_BY_QUEUE_KEY

DRAIN_JOB = "workers.jobs.drain"

MAX_BYTES = 1_000
"""The most bytes of a wake-up's data, packed or not; ours has some 90."""

_ID = re.compile(r"(AC[0-9a-f]{32})-([0-9]{1,15})-[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class WakeUp:
    """An account, and the generation to which it has tripped."""

    account_sid: str
    generation: int

    @property
    def name(self) -> str:
        """The beginning of the ids of all wake-ups for this account and generation."""
        return f"{self.account_sid}-{self.generation}-"

    @property
    def arguments(self) -> tuple[str, int]:
        """What the job is called with."""
        return self.account_sid, self.generation

    def new_id(self) -> str:
        """Return an id that no other has."""
        return self.name + secrets.token_hex(4)

    def is_asked_for_by(self, data: bytes) -> bool:
        """Return whether a job's data, as RQ stores it, asks for just this."""
        try:
            told = json.loads(_unpacked(data))
        except (ValueError, RecursionError):
            return False
        return bool(told == [DRAIN_JOB, None, list(self.arguments), {}])


def wake_up_of(job_id: str | bytes) -> WakeUp | None:
    """Return the wake-up that a job's id names; None if the id is not of our form."""
    text = job_id.decode("ascii", "replace") if isinstance(job_id, bytes) else job_id
    found = _ID.fullmatch(text)
    return WakeUp(found[1], int(found[2])) if found else None


def _unpacked(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, MAX_BYTES)
    except zlib.error:
        return data


_log = logging.getLogger(__name__)


def is_spoilt(error: Exception) -> bool:
    """Return whether Redis refused a command since a key is of another type."""
    return isinstance(error, ResponseError) and "WRONGTYPE" in str(error)


def delete_spoilt(queue: Queue) -> None:
    """Delete each of RQ's keys that has another type than RQ's: until then RQ can neither queue nor work.

    Raises:
        RedisError: Redis did not answer, or does not let us.
    """
    types = {
        queue.key: b"list",
        _intermediate(queue): b"list",
        **{registry.key: b"zset" for registry in _registries(queue)},
        Queue.redis_queues_keys: b"set",
        REDIS_WORKER_KEYS: b"set",
        WORKERS_BY_QUEUE_KEY % queue.name: b"set",
    }
    with queue.connection.pipeline(transaction=False) as pipeline:
        for key in types:
            pipeline.type(key)
        found = dict(zip(types, pipeline.execute(), strict=True))
    spoilt = [key for key, kind in found.items() if kind not in (types[key], b"none")]
    if spoilt:
        queue.connection.delete(*spoilt)
        _log.warning("RQ could not read %s: deleted, since it held nothing of RQ's", ", ".join(spoilt))


def begin_records_anew(queue: Queue) -> None:
    """Delete what RQ has noted of running jobs and of workers; jobs that run go on.

    Raises:
        RedisError: Redis did not answer, or does not let us.
    """
    records = (_intermediate(queue), queue.started_job_registry.key, WORKERS_BY_QUEUE_KEY % queue.name)
    queue.connection.delete(*records, queue.registry_cleaning_key)


def _intermediate(queue: Queue) -> str:
    return IntermediateQueue.get_intermediate_queue_key(queue.key)


def _registries(queue: Queue) -> tuple:  # type: ignore[type-arg]
    return (
        *(queue.started_job_registry, queue.finished_job_registry, queue.failed_job_registry),
        *(queue.deferred_job_registry, queue.scheduled_job_registry, queue.canceled_job_registry),
    )
