"""What an update does to a call in each status, in the pure model and through the twilio library."""

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from callguard.simulator import SANDBOX_ACCOUNT_SID, Behaviour, RunningSimulator
from callguard.simulator.account import Account
from callguard.simulator.calls import Call, NewCall
from callguard.simulator.config import AccountConfig
from callguard.simulator.errors import ApiError
from callguard.simulator.updates import apply_update, read_update
from tests.simulator.conftest import Connect, Simulate
from tests.waiting import wait_until

NOW = 1_000_000.0
ORDER = NewCall("+15005550006", "+15005550001")
ANSWERED = Behaviour(ring_seconds=4, talk_seconds=20, answered=1, busy=0, no_answer=0, failed=0)
SECONDS_TO_REACH = {"queued": -1.0, "ringing": 0.0, "in-progress": 4.0, "completed": 24.0}
FORMS = {
    "canceled": {"Status": ["canceled"]},
    "completed": {"Status": ["completed"]},
    "url": {"Url": ["http://twiml.example/"]},
    "twiml": {"Twiml": ["<Response/>"]},
}
RULES = [
    ("queued", "canceled", "canceled"),
    ("queued", "completed", "canceled"),
    ("queued", "url", 21220),
    ("queued", "twiml", 21220),
    ("ringing", "canceled", "canceled"),
    ("ringing", "completed", "canceled"),
    ("ringing", "url", 21220),
    ("in-progress", "canceled", "in-progress"),
    ("in-progress", "completed", "completed"),
    ("in-progress", "url", "in-progress"),
    ("in-progress", "twiml", "in-progress"),
    ("completed", "canceled", 21220),
    ("completed", "completed", 21220),
    ("completed", "url", 21220),
]


def call_in(status: str, config: AccountConfig) -> tuple[Account, Call, float]:
    model = Account(config, "seed", lambda _: None)
    call = model.create(ORDER, NOW)
    moment = NOW + SECONDS_TO_REACH[status]
    model.advance(moment)
    assert call.status == status
    return model, call, moment


@pytest.mark.parametrize(("status", "form", "result"), RULES)
def test_the_rules(status: str, form: str, result: str | int) -> None:
    model, call, now = call_in(status, AccountConfig(behaviour=ANSWERED))

    if isinstance(result, int):
        with pytest.raises(ApiError) as refused:
            apply_update(model, call, read_update(FORMS[form]), now)
        assert (refused.value.http, refused.value.code, call.status) == (400, result, status)
    else:
        apply_update(model, call, read_update(FORMS[form]), now)
        assert call.status == result


def test_cancelling_a_live_call_is_refused_if_configured() -> None:
    model, call, now = call_in("in-progress", AccountConfig(behaviour=ANSWERED, refuse_cancel_in_progress=True))

    with pytest.raises(ApiError) as refused:
        apply_update(model, call, read_update(FORMS["canceled"]), now)

    assert (refused.value.code, call.status) == (21220, "in-progress")


@pytest.mark.parametrize("form", [{"Status": ["ringing"]}, {"Status": ["Canceled"]}, {}, {"Status": [""]}])
def test_an_update_that_means_nothing_is_refused(form: dict[str, list[str]]) -> None:
    with pytest.raises(ApiError) as refused:
        read_update(form)

    assert refused.value.http == 400


def client_with_call(simulator: RunningSimulator, connect: Connect, status: str) -> tuple[Client, str]:
    """A client and the SID of a call that has reached the status and stays there."""
    client = connect(simulator)
    create = {"to": "+15005550006", "from_": "+15005550001", "twiml": "<Response/>"}
    sids = [client.calls.create(**create).sid or "" for _ in range(2)]
    wanted = 1 if status == "queued" else 0  # the first is dialled at once, the second waits
    wait_until(lambda: simulator.statuses(SANDBOX_ACCOUNT_SID)[sids[wanted]] == status)
    return client, sids[wanted]


@pytest.mark.parametrize(
    ("status", "ring", "talk", "sent", "result"),
    [
        ("queued", 60, 60, "canceled", "canceled"),
        ("ringing", 60, 60, "canceled", "canceled"),
        ("in-progress", 0, 60, "canceled", "in-progress"),
        ("in-progress", 0, 60, "completed", "completed"),
        ("completed", 0, 0, "canceled", 21220),
    ],
)
def test_the_rules_through_the_twilio_library(
    simulate: Simulate, connect: Connect, status: str, ring: float, talk: float, sent: str, result: str | int
) -> None:
    behaviour = Behaviour(ring, talk, answered=1, busy=0, no_answer=0, failed=0)
    simulator = simulate(cps=0.01, behaviour=behaviour)
    client, sid = client_with_call(simulator, connect, status)

    if isinstance(result, int):
        with pytest.raises(TwilioRestException) as refused:
            client.calls(sid).update(status=sent)
        assert (refused.value.status, refused.value.code) == (400, result)
    else:
        assert client.calls(sid).update(status=sent).status == result
        assert client.calls(sid).fetch().status == result
    record = simulator.updates(SANDBOX_ACCOUNT_SID)[0]
    after = status if isinstance(result, int) else result
    assert (record.sid, record.status_sent, record.previous_status, record.result_status) == (
        sid,
        sent,
        status,
        after,
    )


def test_an_unknown_call_is_not_found(simulate: Simulate, connect: Connect) -> None:
    client = connect(simulate())

    with pytest.raises(TwilioRestException) as missing:
        client.calls("CA" + "0" * 32).update(status="canceled")

    assert (missing.value.status, missing.value.code) == (404, 20404)
