"""The guard runs under just the rights that deploy/README.md names, and what is missing is named."""

from pathlib import Path

import pytest
import redis

from callguard.simulator import AccountConfig, RunawayPlan, SimulatorConfig, running
from callguard.store.rights import ACL_RULES, GUARD_RIGHTS, QUEUE_RIGHTS, missing_rights
from tests.servers import Server
from tests.stack import ROOT, SID, free_port, guard_of
from tests.waiting import wait_until

EVERYTHING = (*GUARD_RIGHTS, *QUEUE_RIGHTS)


def granted(port: int, rules: str) -> "redis.Redis":
    with redis.Redis(port=port) as admin:
        admin.execute_command("ACL", "SETUSER", "callguard", "reset", "on", ">secret", *rules.split())
    return redis.Redis(port=port, username="callguard", password="secret")


def test_the_documented_line_is_the_tested_one() -> None:
    assert f"user callguard on >PASSWORD {ACL_RULES}" in (ROOT / "deploy" / "README.md").read_text()


@pytest.mark.full
def test_each_missing_right_is_named(tmp_path: Path) -> None:
    port = free_port()
    with Server(port, tmp_path / "redis"):
        with granted(port, ACL_RULES) as enough:
            assert missing_rights(enough, EVERYTHING) == []
        for taken, rule in {
            "-info": "+info",
            "-client|list": "+client|list",
            "-eval -evalsha": "+eval +evalsha",
            "-@write": "+@write ~callguard:*",
            "-blmove": "+blmove",
            "-wait": "+wait",
            "-@transaction": "+@transaction",
            "resetchannels": "+publish &rq:*",
        }.items():
            with granted(port, f"{ACL_RULES} {taken}") as short:
                assert rule in [right.rule for right in missing_rights(short, EVERYTHING)]
        with granted(port, ACL_RULES.replace("~rq:*", "")) as short:
            assert "+@write ~rq:*" in [right.rule for right in missing_rights(short, EVERYTHING)]


@pytest.mark.full
def test_the_guard_runs_under_them(tmp_path: Path) -> None:
    simulated = SimulatorConfig(accounts=(AccountConfig(cps=1, latency=0.01),))
    port = free_port()
    with Server(port, tmp_path / "redis"), running(simulated) as twilio:
        granted(port, ACL_RULES).close()
        more = {"CALLGUARD_REDIS_URL": f"redis://callguard:secret@127.0.0.1:{port}/0"}
        policy = {"cps": 1, "spike_burst": 20, "min_backlog": 5, "poll_seconds": 1}
        with guard_of(twilio, tmp_path, free_port(), policy, more=more) as guard:
            assert guard.stores.missing_rights(guard.services.drains.connection) == []
            assert guard.stores.durability().is_confirmed
            twilio.start_runaway(SID, RunawayPlan(60))
            wait_until(lambda: twilio.account(SID).cancelled >= 50, "it is swept", timeout=30)
    told = "".join((tmp_path / name).read_text() for name in ("workers.log", "web.log"))
    assert "NOPERM" not in told
    assert "Permission" not in told
    assert "Traceback" not in told
