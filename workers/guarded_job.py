"""Jobs that run only what they are meant to.

RQ imports whatever function a job names, whoever wrote it to Redis; JSON does not stop that. A job's arguments,
timeouts, callbacks, webhooks, retries and dependencies are further ways in.
"""

from typing import Any

from rq.exceptions import NoSuchJobError
from rq.job import Job, JobStatus

from callguard.jobs.drain_queue import FAILED_SECONDS, JOB_TIMEOUT_SECONDS, QUEUE_NAME, WAITING_SECONDS
from callguard.jobs.wake_up import DRAIN_JOB, wake_up_of


class GuardedJob(Job):
    """A job defined by its id alone; nothing else of it is read."""

    @classmethod
    def fetch(cls, id: str, *args: Any, **options: Any) -> Job:
        """Return the job.

        Raises:
            NoSuchJobError: the id is not of a wake-up of ours, or Redis has no such job (any more).
        """
        if wake_up_of(id) is None:
            raise NoSuchJobError(f"no wake-up: {id!a}")
        return super().fetch(id, *args, **options)

    def refresh(self) -> None:
        """Check that Redis still has the job.

        Raises:
            NoSuchJobError: Redis does not have it.
        """
        if not self.connection.exists(self.key):
            raise NoSuchJobError(f"no such job: {self.key}")
        self.restore({})

    def restore(self, raw_data: object) -> None:  # noqa: ARG002
        """Become the drain that the id names, with the settings of every wake-up."""
        wake_up = wake_up_of(self.id)
        if wake_up is None:
            raise NoSuchJobError(f"no wake-up: {self.id!a}")
        self.func_name, self.instance, self.args, self.kwargs = DRAIN_JOB, None, wake_up.arguments, {}
        self.origin, self.description = QUEUE_NAME, "drain"
        self.timeout, self.ttl = JOB_TIMEOUT_SECONDS, WAITING_SECONDS
        self.result_ttl, self.failure_ttl = 0, FAILED_SECONDS
        self._status = JobStatus.QUEUED
