"""The cancel worker: an RQ worker on the one queue."""

import logging
import time
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Worker
from rq.serializers import JSONSerializer

from callguard.bootstrap import Services, build
from callguard.config.settings import Settings
from callguard.jobs.drain_queue import drain_queue
from callguard.ports import CallGuardError
from workers.guarded_job import GuardedJob

_log = logging.getLogger(__name__)

PROCESS = "cancel-worker"

# RQ waits `WORKER_TTL - 15` seconds for a job before it looks after itself; its default is 405.
WORKER_TTL_SECONDS = 20
MAINTENANCE_SECONDS = 10
MONITORING_SECONDS = 2


class CancelWorker(Worker):
    """An RQ worker that gives CallGuard's own sign of life: `rq:workers` lies after a FLUSHALL."""

    services: Services

    # After an outage RQ would look for Redis at growing intervals, at last once a minute.
    max_connection_wait_time = 2.0

    def heartbeat(self, *args: Any, **options: Any) -> None:
        """Beat for RQ and for CallGuard."""
        super().heartbeat(*args, **options)
        try:
            self.services.heartbeats.beat(PROCESS, self.services.clock.now_ms())
        except CallGuardError as error:
            self.log.warning("no heartbeat: %s", error)


def wait_for_redis(services: Services) -> None:
    """Return when Redis answers. A machine may come up before its Redis does; that is no reason to give up."""
    told = False
    while True:
        try:
            services.heartbeats.ages(0)
            services.drains.counts()
        except CallGuardError as error:
            if not told:
                _log.warning("waiting for Redis: %s", error)
            told = True
            time.sleep(1)
            continue
        if told:
            _log.warning("Redis answers")
        return


def run_cancel_worker(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT."""
    services = build(settings)
    wait_for_redis(services)
    url = settings.queue_redis_url or settings.redis_url or ""
    connection = Redis.from_url(url, retry=Retry(NoBackoff(), 1), health_check_interval=15)
    worker = CancelWorker(
        [drain_queue(connection)],
        connection=connection,
        serializer=JSONSerializer,
        job_class=GuardedJob,
        worker_ttl=WORKER_TTL_SECONDS,
        maintenance_interval=MAINTENANCE_SECONDS,
        job_monitoring_interval=MONITORING_SECONDS,
        log_job_description=False,
        prepare_for_work=True,
    )
    worker.services = services
    worker.work(with_scheduler=False)
