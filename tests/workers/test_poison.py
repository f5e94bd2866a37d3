"""What is put into RQ's keys by a program gone wrong, or by whoever can write to Redis, stops no wake-up."""

import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from rq import Queue
from rq.exceptions import DequeueTimeout, NoSuchJobError, StopRequested
from rq.job import Job
from rq.serializers import JSONSerializer

from callguard.domain.snapshot import State
from callguard.jobs.drain_queue import QUEUE_NAME, RqDrainQueue, connect_for_jobs, drain_queue
from callguard.jobs.wake_up import DRAIN_JOB, WakeUp, begin_records_anew, delete_spoilt
from callguard.processes.ending import end
from callguard.processes.spawn import spawn
from callguard.simulator import SANDBOX_AUTH_TOKEN
from tests.guarded import SID, Guarded, environ_of_worker, guarded, trip_at
from tests.waiting import wait_until
from tests.workers.poison import DROPPED, FOREIGN, OTHER, TAKEN, Spoil
from workers.cancel_worker import CancelWorker
from workers.guarded_job import GuardedJob
from workers.wake_up_queue import WakeUpQueue


@pytest.fixture
def queue(redis_url: str) -> Iterator[Queue]:
    """The queue as the guard writes to it."""
    with connect_for_jobs(redis_url, timeout=5.0) as connection:
        yield drain_queue(connection)


def taken_by(queue: Queue) -> Job | None:
    """Return what a worker would run next, without waiting for it."""
    found = WakeUpQueue.dequeue_any(
        [WakeUpQueue(QUEUE_NAME, connection=queue.connection)],
        None,
        connection=queue.connection,
        job_class=GuardedJob,
        serializer=JSONSerializer,
    )
    return found[0] if found else None


def poisoned(queue: Queue, spoil: Spoil, wake_up: WakeUp = WakeUp(SID, 1)) -> str:  # noqa: B008
    """Wake as the guard does, but spoil the job before anybody can take it; return its key."""
    redis: Any = queue.connection
    aside = Queue("aside", connection=redis, serializer=JSONSerializer)
    RqDrainQueue(aside)._enqueue(wake_up)
    job_id = redis.lpop(aside.key)
    key = Job.key_for(job_id.decode())
    redis.hset(key, "origin", queue.name)
    spoil(redis, key)
    redis.rpush(queue.key, job_id)
    return key


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("name", DROPPED)
def test_a_job_of_our_form_that_is_none_of_ours_is_dropped_and_told(
    queue: Queue, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    key = poisoned(queue, DROPPED[name])
    poisoned(queue, TAKEN["nothing"], WakeUp(OTHER, 7))

    job = taken_by(queue)

    assert job is not None
    assert (job.func_name, job.args) == (DRAIN_JOB, (OTHER, 7))
    assert not queue.connection.exists(key)
    assert queue.connection.lrange(f"{queue.key}:intermediate", 0, -1) == [job.id.encode()]
    assert lines(caplog) == ["RQ's queue held 1 entries that are no wake-ups of ours: dropped"]
    assert RqDrainQueue(queue).wake(SID, 1)
    assert [WakeUp(*job.args).name for job in queue.jobs] == [f"{SID}-1-"]


@pytest.mark.parametrize("name", TAKEN)
def test_what_else_stands_beside_a_wake_up_is_not_read(queue: Queue, name: str) -> None:
    poisoned(queue, TAKEN[name])

    job = taken_by(queue)

    assert job is not None
    assert (job.func_name, job.args, job.kwargs, job.origin) == (DRAIN_JOB, (SID, 1), {}, QUEUE_NAME)
    assert (job.timeout, job.ttl, job.result_ttl, job.failure_ttl) == (60, 30, 0, 3600)
    assert (job.should_retry, job.repeats_left, job.webhooks, job._dependency_ids) == (False, None, [], [])
    assert (job.group_id, job.failure_callback, job.success_callback) == (None, None, None)


def test_a_wake_up_that_rq_has_forgotten_is_passed_over_in_silence(
    queue: Queue, caplog: pytest.LogCaptureFixture
) -> None:
    """It is of everyday: nobody heard it in half a minute."""
    poisoned(queue, lambda redis, key: redis.delete(key))

    assert taken_by(queue) is None
    assert lines(caplog) == []
    assert queue.connection.llen(f"{queue.key}:intermediate") == 0


def test_ids_of_other_forms_are_dropped_and_their_jobs_are_left_alone(
    queue: Queue, caplog: pytest.LogCaptureFixture
) -> None:
    """They may be another program's, which has taken our queue for its own."""
    queue.connection.rpush(queue.key, *FOREIGN)
    queue.connection.hset(Job.key_for("junk"), "data", "x")
    poisoned(queue, TAKEN["nothing"])

    job = taken_by(queue)

    assert job is not None
    assert job.args == (SID, 1)
    assert queue.connection.exists(Job.key_for("junk"))
    assert lines(caplog) == [f"RQ's queue held {len(FOREIGN)} entries that are no wake-ups of ours: dropped"]


def test_much_junk_lets_the_worker_give_signs_of_life(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.wake_up_queue.AT_ONCE_SECONDS", 0.0)
    queue.connection.rpush(queue.key, *FOREIGN)

    for left in range(len(FOREIGN) - 1, -1, -1):
        with pytest.raises(DequeueTimeout):
            taken_by(queue)
        assert len(queue) == left


@pytest.mark.parametrize("registry", ["scheduled", "deferred", "finished", "failed", "canceled", "wip"])
def test_a_wake_up_in_another_registry_does_not_wait(queue: Queue, registry: str) -> None:
    """Nobody runs a scheduler for us: such a job would wait for ever."""
    key = poisoned(queue, TAKEN["nothing"])
    queue.connection.lpop(queue.key)
    queue.connection.zadd(f"rq:{registry}:{QUEUE_NAME}", {key.removeprefix("rq:job:"): time.time() + 1e9})

    assert RqDrainQueue(queue).wake(SID, 1)
    assert [job.args for job in queue.jobs] == [[SID, 1]]


RQ_KEYS = [
    *(f"rq:queue:{QUEUE_NAME}", f"rq:queue:{QUEUE_NAME}:intermediate", "rq:queues", "rq:workers"),
    *(f"rq:{kind}:{QUEUE_NAME}" for kind in ("workers", "wip", "failed", "finished")),
]


@pytest.mark.parametrize("key", RQ_KEYS)
def test_a_key_of_another_type_is_deleted_and_the_next_wake_up_is_heard(
    queue: Queue, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    queue.connection.set(key, "spoilt")
    drains = RqDrainQueue(queue)

    is_heard = drains.wake(SID, 1)
    if is_heard:
        delete_spoilt(queue)

    assert drains.wake(SID, 1)
    job = taken_by(queue)
    assert job is not None
    assert job.args == (SID, 1)
    assert drains.counts()["failed"] == 0
    assert len([line for line in lines(caplog) if f"RQ could not read {key}" in line]) == 1


@pytest.mark.parametrize("key", [f"rq:wip:{QUEUE_NAME}", f"rq:failed:{QUEUE_NAME}"])
def test_counting_heals_what_it_cannot_count(queue: Queue, key: str) -> None:
    """Else the metrics said that Redis is away, and no worker would ever start."""
    queue.connection.set(key, "spoilt")
    drains = RqDrainQueue(queue)

    with pytest.raises(Exception, match="ResponseError"):
        drains.counts()
    assert drains.counts() == {"queued": 0, "started": 0, "failed": 0}


def test_what_is_right_is_not_deleted(queue: Queue) -> None:
    RqDrainQueue(queue).wake(SID, 1)
    queue.connection.zadd(queue.failed_job_registry.key, {"x": 1})

    delete_spoilt(queue)
    begin_records_anew(queue)

    assert len(queue) == 1
    assert queue.connection.zcard(queue.failed_job_registry.key) == 1


@pytest.mark.parametrize("job_id", ["junk", "a b", f"{SID}-1-0123abcd"])
def test_rq_itself_is_given_no_other_jobs(queue: Queue, job_id: str) -> None:
    """Its maintenance fetches whatever its records name."""
    with pytest.raises(NoSuchJobError):
        GuardedJob.fetch(job_id, connection=queue.connection)


class Working:
    """A tripped account with queued calls, and a worker that waits for its wake-up."""

    def __init__(self, g: Guarded, worker: "subprocess.Popen[bytes]", log: Path, queue: Queue) -> None:
        self.g = g
        self.worker = worker
        self.log = log
        self.queue = queue

    def is_idle(self) -> bool:
        return b"idle" in {self.redis.hget(key, "state") for key in self.redis.smembers("rq:workers")}

    @property
    def redis(self) -> Any:
        return self.queue.connection

    def sweep(self, within: float) -> None:
        """Wake once a second, as the watcher does, and expect the drain to be over by then."""
        drains, woken = RqDrainQueue(self.queue), 0.0
        deadline = time.monotonic() + within
        while not self.is_swept() and time.monotonic() < deadline:
            if time.monotonic() - woken >= 1.0:
                woken = time.monotonic()
                drains.wake(SID, 1)
            time.sleep(0.05)
        assert self.is_swept()
        assert self.g.truth().queued == 0
        assert self.worker.poll() is None

    def is_swept(self) -> bool:
        return self.g.store.tracker.snapshot(SID, 0).state is State.COOLING


@pytest.fixture
def working(redis_url: str, tmp_path: Path, queue: Queue) -> Iterator[Working]:
    """See above; it is idle."""
    with guarded(redis_url, trip_at(cps=1)) as g:
        g.queue_calls(50)
        g.trip()
        log = tmp_path / "log"
        worker = spawn(
            [sys.executable, "-m", "workers", "cancel-worker"], env=environ_of_worker(g, redis_url), output=log
        )
        ours = Working(g, worker, log, queue)
        try:
            wait_until(ours.is_idle, "the worker waits", timeout=30)
            yield ours
        finally:
            end(worker, grace_seconds=10)


@pytest.mark.full
def test_a_worker_lives_through_all_of_it_and_drains(working: Working) -> None:
    for spoil in [*DROPPED.values(), lambda redis, key: redis.delete(key)] * 20:
        poisoned(working.queue, spoil)
    working.redis.rpush(working.queue.key, *FOREIGN * 20)

    working.sweep(within=15)

    assert "Traceback" not in working.log.read_text()


@pytest.mark.full
def test_wake_ups_that_nobody_needs_delay_none(working: Working) -> None:
    """A work-horse for each would take minutes: of an account that is not guarded, of a trip long past."""
    for number in range(300):
        poisoned(working.queue, TAKEN["nothing"], WakeUp(f"AC{number:032x}", 1))
        poisoned(working.queue, TAKEN["nothing"], WakeUp(SID, 1_000 + number))

    working.sweep(within=15)

    wait_until(lambda: working.redis.keys("rq:job:*") == [], "the drain's own job has ended too")
    assert len(working.queue) == 0


@pytest.mark.full
@pytest.mark.parametrize("key", RQ_KEYS)
def test_a_worker_lives_through_a_key_of_another_type(working: Working, key: str) -> None:
    working.redis.set(key, "spoilt")

    working.sweep(within=15)


@pytest.mark.full
def test_a_worker_lives_through_records_that_rq_cannot_read(working: Working) -> None:
    """It cleans them as it starts, and every ten seconds."""
    working.redis.rpush(f"{working.queue.key}:intermediate", b"\xff\xfe", b"a b", f"{SID}-1-0123abcd")
    working.redis.zadd(f"rq:wip:{QUEUE_NAME}", {b"\xff": 1, b"no execution": 2, f"{SID}-1-0123abcd:x": 3})
    working.redis.sadd(f"rq:workers:{QUEUE_NAME}", b"\xff\xfe")
    working.redis.sadd("rq:groups", b"\xff\xfe")

    wait_until(
        lambda: not working.redis.exists(f"{working.queue.key}:intermediate"), "they are mended", timeout=40
    )

    working.sweep(within=15)


@pytest.mark.full
def test_a_worker_starts_whatever_is_there(redis_url: str, tmp_path: Path, queue: Queue) -> None:
    redis: Redis = queue.connection
    for key in RQ_KEYS:
        redis.set(key, "spoilt")
    environ = {
        "TWILIO_ACCOUNT_SID": SID,
        "TWILIO_AUTH_TOKEN": SANDBOX_AUTH_TOKEN,
        "CALLGUARD_PUBLIC_URL": "http://127.0.0.1",
        "CALLGUARD_REDIS_URL": redis_url,
    }
    worker = spawn(
        [sys.executable, "-m", "workers", "cancel-worker"],
        env=environ,
        output=tmp_path / "log",
    )
    try:
        wait_until(lambda: redis.type("rq:workers") == b"set", "it has registered", timeout=30)
        assert worker.poll() is None
    finally:
        end(worker, grace_seconds=10)


def test_a_signal_ends_a_worker_also_while_it_cleans_up(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    """RQ raises it wherever the worker is; taken for a fault of the records, it would be lost."""
    worker = CancelWorker([queue], connection=queue.connection)

    def stop(_: object) -> None:
        raise StopRequested

    monkeypatch.setattr(CancelWorker, "clean_registries", stop)
    with pytest.raises(StopRequested):
        worker.run_maintenance_tasks()
