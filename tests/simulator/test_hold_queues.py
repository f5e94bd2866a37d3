"""Hold queues of the simulated Twilio, and calls that are sent to other TwiML."""

from typing import Any

import pytest
import requests
from twilio.base.exceptions import TwilioRestException
from twilio.request_validator import RequestValidator

from callguard.simulator import SANDBOX_ACCOUNT_SID, SANDBOX_AUTH_TOKEN, Behaviour, RunningSimulator
from callguard.simulator.twiml import Act, BadTwimlError, Step, next_step
from tests.receiver import receiving
from tests.simulator.conftest import Connect, Simulate
from tests.simulator.test_shapes import check, openapi, reply_schema
from tests.waiting import wait_until

__all__ = ["openapi"]

SID = SANDBOX_ACCOUNT_SID
TALKING = Behaviour(ring_seconds=0, talk_seconds=600, answered=1, busy=0, no_answer=0, failed=0)
BASE = "/2010-04-01/Accounts/{AccountSid}"


def talking(simulator: RunningSimulator, client: Any, count: int = 1) -> list[str]:
    """Create calls and wait until somebody answers each."""
    usual = {"from_": "+15005550001", "twiml": "<Response/>"}
    sids = [client.calls.create(to=f"+1500555{n:04d}", **usual).sid for n in range(count)]
    wait_until(lambda: {simulator.statuses(SID)[sid] for sid in sids} == {"in-progress"}, "they are answered")
    return sids


def test_calls_on_hold_are_in_progress_and_listed_by_queue(simulate: Simulate, connect: Connect) -> None:
    simulator = simulate(cps=500, behaviour=TALKING)
    client = connect(simulator)
    first, second, third = talking(simulator, client, 3)
    for sid, queue in ((first, "support"), (second, "support"), (third, "sales")):
        simulator.put_on_hold(SID, sid, queue)

    queues = {queue.friendly_name: queue for queue in client.queues.list()}
    members = client.queues(queues["support"].sid).members.list()

    assert {name: queue.current_size for name, queue in queues.items()} == {"support": 2, "sales": 1}
    assert [(member.call_sid, member.position) for member in members] == [(first, 1), (second, 2)]
    assert {client.calls(sid).fetch().status for sid in (first, second, third)} == {"in-progress"}
    assert simulator.account(SID).on_hold == {"support": 2, "sales": 1}

    client.calls(first).update(status="completed")

    assert simulator.on_hold(SID, "support") == [second]


def test_pages_of_queues_and_members_follow_each_other(simulate: Simulate, connect: Connect) -> None:
    simulator = simulate(cps=500, behaviour=TALKING)
    client = connect(simulator)
    sids = talking(simulator, client, 7)
    for sid in sids:
        simulator.put_on_hold(SID, sid, "support")
        simulator.put_on_hold(SID, sid, f"queue of {sid}")
        simulator.put_on_hold(SID, sid, "support")

    queues = client.queues.list(page_size=3)
    (support,) = [queue for queue in queues if queue.friendly_name == "support"]

    assert len({queue.sid for queue in queues}) == len(queues) == 8
    assert [member.call_sid for member in client.queues(support.sid).members.list(page_size=2)] == sids


def test_replies_have_twilios_shape(simulate: Simulate, connect: Connect, openapi: Any) -> None:
    simulator = simulate(cps=500, behaviour=TALKING)
    for sid in talking(simulator, connect(simulator), 2):
        simulator.put_on_hold(SID, sid, "support")
    folder = f"{simulator.url}/2010-04-01/Accounts/{SID}/Queues"
    auth = (SID, SANDBOX_AUTH_TOKEN)

    queues = requests.get(f"{folder}.json?PageSize=1", auth=auth, timeout=10).json()
    queue = queues["queues"][0]
    members = requests.get(f"{folder}/{queue['sid']}/Members.json?PageSize=1", auth=auth, timeout=10).json()

    check(queues, reply_schema(openapi, f"{BASE}/Queues.json", "get", "200"), openapi)
    check(queue, {"$ref": "#/components/schemas/api.v2010.account.queue"}, openapi)
    check(members, reply_schema(openapi, f"{BASE}/Queues/{{QueueSid}}/Members.json", "get", "200"), openapi)
    check(members["queue_members"][0], {"$ref": "#/components/schemas/api.v2010.account.queue.member"}, openapi)
    assert members["next_page_uri"]
    unknown = requests.get(f"{folder}/QU{'0' * 32}/Members.json", auth=auth, timeout=10)
    assert (unknown.status_code, unknown.json()["code"]) == (404, 20404)
    bad = requests.get(f"{folder}.json?Page=1", auth=auth, timeout=10)
    assert (bad.status_code, bad.json()["code"]) == (400, 70002)


def test_only_who_talks_can_be_put_on_hold(simulate: Simulate) -> None:
    simulator = simulate()
    folder = f"{simulator.url}/simulator/accounts/{SID}"

    answer = requests.post(f"{folder}/hold", json={"queue": "a", "calls": ["CA" + "0" * 32]}, timeout=10)
    unnamed = requests.post(f"{folder}/hold", json={"calls": ["CA" + "0" * 32]}, timeout=10)

    assert (answer.status_code, unnamed.status_code) == (400, 400)
    with pytest.raises(ValueError, match="is not in progress"):
        simulator.put_on_hold(SID, "CA" + "0" * 32, "a")


@pytest.mark.parametrize(
    ("document", "step"),
    [
        ("<Response><Say>so</Say><Enqueue> my queue </Enqueue></Response>", Step(Act.ENQUEUE, "my queue")),
        ("<Response><Say>so</Say><Hangup/></Response>", Step(Act.HANG_UP)),
        ("<Response><Dial><Queue>q</Queue></Dial><Redirect/></Response>", Step(Act.DIAL_QUEUE, "q")),
        ("<Response><Dial>+15005550006</Dial></Response>", Step(Act.DIAL)),
        ("<Response/>", Step(Act.HANG_UP)),
    ],
)
def test_what_twiml_says(document: str, step: Step) -> None:
    assert next_step(document) == step


@pytest.mark.parametrize("document", ["", "sorry", "<Enqueue>q</Enqueue>", "<Response>"])
def test_what_is_no_twiml(document: str) -> None:
    with pytest.raises(BadTwimlError):
        next_step(document)


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_redirected_call_does_what_the_twiml_says(simulate: Simulate, connect: Connect, method: str) -> None:
    simulator = simulate(cps=500, behaviour=TALKING)
    client = connect(simulator)
    (sid,) = talking(simulator, client)
    with receiving(200, "<Response><Say>Hold on</Say><Enqueue>support</Enqueue></Response>") as receiver:
        url = f"{receiver.url}/twiml?a=b"
        assert client.calls(sid).update(url=url, method=method).status == "in-progress"
        wait_until(lambda: simulator.on_hold(SID, "support") == [sid], "it is on hold")

    (request,) = receiver.requests
    fields = request.fields if method == "POST" else {}
    assert request.method == method
    if method == "POST":
        assert (request.target, fields["CallSid"], fields["AccountSid"]) == ("/twiml?a=b", sid, SID)
    signature = request.headers["X-Twilio-Signature"]
    assert RequestValidator(SANDBOX_AUTH_TOKEN).validate(receiver.url + request.target, fields, signature)


def test_twiml_that_hangs_up_or_is_not_there_ends_the_call(simulate: Simulate, connect: Connect) -> None:
    simulator = simulate(cps=500, behaviour=TALKING)
    client = connect(simulator)
    told, lost = talking(simulator, client, 2)

    client.calls(told).update(twiml="<Response><Say>Sorry</Say><Hangup/></Response>")
    client.calls(lost).update(url="http://127.0.0.1:9/nothing")

    wait_until(lambda: {simulator.statuses(SID)[sid] for sid in (told, lost)} == {"completed"}, "both are over")


def test_an_agent_takes_the_first_caller(simulate: Simulate, connect: Connect) -> None:
    simulator = simulate(cps=500, behaviour=TALKING)
    client = connect(simulator)
    agent, first, second = talking(simulator, client, 3)
    for sid in (first, second):
        client.calls(sid).update(twiml="<Response><Enqueue>support</Enqueue></Response>")

    client.calls(agent).update(twiml="<Response><Dial><Queue>support</Queue></Dial></Response>")

    assert simulator.on_hold(SID, "support") == [second]
    assert simulator.statuses(SID)[first] == "in-progress"


@pytest.mark.parametrize("changes", [{"url": "nowhere"}, {"url": "http://127.0.0.1:9/", "method": "PUT"}])
def test_a_redirect_to_nowhere_is_refused(simulate: Simulate, connect: Connect, changes: dict[str, str]) -> None:
    simulator = simulate(cps=500, behaviour=TALKING)
    client = connect(simulator)
    (sid,) = talking(simulator, client)

    with pytest.raises(TwilioRestException) as refused:
        client.calls(sid).update(**changes)

    assert refused.value.status == 400
