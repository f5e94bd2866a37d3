"""Campaigns that a person announces and ends, through the API or a command."""

from dataclasses import dataclass, field

import pytest

from callguard.config.accounts import Account
from callguard.detect.campaigns import AnnouncedCampaigns
from callguard.domain.campaigns import Campaign
from callguard.errors import StoreUnavailable
from callguard.store.campaigns import RedisCampaigns
from tests.conftest import ACCOUNT_SID, Store
from tests.frozen_clock import FrozenClock
from tests.outbox import Outbox

ACCOUNT = Account(ACCOUNT_SID, ("token",))
HOUR_MS = 3_600_000


@dataclass
class Memory:
    """What is remembered beside Redis; `is_down` cannot."""

    remembered: list[str] = field(default_factory=list)
    is_down: bool = False

    def remember(self, account_sid: str) -> bool:
        if self.is_down:
            raise StoreUnavailable("no answer")
        self.remembered.append(account_sid)
        return True


@dataclass
class Scene:
    """A store that is real, and who is told."""

    campaigns: RedisCampaigns
    clock: FrozenClock
    outbox: Outbox = field(default_factory=Outbox)
    memory: Memory = field(default_factory=Memory)

    def __post_init__(self) -> None:
        self.announced = AnnouncedCampaigns(self.campaigns, self.outbox, self.memory, self.clock)

    def announce(self) -> Campaign:
        """Announce one for an hour."""
        (one,) = self.announced.planned(ACCOUNT, 5, (), self.clock.ms + HOUR_MS, "ada")
        self.announced.announce(ACCOUNT_SID, [one])
        return one


@pytest.fixture
def scene(store: Store, clock: FrozenClock) -> Scene:
    return Scene(store.campaigns, clock)


def test_an_announcement_and_an_end_are_told_and_remembered(scene: Scene) -> None:
    one = scene.announce()
    ended = scene.announced.end(ACCOUNT_SID, one.id, release=False, with_shared=False)

    assert ended is not None
    assert (ended.campaign.id, ended.was_over, ended.released) == (one.id, False, None)
    assert scene.outbox.texts == [
        f"campaign {one.id} announced by ada: 5 calls from any number",
        f"campaign {one.id} ended: 0 of 5 calls came from any number",
    ]
    assert scene.memory.remembered == [ACCOUNT_SID] * 2


def test_an_end_whose_reply_was_lost_is_told_when_it_is_asked_for_again(scene: Scene) -> None:
    one = scene.announce()
    scene.campaigns.end_campaign(ACCOUNT_SID, one.id, scene.clock.ms)
    scene.clock.pass_seconds(2)

    for _ in range(2):
        ended = scene.announced.end(ACCOUNT_SID, one.id, release=False, with_shared=False)
        assert ended is not None
        assert ended.was_over

    assert [text.startswith(f"campaign {one.id} ended") for text in scene.outbox.texts] == [False, True]


def test_it_is_done_though_nobody_can_be_told_and_nothing_remembers_it(scene: Scene) -> None:
    scene.outbox.is_down = scene.memory.is_down = True

    one = scene.announce()

    assert [campaign.id for campaign in scene.announced.recent(ACCOUNT_SID)] == [one.id]


def test_a_release_that_fails_says_that_the_campaign_has_ended(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = scene.announce()

    def fail(*_: object) -> int:
        raise StoreUnavailable("no answer")

    monkeypatch.setattr(scene.campaigns, "release", fail)
    with pytest.raises(StoreUnavailable, match=f"{one.id} has ended, but its queued calls may not be released"):
        scene.announced.end(ACCOUNT_SID, one.id, release=True, with_shared=False)

    assert scene.outbox.texts[-1].startswith(f"campaign {one.id} ended")


def test_no_campaign_has_another_accounts_id(scene: Scene) -> None:
    assert scene.announced.end(ACCOUNT_SID, "c0ffee00", release=True, with_shared=True) is None
    assert scene.outbox.posted == []
