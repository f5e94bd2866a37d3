"""`PUT /api/call/cancel/{callSid}` on a simulated Twilio and a real store."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from callguard.cancel import single_cancel
from callguard.config.accounts import Account
from callguard.config.api_keys import Role
from callguard.domain.calls import CallEvent, CallStatus, ListedPage
from callguard.domain.incidents import Incident
from callguard.domain.policy import Mode, Policy
from callguard.domain.replies import CancelReply
from callguard.domain.snapshot import Finding, Rule
from callguard.domain.sources import Source
from callguard.domain.tally import Outcome
from callguard.simulator import (
    AccountConfig,
    Behaviour,
    RunningSimulator,
    SimulatorConfig,
    running,
)
from callguard.telephony.calls import TwilioCalls
from callguard.telephony.http_client import PooledHttpClient
from tests.calls import create_calls
from tests.conftest import Store, build_store
from tests.frozen_clock import FrozenClock
from tests.waiting import wait_until
from tests.web.api.served import FROM, PROTECTED, TO, Services, serve

SIDS = tuple("AC" + letter * 32 for letter in "abd")
FIRST, SECOND, THIRD = SIDS
TOKENS = {sid: f"token-of-{sid[-1]}" for sid in SIDS}
# Who is dialled is answered at once and talks on.
TALKING = Behaviour(ring_seconds=0.0, talk_seconds=600.0, answered=1.0, busy=0.0, no_answer=0.0, failed=0.0)

DONE = {"responseCode": 200, "message": "Call canceled successfully!", "data": {"removedJobs": 1}}
MISSING = {"responseCode": 400, "message": "Call id missing", "data": None}
NOT_FOUND = {"responseCode": 400, "message": "User call not found.", "data": None}
NOT_QUEUED = {
    "responseCode": 400,
    "message": "This call cannot be canceled as it is no longer in queue.",
    "data": None,
}


@dataclass
class Between:
    """The real adapter, with something that happens between its requests."""

    real: TwilioCalls
    after_look: Callable[[], object] = lambda: None
    before_cancel: Callable[[], object] = lambda: None
    after_cancel: Callable[[], object] = lambda: None

    def queued_calls(self, account_sid: str) -> Iterator[ListedPage]:
        return self.real.queued_calls(account_sid)

    def look_up(self, account_sid: str, call_sid: str) -> CancelReply:
        reply = self.real.look_up(account_sid, call_sid)
        self.after_look()
        return reply

    def cancel(self, account_sid: str, call_sid: str) -> CancelReply:
        self.before_cancel()
        try:
            return self.real.cancel(account_sid, call_sid)
        finally:
            self.after_cancel()


@dataclass
class Scene:
    """The API, its store and Twilio's truth."""

    services: Services
    store: Store
    twilio: RunningSimulator
    between: Between

    def put(self, call_sid: str, role: Role | None = Role.OPERATOR) -> Any:
        return self.services.client(role).put(f"/api/call/cancel/{call_sid}")

    def queue_calls(self, count: int = 1, account_sid: str = FIRST, **plan: Any) -> list[str]:
        """Create calls of which the store knows nothing."""
        known = self.twilio.statuses(account_sid)
        create_calls(self.twilio, account_sid, count, **plan)
        return [sid for sid in self.twilio.statuses(account_sid) if sid not in known]

    def mirror(self, call_sids: list[str], account_sid: str = FIRST, *, protected: bool = False) -> None:
        """Tell the store that the calls are queued."""
        now_ms = self.services.clock.now_ms()
        news = [CallEvent(sid, CallStatus.QUEUED, now_ms, protected=protected) for sid in call_sids]
        policy = self.services.accounts[account_sid].policy
        self.store.tracker.observe(account_sid, news, policy, now_ms, Source.REPORT)

    def mirrored(self, account_sid: str = FIRST) -> set[str]:
        return set(self.store.tracker.mirrored(account_sid))

    def status(self, call_sid: str, account_sid: str = FIRST) -> str:
        return self.twilio.statuses(account_sid)[call_sid]

    def sent(self, account_sid: str = FIRST) -> list[str | None]:
        """Return the statuses that updates asked for."""
        return [update.status_sent for update in self.twilio.updates(account_sid)]

    def fetches(self, account_sid: str) -> int:
        return self.twilio.account(account_sid).requests.fetches

    def call_back_canceled(self, call_sid: str) -> int:
        """Tell the store what Twilio's callback says of a cancelled call; return how many news that was."""
        now_ms, policy = self.services.clock.now_ms(), self.services.accounts[FIRST].policy
        news = [CallEvent(call_sid, CallStatus.CANCELED, now_ms)]
        return self.store.tracker.observe(FIRST, news, policy, now_ms, Source.CALLBACK).counted

    def open_incident(self, mode: Mode = Mode.ENFORCE) -> Callable[[], Incident]:
        """Trip, and return what tells of the incident."""
        now_ms = self.services.clock.now_ms()
        finding = Finding(Rule.MANUAL, 1.0, 1.0, "", now_ms)
        assert self.store.incidents.trip(FIRST, 0, finding, mode, now_ms)

        def current() -> Incident:
            incident = self.store.incidents.current(FIRST)
            assert incident is not None
            return incident

        return current


@contextmanager
def scene_of(
    store: Store, clock: FrozenClock, sids: tuple[str, ...] = (FIRST,), **simulated: Any
) -> Iterator[Scene]:
    usual = {"cps": 0.001, "latency": 0.005, "behaviour": TALKING}
    configs = tuple(AccountConfig(sid=sid, auth_token=TOKENS[sid], **{**usual, **simulated}) for sid in sids)
    accounts = {sid: Account(sid, (TOKENS[sid],), policy=Policy(never_cancel=(PROTECTED,))) for sid in sids}
    http_client = PooledHttpClient(timeout=1.0)
    with running(SimulatorConfig(accounts=configs)) as twilio:
        between = Between(TwilioCalls(accounts, twilio.url, http_client))
        services = serve(store, clock, accounts=accounts, telephony=between)
        scene = Scene(services, store, twilio, between)
        for sid in sids:
            scene.queue_calls(1, sid)  # the first is dialled at once; those after it wait
            wait_until(lambda sid=sid: twilio.account(sid).dialled == 1, "the first call is dialled")  # type: ignore[misc]
        yield scene
    http_client.close()


@pytest.fixture
def scene(store: Store, clock: FrozenClock) -> Iterator[Scene]:
    """One account with one call that talks."""
    with scene_of(store, clock) as scene:
        yield scene


@pytest.fixture
def three(store: Store, clock: FrozenClock) -> Iterator[Scene]:
    """Three accounts."""
    with scene_of(store, clock, SIDS) as scene:
        yield scene


def test_a_queued_call_is_cancelled_and_leaves_the_mirror(scene: Scene) -> None:
    wanted, other = scene.queue_calls(2)
    scene.mirror([wanted, other])

    answer = scene.put(wanted)

    assert (answer.status_code, answer.content_type, answer.json) == (200, "application/json", DONE)
    assert (scene.status(wanted), scene.status(other)) == ("canceled", "queued")
    assert scene.sent() == ["canceled"]
    assert scene.mirrored() == {other}
    assert scene.services.counted("calls:canceled", FIRST) == 1


def test_a_second_cancel_finds_it_no_longer_in_queue(scene: Scene) -> None:
    (call,) = scene.queue_calls()
    scene.put(call)

    answer = scene.put(call)

    assert (answer.status_code, answer.json) == (200, NOT_QUEUED)
    assert scene.sent() == ["canceled"]


def test_a_call_that_the_mirror_does_not_know_is_cancelled_too_and_never_gets_into_it(scene: Scene) -> None:
    (call,) = scene.queue_calls()

    assert scene.put(call).json == DONE
    scene.mirror([call])  # news that is late, such as a list that lags behind

    assert scene.mirrored() == set()


@pytest.mark.parametrize("number", ["911", "+911", "112", "+44999"])
def test_a_call_to_an_emergency_number_is_refused_in_clear_words(scene: Scene, number: str) -> None:
    (call,) = scene.queue_calls(to=number)

    answer = scene.put(call)

    assert (answer.status_code, answer.json["code"]) == (409, "emergency_call")
    assert "never cancels one" in answer.json["message"]
    assert scene.status(call) == "queued"
    assert scene.sent() == []


def test_a_call_that_no_api_request_has_made_is_refused(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    (call,) = scene.queue_calls()
    monkeypatch.setattr(scene.between, "look_up", lambda *_: CancelReply.OTHER_CALL)

    answer = scene.put(call)

    assert (answer.status_code, answer.json["code"]) == (409, "not_outbound_api")
    assert scene.sent() == []


def test_who_talks_is_left_alone(scene: Scene) -> None:
    (live,) = scene.twilio.statuses(FIRST)

    answer = scene.put(live)

    assert (answer.status_code, answer.json) == (200, NOT_QUEUED)
    assert scene.status(live) == "in-progress"
    assert scene.sent() == []


def test_what_rings_is_left_alone(store: Store, clock: FrozenClock) -> None:
    """Twilio would end a call that rings with `canceled`."""
    with scene_of(store, clock, behaviour=replace(TALKING, ring_seconds=600.0)) as scene:
        (rings,) = scene.twilio.statuses(FIRST)

        assert scene.put(rings).json == NOT_QUEUED
        assert scene.status(rings) == "ringing"
        assert scene.sent() == []


@pytest.mark.parametrize("refuses", [True, False])
def test_a_call_that_is_dialled_between_the_look_and_the_cancel(
    store: Store, clock: FrozenClock, refuses: bool
) -> None:
    with scene_of(store, clock, refuse_cancel_in_progress=refuses) as scene:
        (call,) = scene.queue_calls()
        scene.mirror([call])

        def dial() -> None:
            scene.twilio.change(FIRST, cps=1000.0)
            wait_until(lambda: scene.status(call) == "in-progress", "the call is answered")

        scene.between.before_cancel = dial

        assert scene.put(call).json == NOT_QUEUED
        assert scene.status(call) == "in-progress"
        assert scene.sent() == ["canceled"]
        assert scene.services.counted("calls:canceled", FIRST) == 0


def test_an_unknown_call(three: Scene) -> None:
    answer = three.put("CA" + "9" * 32)

    assert (answer.status_code, answer.json) == (200, NOT_FOUND)
    assert [three.fetches(sid) for sid in SIDS] == [1, 1, 1]


@pytest.mark.parametrize("call_sid", ["CA1", "MM" + "0" * 32, "CA" + "g" * 32, "CA" + "0" * 32 + "%0A", "..%2Fx"])
def test_what_can_be_no_call_is_not_asked_for(scene: Scene, call_sid: str) -> None:
    answer = scene.put(call_sid)

    if "%2F" in call_sid:
        assert answer.status_code == 404
    else:
        assert (answer.status_code, answer.json) == (200, NOT_FOUND)
    assert scene.fetches(FIRST) == 0


@pytest.mark.parametrize("path", ["/api/call/cancel", "/api/call/cancel/", "/api/call/cancel/%20"])
def test_without_a_call(scene: Scene, path: str) -> None:
    answer = scene.services.client().put(path)

    assert (answer.status_code, answer.json) == (200, MISSING)


def test_a_call_of_any_account_is_found(three: Scene) -> None:
    (call,) = three.queue_calls(1, THIRD)

    assert three.put(call).json == DONE
    assert three.status(call, THIRD) == "canceled"
    assert [three.sent(sid) for sid in SIDS] == [[], [], ["canceled"]]


def test_the_account_whose_mirror_knows_the_call_is_asked_first(three: Scene) -> None:
    (call,) = three.queue_calls(1, SECOND)
    three.mirror([call], SECOND)

    assert three.put(call).json == DONE
    assert [three.fetches(sid) for sid in SIDS] == [0, 1, 0]


def test_an_account_that_does_not_answer_hides_no_call_of_another(
    three: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(single_cancel, "MAX_TRIES", 2)
    (call,) = three.queue_calls(1, SECOND)
    three.twilio.change_faults(FIRST, error_rate=1.0)

    assert three.put(call).json == DONE
    answer = three.put("CA" + "9" * 32)

    # Nobody can say that there is no such call while one of the accounts cannot be asked.
    assert (answer.status_code, answer.json["code"]) == (503, "twilio_unavailable")


def test_wrong_credentials_are_no_unknown_call(scene: Scene) -> None:
    accounts = {FIRST: Account(FIRST, ("not-the-token",))}
    scene.services.telephony = TwilioCalls(accounts, scene.twilio.url, PooledHttpClient())

    answer = scene.put("CA" + "9" * 32)

    assert (answer.status_code, answer.json["code"]) == (502, "twilio_refused")
    assert "Retry-After" not in answer.headers


def test_a_lost_reply_is_resolved_by_a_look(scene: Scene) -> None:
    (call,) = scene.queue_calls()
    scene.mirror([call])
    scene.between.before_cancel = lambda: scene.twilio.change_faults(FIRST, lost_reply_rate=1.0)
    scene.between.after_cancel = lambda: scene.twilio.change_faults(FIRST, lost_reply_rate=0.0)

    answer = scene.put(call)

    assert answer.json == DONE
    assert scene.sent() == ["canceled"]
    assert scene.mirrored() == set()


def test_a_cancel_that_was_not_carried_out_is_sent_again(scene: Scene) -> None:
    (call,) = scene.queue_calls()
    scene.between.before_cancel = lambda: scene.twilio.change_faults(FIRST, error_rate=float(not scene.sent()))
    scene.between.after_cancel = lambda: scene.twilio.change_faults(FIRST, error_rate=0.0)

    assert scene.put(call).json == DONE
    assert scene.sent() == ["canceled", "canceled"]


@pytest.mark.parametrize("fault", ["error_rate", "lost_reply_rate", "hang_rate"])
def test_a_twilio_that_is_away_is_no_success(scene: Scene, fault: str) -> None:
    (call,) = scene.queue_calls()
    scene.mirror([call])
    scene.twilio.change_faults(FIRST, **{fault: 1.0})
    began = time.monotonic()

    answer = scene.put(call)

    assert (answer.status_code, answer.json["code"]) == (503, "twilio_unavailable")
    assert answer.headers["Retry-After"] == "1"
    assert time.monotonic() - began < 10
    requests = scene.twilio.account(FIRST).requests
    assert 1 <= requests.errors + requests.fetches + requests.hangs <= single_cancel.MAX_TRIES
    assert scene.status(call) == "queued"
    assert scene.mirrored() == {call}


def test_replies_that_are_all_lost_after_a_cancel_leave_it_open(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    (call,) = scene.queue_calls()
    scene.mirror([call])
    scene.between.after_look = lambda: scene.twilio.change_faults(FIRST, lost_reply_rate=1.0)

    answer = scene.put(call)
    assert (answer.status_code, answer.json["code"]) == (503, "twilio_unavailable")
    assert "may or may not be cancelled" in caplog.text
    assert scene.status(call) == "canceled"

    scene.twilio.change_faults(FIRST, lost_reply_rate=0.0)
    scene.between.after_look = lambda: None
    assert scene.put(call).json == NOT_QUEUED
    assert scene.mirrored() == set()


def test_a_throttled_request_is_no_success(scene: Scene) -> None:
    (call,) = scene.queue_calls()
    scene.twilio.change(FIRST, ceiling=1, latency=6.0)
    hog = threading.Thread(target=lambda: list(TwilioCalls(
        scene.services.accounts, scene.twilio.url, PooledHttpClient(timeout=20.0)
    ).queued_calls(FIRST)))  # fmt: skip
    hog.start()
    wait_until(lambda: scene.twilio.account(FIRST).in_flight == 1, "somebody else is served")

    answer = scene.put(call)
    hog.join()

    assert (answer.status_code, answer.json["code"]) == (503, "throttled")
    assert int(answer.headers["Retry-After"]) >= 1
    assert scene.status(call) == "queued"


def test_without_redis_nothing_is_asked_of_twilio(scene: Scene) -> None:
    (call,) = scene.queue_calls()
    scene.services.tracker = build_store("unix:///nowhere/redis.sock", patience=0.2).tracker

    answer = scene.put(call)

    assert (answer.status_code, answer.json["code"]) == (503, "unavailable")
    assert answer.headers["Retry-After"]
    assert scene.fetches(FIRST) == 0
    assert scene.status(call) == "queued"


def test_a_redis_that_goes_away_after_the_cancel_makes_it_no_failure(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """The call is cancelled, and that was asked; the watcher puts the mirror right by Twilio's list."""
    (call,) = scene.queue_calls()
    scene.mirror([call])
    down = build_store("unix:///nowhere/redis.sock", patience=0.2).tracker
    use_case = scene.services.single_cancel

    def count(account: Account, events: Sequence[CallEvent]) -> None:
        down.observe(account.sid, events, account.policy, scene.services.clock.now_ms(), Source.REPORT)

    scene.between.after_cancel = lambda: setattr(use_case, "_count", count)

    assert use_case.cancel(call, "me") is single_cancel.Verdict.CANCELLED
    assert "could not be noted" in caplog.text
    assert scene.put(call).json == NOT_QUEUED
    assert scene.mirrored() == set()


@pytest.mark.parametrize("role", [Role.VIEWER, Role.REPORTER, None])
def test_only_an_operator_may(scene: Scene, role: Role | None) -> None:
    (call,) = scene.queue_calls()

    answer = scene.put(call, role)

    assert answer.status_code == (401 if role is None else 403)
    assert scene.status(call) == "queued"
    assert scene.fetches(FIRST) == 0


def test_in_an_open_incident_the_ledger_adds_up(scene: Scene) -> None:
    calls = scene.queue_calls(3)
    scene.mirror(calls)
    incident = scene.open_incident()
    assert (incident().found, incident().remaining) == (3, 3)

    assert scene.put(calls[0]).json == DONE
    assert scene.call_back_canceled(calls[0]) == 0
    scene.store.incidents.settle_all(FIRST, 1, [(calls[0], Outcome.CANCELLED)], scene.services.clock.now_ms())

    assert (incident().count(Outcome.CANCELLED), incident().remaining, incident().found) == (1, 2, 3)
    assert scene.services.counted("cancellations:cancelled", FIRST) == 1
    assert scene.services.counted("calls:canceled", FIRST) == 1


def test_what_the_drain_has_settled_is_not_settled_again(scene: Scene) -> None:
    calls = scene.queue_calls(2)
    scene.mirror(calls)
    incident = scene.open_incident()

    def drain_is_faster() -> None:
        scene.between.real.cancel(FIRST, calls[0])
        now_ms = scene.services.clock.now_ms()
        scene.store.incidents.settle_all(FIRST, 1, [(calls[0], Outcome.CANCELLED)], now_ms)

    scene.between.before_cancel = drain_is_faster
    scene.put(calls[0])

    assert (incident().count(Outcome.CANCELLED), incident().remaining, incident().found) == (1, 1, 2)
    assert scene.mirrored() == {calls[1]}


def test_a_person_may_cancel_a_call_that_the_guard_never_does(scene: Scene) -> None:
    """Also while the guard is paused: that holds back the guard, not its operator."""
    (protected, other) = scene.queue_calls(2, from_number=PROTECTED)
    scene.mirror([protected, other], protected=True)
    incident = scene.open_incident()
    scene.store.incidents.pause(FIRST, "a bad night", scene.services.clock.now_ms())
    assert incident().found == 2

    assert scene.put(protected).json == DONE

    assert scene.status(protected) == "canceled"
    assert scene.mirrored() == {other}
    assert (incident().found, incident().protected, incident().count(Outcome.PROTECTED)) == (2, 1, 1)
    assert scene.store.tracker.snapshot(FIRST, scene.services.clock.now_ms()).paused


def test_the_log_says_who_and_no_number(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    (call,) = scene.queue_calls(from_number=FROM, to=TO)

    scene.put(call)

    assert f"the operator asked to cancel call …{call[-4:]}: cancelled" in caplog.text
    said = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("callguard"))
    assert call not in said
    assert FROM[2:] not in said
    assert TO[2:] not in said
