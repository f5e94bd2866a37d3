"""A real RQ worker: it drains what it is woken for, and runs nothing else."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from rq import Queue
from rq.job import Callback, Job
from rq.serializers import JSONSerializer

from callguard.domain.snapshot import State
from callguard.jobs.drain_queue import QUEUE_NAME, RqDrainQueue, connect_for_jobs, drain_queue
from callguard.processes.ending import end
from callguard.processes.spawn import spawn
from callguard.simulator import SANDBOX_AUTH_TOKEN
from tests.guarded import SID, Guarded, environ_of_worker, guarded, trip_at
from tests.waiting import wait_until

POLICY = trip_at(cps=1)
OTHER = "AC" + "2" * 32


@pytest.fixture
def queue(redis_url: str) -> Iterator[Queue]:
    """The workers' queue on the private server."""
    with connect_for_jobs(redis_url, timeout=5.0) as connection:
        yield drain_queue(connection)


@pytest.fixture
def tripped(redis_url: str, tmp_path: Path) -> Iterator[Guarded]:
    """A tripped account with a hundred queued calls, and a worker that waits for its wake-up."""
    with guarded(redis_url, POLICY) as g:
        g.queue_calls(100)
        g.trip()
        worker = spawn(
            [sys.executable, "-m", "workers", "cancel-worker"],
            env=environ_of_worker(g, redis_url),
            output=tmp_path / "log",
        )
        yield g
        end(worker, grace_seconds=10)


def state(g: Guarded) -> State:
    return g.store.tracker.snapshot(SID, 0).state


def test_a_wake_up_drains_the_account(tripped: Guarded, queue: Queue) -> None:
    assert RqDrainQueue(queue).wake(SID, 1)

    wait_until(lambda: state(tripped) is State.COOLING, "the drain is over", timeout=30)
    assert tripped.truth().queued == 0


def test_doubled_and_late_wake_ups_do_no_harm(tripped: Guarded, queue: Queue) -> None:
    for generation in (1, 1, 0, 7, 1):
        RqDrainQueue(queue).wake(SID, generation)

    wait_until(lambda: state(tripped) is State.COOLING, "the drain is over", timeout=30)
    wait_until(lambda: RqDrainQueue(queue).counts()["queued"] == 0, "all wake-ups are heard", timeout=30)
    assert RqDrainQueue(queue).counts()["failed"] == 0
    assert len(tripped.twilio.updates(SID)) <= 110


def test_what_is_none_of_ours_is_taken_out_of_the_queue(queue: Queue) -> None:
    """Each entry would cost a worker's try, and some its life: the wake-up would wait for a minute."""
    junk = [f"junk-{n}".encode() for n in range(1500)]
    queue.connection.rpush(queue.key, *junk, b"\xff\xfe", b"", f"{OTHER}-1".encode())
    drains = RqDrainQueue(queue)
    queue.connection.rpush(queue.key, f"{OTHER}-1-0123abcd")

    assert drains.wake(SID, 1)
    assert drains.wake(SID, 1)

    left = queue.get_job_ids()
    assert left[0] == f"{OTHER}-1-0123abcd"
    assert len(left) == 2
    assert left[1].startswith(f"{SID}-1-")


def test_a_job_that_is_no_wake_up_is_not_run(tripped: Guarded, queue: Queue, tmp_path: Path) -> None:
    """Whoever can write to Redis can name any function; JSON does not stop that."""
    harm = tmp_path / "harm"
    queue.enqueue("os.system", f"touch {harm}", on_failure=Callback("os.abort"), result_ttl=0)

    RqDrainQueue(queue).wake(SID, 1)
    wait_until(lambda: state(tripped) is State.COOLING, "the next job runs", timeout=30)
    assert not harm.exists()
    assert len(queue) == 0


def test_jobs_hold_no_secret_and_no_number(redis_url: str, queue: Queue) -> None:
    RqDrainQueue(queue).wake(SID, 1)

    (job,) = queue.jobs
    assert job.serializer is JSONSerializer
    assert job.args == [SID, 1]
    with redis.Redis.from_url(redis_url) as client:
        assert SANDBOX_AUTH_TOKEN not in str(client.hgetall(job.key))


def test_a_wake_up_waits_once(queue: Queue) -> None:
    """Each takes a worker's time, if only to find that another is at it."""
    drains = RqDrainQueue(queue)
    for account_sid, generation in [(SID, 1), (SID, 1), (OTHER, 1), (SID, 2), (OTHER, 1)]:
        assert drains.wake(account_sid, generation)

    assert [job.args for job in queue.jobs] == [[SID, 1], [OTHER, 1], [SID, 2]]


def test_a_wake_up_that_rq_has_forgotten_does_not_wait(queue: Queue) -> None:
    """RQ drops a job after its ttl, and leaves its name in the queue."""
    drains = RqDrainQueue(queue)
    drains.wake(SID, 1)
    queue.connection.delete(*(Job.key_for(job_id) for job_id in queue.job_ids))

    assert not drains.others_wait(OTHER)
    drains.wake(SID, 1)
    assert [job.args for job in queue.jobs] == [[SID, 1]]


def test_only_others_are_waited_for(queue: Queue) -> None:
    drains = RqDrainQueue(queue)
    drains.wake(SID, 1)

    assert not drains.others_wait(SID)
    assert drains.others_wait(OTHER)


def test_no_redis_is_told_and_not_raised(tmp_path: Path) -> None:
    drains = RqDrainQueue(drain_queue(connect_for_jobs(f"unix://{tmp_path}/nothing.sock")))

    assert not drains.wake(SID, 1)
    assert not drains.others_wait(SID)


def test_the_settings_of_a_job_are_these(queue: Queue) -> None:
    """RQ's defaults keep failed jobs for a year and results for 500 s."""
    RqDrainQueue(queue).wake(SID, 1)

    (job,) = queue.jobs
    assert (queue.name, job.func_name) == (QUEUE_NAME, "workers.jobs.drain")
    assert (job.ttl, job.timeout, job.result_ttl, job.failure_ttl) == (30, 60, 0, 3600)
