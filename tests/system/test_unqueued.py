"""A runaway that Twilio dials as fast as it is created: gunicorn, workers, Valkey, a receiver of notices."""

import pytest

from callguard.domain.snapshot import Rule
from callguard.domain.tally import Outcome
from tests.benchmarks.unqueued import CALLS, ONE, RATE, SLOW_CALLS, SLOW_RATE, client_of, create_for, scene
from tests.stack import SID
from tests.waiting import wait_until

pytestmark = [pytest.mark.full, pytest.mark.timeout(180)]


def test_calls_to_one_telephone_are_told_once_and_counted() -> None:
    with scene() as s:
        s.run_away(CALLS, RATE, ONE)
        wait_until(lambda: s.notices, "people are told", timeout=30)
        assert s.guard.twilio.account(SID).dialled < CALLS / 2, "while it runs"
        assert s.gate_is_open

        wait_until(lambda: s.guard.twilio.account(SID).dialled == CALLS, "all are dialled", timeout=90)
        (text,) = s.notices
        assert "TRIPPED without a queue: rule repeat" in text
        assert "being dialled to one destination, from +1555***00" in text
        incident = s.guard.stores.incidents.current(SID)
        assert incident is not None
        assert incident.finding.rule is Rule.REPEAT
        assert incident.count(Outcome.DIALLED) > CALLS / 2
        assert s.guard.twilio.account(SID).cancelled == 0
        assert s.guard.twilio.updates(SID) == []


def test_the_gate_shuts_and_our_client_creates_no_more() -> None:
    with scene(unqueued="block") as s:
        s.run_away(CALLS, RATE, ONE)
        wait_until(lambda: not s.gate_is_open, "the gate shuts", timeout=30)

        created, refused = create_for(client_of(s.guard), 2, RATE)

        assert (created, refused > 0) == (0, True)
        assert s.guard.twilio.account(SID).created < CALLS


def test_calls_to_many_telephones_open_an_incident() -> None:
    with scene() as s:
        s.run_away(SLOW_CALLS, SLOW_RATE, None)
        wait_until(lambda: s.guard.stores.incidents.current(SID), "an incident", timeout=60)

        incident = s.guard.stores.incidents.current(SID)
        assert incident is not None
        assert incident.finding.rule is Rule.INITIATED
        assert s.guard.twilio.account(SID).dialled < SLOW_CALLS, "while it runs"
