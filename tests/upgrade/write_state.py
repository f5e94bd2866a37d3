"""Write `state.json`: what a guard stores amid an incident. `python -m tests.upgrade.write_state`.

`test_stored_state.py` shows that the code of today reads it and goes on. Write it with the release that is
upgraded from, not with the code that is tested.
"""

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

from callguard import __version__
from callguard.domain.cancel_run import FoundCall
from callguard.domain.snapshot import Snapshot
from callguard.domain.tally import Outcome
from tests.calls import create_calls
from tests.stored_state import read_state
from tests.valkey import serve
from tests.waiting import wait_until
from tests.whole_guard import WholeGuard, whole_guard

STATE = Path(__file__).with_name("state.json")
NOW_MS = 1_790_000_000_000
RUNAWAY, PAUSED, BY_HAND = ("AC" + digit * 32 for digit in "abc")
SCRIPT, CAMPAIGN, PROTECTED = "+15550100000", "+15550177777", "+15550009999"
POLICY = {"cps": 1, "spike_burst": 20, "min_backlog": 5, "quiet_seconds": 5, "never_cancel": [PROTECTED]}
ACCOUNTS = {RUNAWAY: POLICY, PAUSED: POLICY, BY_HAND: {**POLICY, "spike_burst": 1000}}


def create_all_calls(guard: WholeGuard) -> None:
    """Create the calls of all accounts; the same SIDs each time."""
    create_calls(guard.twilio, RUNAWAY, 5, from_number=CAMPAIGN)
    create_calls(guard.twilio, RUNAWAY, 3, from_number=PROTECTED)
    create_calls(guard.twilio, RUNAWAY, 60, from_number=SCRIPT)
    create_calls(guard.twilio, BY_HAND, 30)


def _announce(guard: WholeGuard) -> None:
    until = "2026-09-21T20:00:00Z"
    announced = {"calls": 20, "from": [CAMPAIGN], "until": until}
    assert guard.ask("POST", f"/api/accounts/{RUNAWAY}/campaigns", json=announced).status_code == 201


def _report(guard: WholeGuard) -> None:
    call = {
        "sid": "CA" + "9" * 32, "account_sid": RUNAWAY, "status": "queued", "date_created": None,
        "queue_time": "1000", "from": SCRIPT, "to": "+15552000000", "direction": "outbound-api",
    }  # fmt: skip
    assert guard.ask("POST", "/api/reports", "reporter", json={"calls": [call]}).json["counted"] == 1


def _break_off_a_drain(guard: WholeGuard) -> None:
    """A person pauses it amid its work and resumes; then a worker takes it and is killed."""
    drain = Thread(target=guard.drain, args=(RUNAWAY, 1))
    drain.start()
    wait_until(lambda: guard.twilio.account(RUNAWAY).cancelled >= 12, "the drain is at work")
    assert guard.command("pause", "--account", RUNAWAY, "--reason", "to look").exit_code == 0
    drain.join()
    assert guard.call_back(RUNAWAY, guard.queued(RUNAWAY)[-1], "initiated") == 204
    assert guard.command("resume", "--account", RUNAWAY).exit_code == 0
    mode = guard.services.accounts[RUNAWAY].policy.mode
    assert guard.stores.incidents.start_drain(RUNAWAY, 1, "a worker that is killed", mode)


def _break_off_a_cancel_by_hand(guard: WholeGuard) -> None:
    services, sids = guard.services, guard.queued(BY_HAND)
    cancel_run = services.stores.cancel_runs.begin(BY_HAND, services.accounts[BY_HAND].hasher.digest(""), NOW_MS)
    cancel_run.add([FoundCall(sid, NOW_MS, protected=False) for sid in sids])
    cancelled = [(sid, Outcome.CANCELLED) for sid in sids[:7]]
    cancel_run.settle([*cancelled, (sids[7], Outcome.DIALLED), (sids[8], Outcome.FAILED)])


def _snapshot(guard: WholeGuard, sid: str) -> Snapshot:
    return guard.stores.tracker.snapshot(sid, guard.clock.ms)


@contextmanager
def _amid_an_incident(folder: Path, redis_url: str) -> Iterator[WholeGuard]:
    with whole_guard(redis_url, NOW_MS, folder, ACCOUNTS, latency=0.2, ceiling=3) as guard:
        guard.watch(lambda: all(_snapshot(guard, sid).polled_ms for sid in ACCOUNTS), "all accounts are watched")
        assert guard.command("pause", "--account", PAUSED, "--reason", "a fire drill").exit_code == 0
        _announce(guard)
        create_all_calls(guard)
        guard.watch(
            lambda: _snapshot(guard, RUNAWAY).generation and _snapshot(guard, BY_HAND).depth, "it has tripped"
        )
        _report(guard)
        _break_off_a_drain(guard)
        _break_off_a_cancel_by_hand(guard)
        time.sleep(3.0)  # leases end
        yield guard


def write() -> None:
    """Write the file."""
    with tempfile.TemporaryDirectory() as name, contextmanager(serve)("valkey") as redis_url:
        folder = Path(name)
        with _amid_an_incident(folder, redis_url):
            redis = read_state(redis_url)
        files = {path.name: path.read_text() for path in folder.glob("*.json")}
    state = {"version": __version__, "now_ms": NOW_MS, "redis": redis, "files": files}
    STATE.write_text(json.dumps(state, indent=1) + "\n")


if __name__ == "__main__":
    write()
