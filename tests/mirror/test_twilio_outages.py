"""People hear that Twilio refuses us or cannot be read, once an outage, and that it is over."""

import logging

import pytest

from callguard.domain.notices import NoticeKind, Outage
from callguard.errors import TwilioRefused, TwilioUnavailable
from callguard.mirror.twilio_outages import TwilioOutages
from callguard.store.connection import connect
from callguard.store.outages import RedisOutages
from tests.conftest import ACCOUNT_SID as SID
from tests.frozen_clock import FrozenClock
from tests.outbox import Outbox

DENIED = TwilioRefused("Twilio answered 401 to a list", 20003, 401)
AWAY = TwilioUnavailable("Twilio did not answer: ConnectTimeoutError")


class World:
    """Reaches of several processes, on one server and one clock."""

    def __init__(self, redis_url: str, clock: FrozenClock) -> None:
        self.clock = clock
        self.outages = RedisOutages(connect(redis_url, timeout=5.0))
        self.outbox = Outbox()
        self.watcher, self.drain = self.another(), self.another()

    def another(self) -> TwilioOutages:
        return TwilioOutages(self.outages, self.outbox, self.clock)

    def kinds(self) -> list[NoticeKind]:
        return [notice.kind for notice in self.outbox.posted]


@pytest.fixture
def world(redis_url: str, clock: FrozenClock) -> World:
    return World(redis_url, clock)


def test_refused_credentials_are_told_at_once_and_once(world: World, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(40):
        world.another().cancel_denied(SID)  # each run of the drain is a process of its own
        world.watcher.list_failed(SID, DENIED)
        world.clock.pass_seconds(1)

    (notice,) = world.outbox.posted
    assert notice.kind is NoticeKind.DENIED
    assert notice.text.startswith(
        "Twilio refuses our credentials (401 or 403) for cancelling. The incident is open"
    )
    assert "TWILIO_AUTH_TOKEN" in notice.text
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_that_they_are_accepted_again_is_told_when_both_ways_work(world: World) -> None:
    world.watcher.list_failed(SID, DENIED)
    world.drain.cancel_denied(SID)
    world.clock.pass_seconds(300)

    world.watcher.list_read(SID, has_incident=True)
    assert len(world.outbox.posted) == 1
    world.drain.cancel_served(SID)
    world.drain.cancel_served(SID)
    world.watcher.list_read(SID, has_incident=True)

    assert world.outbox.texts[1:] == [
        "Twilio accepts our credentials again, after 5 min. The guard goes on by itself."
    ]
    assert world.outages.now(SID) == {}


def test_a_second_outage_is_told_anew(world: World) -> None:
    for _ in range(2):
        world.watcher.list_failed(SID, DENIED)
        world.clock.pass_seconds(60)
        world.watcher.list_read(SID, has_incident=False)
        world.clock.pass_seconds(60)

    assert world.kinds() == [NoticeKind.DENIED] * 4


def test_refused_cancels_are_forgotten_with_the_incident(world: World) -> None:
    world.drain.cancel_denied(SID)

    world.watcher.list_read(SID, has_incident=True)
    assert Outage.CANCEL_DENIED in world.outages.now(SID)
    world.watcher.list_read(SID, has_incident=False)

    assert world.outages.now(SID) == {}
    assert len(world.outbox.posted) == 1


def test_a_hiccup_is_told_to_nobody(world: World) -> None:
    for _ in range(29):
        world.watcher.list_failed(SID, AWAY)
        world.clock.pass_seconds(1)
    world.watcher.list_read(SID, has_incident=False)
    world.watcher.list_failed(SID, AWAY)

    assert world.outbox.posted == []


def test_blind_for_half_a_minute_is_told_and_seeing_again(world: World) -> None:
    for _ in range(90):
        world.watcher.list_failed(SID, AWAY)
        world.clock.pass_seconds(1)
    assert world.outages.now(SID).keys() == {Outage.LIST}
    world.another().list_read(SID, has_incident=False)  # another watcher may lead by now

    assert world.kinds() == [NoticeKind.BLIND] * 2
    blind, seeing = world.outbox.texts
    assert blind.startswith(
        "Twilio's list of queued calls could not be read for 30 s: Twilio did not answer: Conn"
    )
    assert "https://status.twilio.com" in blind
    assert seeing == "Twilio's list of queued calls is read again, after 90 s. Nothing is to be done."


def test_where_the_store_has_told_of_no_outage_it_is_not_asked_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.watcher.list_failed(SID, AWAY)
    world.clock.pass_seconds(29)
    monkeypatch.setattr(world.outages, "now", lambda _sid: pytest.fail("it was asked"))

    world.watcher.list_read(SID, has_incident=False, outages=0)
    world.watcher.list_failed(SID, AWAY)
    world.clock.pass_seconds(29)
    world.watcher.list_failed(SID, AWAY)

    assert world.outbox.posted == [], "the time that counts begins anew"


def test_a_redis_that_is_away_holds_nobody_up(clock: FrozenClock) -> None:
    away = RedisOutages(connect("unix:///nowhere/callguard.sock"))
    outages = TwilioOutages(away, Outbox(), clock)

    outages.list_failed(SID, DENIED)
    outages.list_read(SID, has_incident=False)
    outages.cancel_denied(SID)
    outages.cancel_served(SID)
