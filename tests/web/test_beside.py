"""What a web process does beside its requests: it beats, and has notices relayed where nobody else does."""

import pytest

from callguard.bootstrap import WebParts, build_web
from callguard.config.settings import load_settings
from callguard.domain.notices import Notice, NoticeKind
from callguard.domain.results import ApiRefusal
from callguard.watch.leased_relay import Started
from callguard.web.api.refusals import Refusals
from callguard.web.beside import beside
from callguard.web.twilio.dropped_news import telling
from tests.conftest import ACCOUNT_SID


@pytest.fixture
def services(redis_url: str) -> WebParts:
    return build_web(
        load_settings(
            {
                "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
                "TWILIO_AUTH_TOKEN": "a" * 32,
                "CALLGUARD_PUBLIC_URL": "https://guard.example.com",
                "CALLGUARD_REDIS_URL": redis_url,
            }
        )
    )


def test_it_beats_and_has_waiting_notices_relayed(services: WebParts, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []

    class Child:
        def poll(self) -> int | None:
            return None

    def start(owner: str) -> Started:
        started.append(owner)
        return Child()

    monkeypatch.setattr("callguard.bootstrap.start_relay", start)
    refusals = Refusals(services.clock, services.stores.notices)
    look = beside(services, refusals)._task

    for _ in range(3):
        look()
    assert services.stores.heartbeats.ages(services.clock.now_ms()).keys() == {"web"}
    assert started == []

    refusals.note(ApiRefusal.NO_KEY, "127.0.0.1")
    look()
    look()
    assert services.stores.api_refusals.totals() == {"no_key": 1}

    services.stores.notices.post(Notice(ACCOUNT_SID, NoticeKind.TRIPPED, "TRIPPED", services.clock.now_ms()))
    for _ in range(5):
        look()

    assert len(started) == 1
    assert services.stores.relay_lease.lead(started[0]), "the lease is the child's"


def test_what_it_drops_is_told_once_an_hour(services: WebParts) -> None:
    for _ in range(3):
        telling(services.stores.notices, services.clock)(ACCOUNT_SID, "callbacks:stale", "dropped")

    ((_, notice),) = services.stores.notices.waiting(10)
    assert (notice.kind, notice.account_sid) == (NoticeKind.DROPPED, ACCOUNT_SID)
