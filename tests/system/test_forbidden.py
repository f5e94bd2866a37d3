"""What people have forbidden stays forbidden, whatever becomes of Redis: on real processes, during a runaway."""

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from callguard.clock import SystemClock
from callguard.domain.campaigns import Campaign
from callguard.domain.notices import NoticeKind
from callguard.domain.snapshot import Word
from callguard.errors import StoreUnavailable
from callguard.simulator import AccountConfig, RunawayPlan, RunningSimulator, SimulatorConfig, running
from callguard.store.connection import connect
from callguard.store.decision_file import DecisionFile
from callguard.store.decisions import RedisDecisions
from callguard.store.script_connections import ScriptConnections
from callguard.store.scripts import Scripts
from callguard.store.server_facts import Durability, await_durability
from tests.conftest import build_store
from tests.servers import Server
from tests.stack import SID, TOKEN, Stack, free_port, guard_of
from tests.waiting import wait_until

pytestmark = [pytest.mark.full, pytest.mark.timeout(180)]

SIMULATED = SimulatorConfig(accounts=(AccountConfig(cps=1.0, latency=0.05, ceiling=10),))
RUNAWAY = RunawayPlan(400)
POLICY = {"cps": 1, "poll_seconds": 1}


@dataclass
class Scene:
    guard: Stack
    server: Server
    folder: Path

    @property
    def twilio(self) -> RunningSimulator:
        return self.guard.twilio

    @property
    def cancelled(self) -> int:
        return self.twilio.account(SID).cancelled

    def is_paused(self) -> bool:
        try:
            return self.guard.stores.tracker.snapshot(SID, 0).paused
        except StoreUnavailable:
            return False

    def pause(self) -> None:
        services = self.guard.services
        services.control.pause(services.accounts[SID], Word("anna@web1", "a test", services.clock.now_ms()))

    def told(self) -> list[NoticeKind]:
        return [notice.kind for _, notice in self.guard.stores.notices.waiting(100)]

    def metrics(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.guard.port}/metrics", timeout=5) as answer:
            return str(answer.read().decode())


@contextmanager
def scene(tmp_path: Path, memory: str) -> Iterator[Scene]:
    """A guard on a Redis of its own. With `processes` there is no data directory that can be written."""
    with ExitStack() as things:
        server = things.enter_context(Server(free_port(), tmp_path / "redis"))
        twilio = things.enter_context(running(SIMULATED))
        folder = tmp_path / "guard"
        more = {
            "CALLGUARD_REDIS_URL": f"redis://127.0.0.1:{server.port}/0",
            # Notices wait in the outbox, for the test to read.
            "CALLGUARD_NOTIFY_URLS": "json://127.0.0.1:9/",
        }
        if memory == "processes":
            more["CALLGUARD_DATA_DIR"] = "/proc/callguard"
        guard = things.enter_context(guard_of(twilio, folder, free_port(), POLICY, more=more))
        yield Scene(guard, server, folder)


def emptied(scene: Scene) -> None:
    scene.server.client.flushall()


def restarted_without_data(scene: Scene) -> None:
    scene.server.kill()
    scene.server.start()


LOSSES: dict[str, Callable[[Scene], None]] = {"emptied": emptied, "restarted": restarted_without_data}


def stays_paused(scene: Scene, lose: Callable[[], None]) -> None:
    time.sleep(1.5)  # requests that were under way, and a second for every process to hear of it
    before = scene.cancelled
    lose()
    wait_until(scene.is_paused, "the pause holds again", timeout=30)
    time.sleep(4)

    assert scene.cancelled == before
    assert scene.is_paused()
    assert NoticeKind.STATE_LOST in scene.told()
    assert f'callguard_state_lost_total{{account="{SID}"}} 1.0' in scene.metrics()
    assert f'callguard_hold{{account="{SID}",reason="paused"}} 1.0' in scene.metrics()


@pytest.mark.parametrize(("loss", "memory"), [("emptied", "processes"), ("restarted", "file")])
def test_a_pause_survives(tmp_path: Path, loss: str, memory: str) -> None:
    with scene(tmp_path, memory) as s:
        s.pause()
        s.twilio.start_runaway(SID, RUNAWAY)
        wait_until(lambda: s.guard.stores.tracker.snapshot(SID, 0).depth > 300, "the queue is seen", timeout=20)

        stays_paused(s, lambda: LOSSES[loss](s))
        assert s.cancelled == 0


def test_a_pause_survives_a_failover_to_a_replica_that_lacks_it(tmp_path: Path) -> None:
    """The replica is cut off, then somebody pauses, then the master dies: what the replica holds is drained."""
    with scene(tmp_path, "processes") as s, Server(free_port(), tmp_path / "replica") as replica:
        replica.client.replicaof("127.0.0.1", s.server.port)
        wait_until(lambda: replica.client.info("replication")["master_link_status"] == "up", "it follows")
        s.twilio.start_runaway(SID, RUNAWAY)
        wait_until(lambda: s.cancelled > 20, "calls are cancelled", timeout=30)
        replica.client.replicaof("NO", "ONE")
        s.pause()
        wait_until(lambda: replica.client.hget(f"callguard:{{{SID}}}:state", "state") == "draining", "it drains")
        assert replica.client.hget(f"callguard:{{{SID}}}:state", "paused") is None
        replica.client.save()

        def fail_over() -> None:
            s.server.kill()
            (tmp_path / "replica" / "dump.rdb").rename(tmp_path / "redis" / "dump.rdb")
            s.server.start()

        stays_paused(s, fail_over)
        assert 0 < s.cancelled < RUNAWAY.calls - 50


@pytest.mark.parametrize(("loss", "memory"), [("emptied", "processes"), ("restarted", "file")])
def test_announced_calls_survive(tmp_path: Path, loss: str, memory: str) -> None:
    with scene(tmp_path, memory) as s:
        services = s.guard.services
        now_ms = services.clock.now_ms()
        campaign = Campaign("c0ffee00", RUNAWAY.calls, 0, "", "", now_ms, now_ms + 3_600_000, "a test")
        services.stores.campaigns.announce(SID, campaign)
        services.stores.decisions.remember(SID)
        s.twilio.start_runaway(SID, RUNAWAY)
        wait_until(lambda: services.stores.tracker.snapshot(SID, 0).announced > 300, "they are seen", timeout=20)
        time.sleep(1.5)
        LOSSES[loss](s)

        def are_seen_again() -> bool:
            try:
                return services.stores.tracker.snapshot(SID, 0).announced > 300
            except StoreUnavailable:
                return False

        wait_until(are_seen_again, "they are seen again", timeout=30)
        time.sleep(4)

        assert s.cancelled == 0
        assert NoticeKind.STATE_LOST in s.told()


def test_a_full_redis_lets_itself_be_paused_and_looked_at(tmp_path: Path) -> None:
    with scene(tmp_path, "file") as s:
        s.twilio.start_runaway(SID, RunawayPlan(2_000))
        wait_until(lambda: s.cancelled > 50, "calls are cancelled", timeout=30)
        s.server.client.config_set("maxmemory", 1)  # full, however much is freed meanwhile
        environ = {
            **os.environ,
            "TWILIO_ACCOUNT_SID": SID,
            "TWILIO_AUTH_TOKEN": TOKEN,
            "CALLGUARD_REDIS_URL": f"redis://127.0.0.1:{s.server.port}/0",
            "CALLGUARD_DATA_DIR": str(s.folder),
        }

        def run(*words: str) -> "subprocess.CompletedProcess[str]":
            command = [sys.executable, "-m", "callguard", *words]
            return subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)

        paused = run("pause", "--reason", "it must stop")
        assert paused.returncode == 0, paused.stderr
        before = s.cancelled
        time.sleep(3)

        assert s.cancelled - before <= 20  # those that were under way
        status = run("status")
        assert "it must stop" in " ".join(status.stdout.split()), status.stderr
        for path in ("/api/accounts", f"/api/accounts/{SID}/gate"):
            with urllib.request.urlopen(f"http://127.0.0.1:{s.guard.port}{path}", timeout=5) as answer:
                assert answer.status == 200
        assert "callguard_redis_up 0.0" in s.metrics()
        assert run("resume").returncode == 0
        s.server.client.config_set("maxmemory", 0)
        wait_until(lambda: s.twilio.account(SID).queued == 0, "the drain goes on", timeout=60)


def test_a_pause_says_how_far_redis_keeps_it(tmp_path: Path) -> None:
    with Server(free_port(), tmp_path / "redis") as server, Server(free_port(), tmp_path / "replica") as replica:
        connection = connect(f"redis://127.0.0.1:{server.port}/0", timeout=3.0)
        assert await_durability(connection) == Durability()

        replica.client.replicaof("127.0.0.1", server.port)
        wait_until(lambda: replica.client.info("replication")["master_link_status"] == "up", "it follows")
        server.client.config_set("appendonly", "yes")
        wait_until(lambda: await_durability(connection).is_confirmed, "all is confirmed")
        server.client.set("callguard:test", "1", px=60_000)
        assert await_durability(connection) == Durability(1, 1, True)

        assert replica.process is not None
        os.kill(replica.process.pid, signal.SIGSTOP)
        server.client.set("callguard:test", "2", px=60_000)
        assert await_durability(connection).on_replicas == 0
        assert not await_durability(connection).is_confirmed
        os.kill(replica.process.pid, signal.SIGCONT)


def test_a_redis_whose_disk_fails_says_so_and_takes_the_pause_later(tmp_path: Path) -> None:
    with Server(free_port(), tmp_path / "redis") as server:
        store = build_store(f"redis://127.0.0.1:{server.port}/0")
        shutil.rmtree(server.folder)
        server.client.config_set("save", "3600 1")
        server.client.set("callguard:test", "1", px=60_000)
        server.client.bgsave()
        wait_until(lambda: server.client.info("persistence")["rdb_last_bgsave_status"] == "err", "the disk fails")
        with pytest.raises(StoreUnavailable, match="make room on the disk"):
            store.incidents.pause(SID, "a test", 1)
        assert not store.tracker.snapshot(SID, 0).paused

        clock, memory = SystemClock(), DecisionFile(tmp_path / "data")
        connection = connect(f"redis://127.0.0.1:{server.port}/0")
        scripts = Scripts(ScriptConnections(connect(f"redis://127.0.0.1:{server.port}/0")))
        word = Word("anna@web1", "a test", clock.now_ms())
        assert RedisDecisions(connection, scripts, clock, memory).leave_pause(SID, word)
        server.client.config_set("stop-writes-on-bgsave-error", "no")
        watcher = RedisDecisions(connection, scripts, clock, memory)
        assert watcher.check(store.tracker.snapshot(SID, clock.now_ms()), SID)
        assert store.tracker.snapshot(SID, 0).pause == word
