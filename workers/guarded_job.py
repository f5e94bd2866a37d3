"""Jobs that run only what they are meant to.

RQ imports whatever function a job names, whoever wrote it to Redis, and JSON does not stop that. Callbacks and
webhooks of a job are further ways in; none of ours has any.
"""

from typing import Any

from rq.job import Job

from callguard.jobs.drain_queue import DRAIN_JOB

ALLOWED = frozenset({DRAIN_JOB})


class NotAllowed(Exception):
    """A job named a function that is not on the list."""


class GuardedJob(Job):
    """A job whose function must be on the list; its callbacks and webhooks are ignored."""

    def perform(self) -> Any:
        """Run the job, or fail it.

        Raises:
            NotAllowed: the job's function is not on the list.
        """
        if self.func_name not in ALLOWED:
            raise NotAllowed("this worker runs only: " + ", ".join(sorted(ALLOWED)))
        return super().perform()

    def execute_success_callback(self, *_args: Any, **_options: Any) -> None:
        """Do nothing."""

    def execute_failure_callback(self, *_args: Any, **_options: Any) -> None:
        """Do nothing."""

    def execute_stopped_callback(self, *_args: Any, **_options: Any) -> None:
        """Do nothing."""

    def send_webhooks(self, *_args: Any, **_options: Any) -> None:
        """Do nothing."""
