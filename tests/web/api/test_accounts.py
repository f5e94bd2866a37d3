"""Accounts as the API shows them, and the gate."""

import pytest

from callguard.domain.calls import CallEvent, CallStatus
from callguard.domain.culprits import Culprit
from callguard.domain.forecast import will_be_dialled
from callguard.domain.policy import Mode, Policy
from callguard.domain.readings import AccountReading
from callguard.domain.scope import Scope
from callguard.domain.snapshot import Finding, Rule, Snapshot, State, Word
from callguard.domain.sources import Source
from callguard.domain.tally import Outcome
from callguard.domain.throughput import Throughput
from callguard.errors import StoreUnavailable
from callguard.web.api.account_views import gate_of, view_of
from tests.calls import call_sid
from tests.conftest import Store
from tests.unqueued_days import three_days
from tests.web.api.served import OBSERVED_SID, SID, UNKNOWN_SID, Services, reported

NOW_MS = 1_790_000_000_500
FINDING = Finding(Rule.MANUAL, 1, 1, "manual", NOW_MS)


def test_a_fresh_account_has_nothing_to_tell(services: Services) -> None:
    account = services.client().get(f"/api/accounts/{SID}").json

    assert account.pop("dialled_at").endswith("Z")
    assert account == {
        "sid": SID, "state": "armed", "mode": "enforce", "generation": 0, "queue_depth": 0, "phantom_slots": 0,
        "drain_seconds": 0.0, "seconds_until_full": None, "queued_rate": 0.0, "initiated_rate": 0.0, "cps": 2.0,
        "cps_configured": 2.0, "cps_learned": None, "spared": 0, "announced": 0, "polled_seconds_ago": None,
        "last_callback_seconds_ago": None, "paused": False, "capped": False, "out_of_scope": 0,
        "cancelled_rate": 0.0, "forecast_dialled": 0.0, "incident": None, "holds": [],
        "wrongly_configured": None,
    }  # fmt: skip


def test_all_accounts_are_listed(services: Services) -> None:
    accounts = services.client().get("/api/accounts").json["accounts"]

    assert [(account["sid"], account["state"]) for account in accounts] == [
        (SID, "armed"),
        (OBSERVED_SID, "observe"),
    ]


def test_an_account_that_crosses_its_thresholds_every_day_is_wrongly_configured(
    services: Services, store: Store
) -> None:
    three_days(store, SID, services.clock.ms - 120_000)

    said = services.client().get(f"/api/accounts/{SID}").json["wrongly_configured"]

    assert "write initiated_burst = 105 in the account's table" in said


def test_reported_calls_lengthen_the_queue(services: Services) -> None:
    calls = [reported(n, queue_time=None) for n in range(10)]

    services.client().post("/api/reports", json={"calls": calls})

    account = services.client().get(f"/api/accounts/{SID}").json
    assert (account["queue_depth"], account["drain_seconds"]) == (10, 5.0)


def test_an_account_tells_all_that_is_known(services: Services) -> None:
    throughput = Throughput(learned=5.0)
    snapshot = Snapshot(
        NOW_MS, State.COOLING, True, 3, 20, 2, 3, counted_ms=NOW_MS + 30_000, throughput=throughput,
        polled_ms=NOW_MS - 1_500, called_back_ms=NOW_MS - 60_000,
        pause=Word("anna@web1", "a test", NOW_MS - 5_000),
    )  # fmt: skip
    reading = AccountReading(snapshot, State.PAUSED, {}, queued_rate=10.0, initiated_rate=5.0, cancelled_rate=5.0)

    view = view_of(services.accounts[SID], reading, None)

    assert view.model_dump(mode="json") == {
        "sid": SID, "state": "paused", "mode": "enforce", "generation": 3, "queue_depth": 25, "phantom_slots": 125,
        "drain_seconds": 30.0, "dialled_at": "2026-09-21T14:13:50.500000Z", "seconds_until_full": 86_370.0,
        "queued_rate": 10.0, "initiated_rate": 5.0, "cps": 5.0, "cps_configured": 2.0, "cps_learned": 5.0,
        "spared": 2, "announced": 3, "polled_seconds_ago": 1.5, "last_callback_seconds_ago": 60.0, "paused": True,
        "capped": False, "out_of_scope": 0, "cancelled_rate": 5.0, "forecast_dialled": 25.0, "incident": None,
        "holds": [
            {
                "reason": "paused", "by": "anna@web1", "why": "a test", "since": "2026-09-21T14:13:15.500000Z",
                "until": None, "text": view.holds[0].text,
            }
        ],
    }  # fmt: skip
    assert "by anna@web1: a test" in view.holds[0].text


def test_an_open_incident_is_shown_with_counts_that_add_up(services: Services, store: Store) -> None:
    clock, sid = services.clock, SID
    services.client().post("/api/reports", json={"calls": [reported(n, queue_time=None) for n in range(10)]})
    services.list_reported()
    scope = Scope(clock.ms - 60_000, frozenset({"abc"}))
    culprits = [Culprit("abc", "+1555***01", 0.9), Culprit("def", "+1555***02", 0.1)]
    store.incidents.trip(sid, 0, FINDING, Mode.ENFORCE, clock.ms, culprits, scope)
    store.incidents.start_drain(sid, 1, "me", Mode.ENFORCE)
    clock.pass_seconds(2)
    calls = store.tracker.head(sid, 5)
    store.incidents.settle_all(sid, 1, [(call, Outcome.CANCELLED) for call in calls[:4]], clock.ms)
    store.incidents.settle_all(sid, 1, [(calls[4], Outcome.DIALLED)], clock.ms)

    account = services.client().get(f"/api/accounts/{sid}").json

    counts = account["incident"]["calls"]
    assert (counts["cancelled"], counts["dialled"], counts["remaining"]) == (4, 1, 5)
    assert counts["found"] == sum(count for name, count in counts.items() if name != "found") == 10
    assert account["incident"]["scope"]["senders"] == ["+1555***01"]
    assert account["incident"]["rule"] == "manual"
    assert account["cancelled_rate"] == pytest.approx(4 / 2)
    assert account["forecast_dialled"] == pytest.approx(will_be_dialled(5, 2.0, 2.0, account["phantom_slots"]))


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("paused", [False, True])
@pytest.mark.parametrize("capped", [False, True])
@pytest.mark.parametrize("state", [State.ARMED, State.TRIPPED, State.DRAINING, State.COOLING])
def test_when_the_gate_is_closed(mode: Mode, paused: bool, capped: bool, state: State) -> None:
    snapshot = Snapshot(NOW_MS, state, paused, capped=capped)

    gate = gate_of(snapshot, Policy(mode=mode))

    is_closed = mode is Mode.ENFORCE and not paused and (state is not State.ARMED or capped)
    assert gate.allowed is not is_closed
    assert gate.state is snapshot.reported_state(Policy(mode=mode))


def test_the_gate_closes_with_a_trip_and_opens_with_a_pause(services: Services, store: Store) -> None:
    client, path = services.client(), f"/api/accounts/{SID}/gate"
    assert client.get(path).json == {"allowed": True, "state": "armed", "drain_seconds": 0.0, "holds": []}

    store.incidents.trip(SID, 0, FINDING, Mode.ENFORCE, services.clock.ms)
    assert client.get(path).json == {"allowed": False, "state": "tripped", "drain_seconds": 0.0, "holds": []}

    store.incidents.pause(SID, "we look into it", services.clock.ms)
    assert client.get(path).json == {"allowed": True, "state": "paused", "drain_seconds": 0.0, "holds": ["paused"]}


def test_a_guard_that_only_observes_keeps_the_gate_open(services: Services, store: Store) -> None:
    store.incidents.trip(OBSERVED_SID, 0, FINDING, Mode.OBSERVE, services.clock.ms)

    gate = services.client().get(f"/api/accounts/{OBSERVED_SID}/gate").json

    assert (gate["allowed"], gate["state"]) == (True, "tripped")


def test_the_gate_reads_once(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    snapshot = services.tracker.snapshot(SID, services.clock.ms)

    def note(account_sid: str, _: int) -> Snapshot:
        read.append(account_sid)
        return snapshot

    monkeypatch.setattr(services.tracker, "snapshot", note)
    monkeypatch.setattr(services, "readings", None)

    assert services.client().get(f"/api/accounts/{SID}/gate").status_code == 200
    assert read == [SID]


@pytest.mark.parametrize("path", ["", "/gate", "/campaigns"])
def test_an_unknown_account_is_not_found(services: Services, path: str) -> None:
    answer = services.client().get(f"/api/accounts/{UNKNOWN_SID}{path}")

    assert (answer.status_code, answer.json["code"]) == (404, "unknown_account")
    assert "GET /api/accounts" in answer.json["message"]


@pytest.mark.parametrize("path", ["", "/gate"])
def test_without_redis_the_answer_is_to_come_again(
    services: Services, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StoreUnavailable("no answer")

    monkeypatch.setattr(services.tracker, "snapshot", fail)
    monkeypatch.setattr(services.readings, "read", fail)

    answer = services.client().get(f"/api/accounts/{SID}{path}")

    assert (answer.status_code, answer.json["code"]) == (503, "unavailable")
    assert answer.headers["Retry-After"] == "1"


def test_calls_that_have_left_show_in_the_rate(services: Services) -> None:
    services.client().post("/api/reports", json={"calls": [reported(n) for n in range(20)]})
    now_ms = services.clock.now_ms()
    left = [CallEvent(call_sid(n), CallStatus.INITIATED, now_ms) for n in range(20)]
    services.tracker.observe(SID, left, services.accounts[SID].policy, now_ms, Source.CALLBACK)
    services.clock.pass_seconds(2)

    account = services.client().get(f"/api/accounts/{SID}").json

    assert (account["queued_rate"], account["initiated_rate"], account["queue_depth"]) == (2.0, 2.0, 0)
