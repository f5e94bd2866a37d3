"""The cancel worker: an RQ worker on the one queue."""

import logging
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rq import Queue, Worker
from rq.exceptions import StopRequested
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.utils import now

from callguard.bootstrap import DrainParts, build_drain
from callguard.config.settings import Settings
from callguard.domain.snapshot import State
from callguard.errors import CallGuardError
from callguard.jobs.drain_queue import QUEUE_NAME
from callguard.jobs.wake_up import begin_records_anew, delete_spoilt, is_spoilt
from workers.beside import looking_after_notices
from workers.guarded_job import GuardedJob
from workers.jobs import give_leases_back, inherit, owner_of
from workers.wake_up_queue import WakeUpQueue

_log = logging.getLogger(__name__)

PROCESS = "cancel-worker"

# RQ waits `WORKER_TTL - 15` seconds for a job before it looks after itself; its default is 405.
WORKER_TTL_SECONDS = 20
MAINTENANCE_SECONDS = 10
MONITORING_SECONDS = 2

# A drain that is killed as soon as it runs is left to the watcher, which wakes one each second.
WAKE_AT_ONCE_AFTER_SECONDS = 1.0


class CancelWorker(Worker):
    """An RQ worker that outlives its Redis, and cleans up at once after a dead work-horse; RQ waits minutes.

    It gives CallGuard's own sign of life, as `rq:workers` is wrong after a FLUSHALL.
    """

    parts: DrainParts

    # After an outage RQ would look for Redis at growing intervals, at last once a minute.
    max_connection_wait_time = 1.0

    def _install_signal_handlers(self) -> None:
        """Let SIGHUP, as of a terminal that is closed, end us in good order like SIGTERM."""
        super()._install_signal_handlers()  # type: ignore[no-untyped-call]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self.request_stop)

    def heartbeat(self, *args: Any, **options: Any) -> None:
        """Beat for RQ and for CallGuard."""
        with _outliving_redis("RQ's heartbeat"):
            super().heartbeat(*args, **options)
        try:
            self.parts.stores.heartbeats.beat(PROCESS, self.parts.clock.now_ms())
            self.parts.stores.decisions.follow(list(self.parts.accounts))
        except CallGuardError as error:
            self.log.warning("no heartbeat: %s", error)

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Run a job in a work-horse. If Redis is away meanwhile, the watcher asks for another run."""
        with _outliving_redis("a job", queue):
            if self._is_due(*job.args):
                super().execute_job(job, queue)
            else:
                self.connection.delete(job.key)
                queue.intermediate_queue.remove(job.id)

    def _is_due(self, account_sid: str, generation: int) -> bool:
        """Return whether a work-horse may find anything to do: each takes a while, and others may wait."""
        if account_sid not in self.parts.accounts:
            return False
        try:
            snapshot = self.parts.stores.tracker.snapshot(account_sid, self.parts.clock.now_ms())
            is_open = snapshot.generation == generation and snapshot.state in (State.TRIPPED, State.DRAINING)
            return is_open and not self.parts.stores.incidents.has_lease(account_sid)
        except CallGuardError:
            return True

    def run_maintenance_tasks(self) -> None:
        """Let RQ clean its records of the queue; records that it cannot read are deleted.

        There is no scheduler and no group of jobs to look after.
        """
        try:
            self.clean_registries()  # type: ignore[no-untyped-call]
        except StopRequested:  # by a signal that came just then
            raise
        except Exception as error:  # RQ trusts whatever it reads in its records
            self.last_cleaned_at = now()  # type: ignore[assignment]
            _log.warning("RQ's records could not be cleaned: %s", type(error).__name__)
            if is_spoilt(error) or not isinstance(error, RedisError):
                with _outliving_redis("beginning them anew"):
                    begin_records_anew(self.queues[0])
                    delete_spoilt(self.queues[0])

    def set_current_job_working_time(self, *args: Any, **options: Any) -> None:
        """Note how long the job runs. A worker that gave up here would abandon its work-horse."""
        with _outliving_redis("a job's working time"):
            super().set_current_job_working_time(*args, **options)

    def maintain_heartbeats(self, job: Job) -> None:
        """Beat while a job runs, for the same reason."""
        with _outliving_redis("a job's heartbeat"):
            super().maintain_heartbeats(job)

    def handle_work_horse_killed(self, job: Job, retpid: Any, ret_val: Any, rusage: Any) -> None:
        """Give back the leases of the dead work-horse and ask for another run."""
        super().handle_work_horse_killed(job, retpid, ret_val, rusage)  # type: ignore[no-untyped-call]
        account_sid, generation = job.args
        give_leases_back(self.parts, account_sid, owner_of(job.id, retpid))
        if job.started_at and time.time() - job.started_at.timestamp() >= WAKE_AT_ONCE_AFTER_SECONDS:
            self.parts.drains.wake(account_sid, generation)


@contextmanager
def _outliving_redis(what: str, queue: Queue | None = None) -> Iterator[None]:
    """Log what Redis refuses; if RQ's records of `queue` are spoilt, repair them."""
    try:
        yield
    except RedisError as error:
        _log.warning("%s failed: %s", what, type(error).__name__)
        if queue is not None and is_spoilt(error):
            with suppress(RedisError):
                delete_spoilt(queue)


def wait_for_redis(parts: DrainParts) -> None:
    """Return when Redis answers. A machine may come up before its Redis does, so this waits."""
    told = False
    while True:
        try:
            parts.stores.heartbeats.ages(0)
            parts.drains.counts()
        except CallGuardError as error:
            if not told:
                _log.warning("waiting for Redis: %s", error)
            told = True
            time.sleep(0.5)
            continue
        if told:
            _log.warning("Redis answers")
        return


def run_cancel_worker(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT, or until RQ's worker gives up its Redis; the supervisor starts another."""
    parts = build_drain(settings)
    inherit(settings)
    wait_for_redis(parts)
    url = settings.queue_redis_url or settings.redis_url or ""
    connection = Redis.from_url(url, retry=Retry(NoBackoff(), 1), health_check_interval=15)
    with _outliving_redis("the worker"):
        queue = WakeUpQueue(QUEUE_NAME, connection=connection, job_class=GuardedJob, serializer=JSONSerializer)
        delete_spoilt(queue)
        worker = CancelWorker(
            [queue],
            connection=connection,
            queue_class=WakeUpQueue,
            serializer=JSONSerializer,
            job_class=GuardedJob,
            worker_ttl=WORKER_TTL_SECONDS,
            maintenance_interval=MAINTENANCE_SECONDS,
            job_monitoring_interval=MONITORING_SECONDS,
            log_job_description=False,
            prepare_for_work=True,
        )
        worker.parts = parts
        # This thread asks only Redis: a work-horse, which is forked, inherits locks in their state at the fork.
        looking_after_notices(parts.relay_starter(), parts.process_watch()).start()
        worker.work(with_scheduler=False)
    with suppress(CallGuardError):
        parts.stores.heartbeats.leave()
