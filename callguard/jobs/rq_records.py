"""RQ's own keys for our queue. Any writer of Redis can spoil them; the guard can lose all of them."""

import logging

from redis.exceptions import ResponseError
from rq import Queue
from rq.intermediate_queue import IntermediateQueue
from rq.worker_registration import REDIS_WORKER_KEYS, WORKERS_BY_QUEUE_KEY

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
