"""The outbox: nothing is told twice, nothing is lost, and it does not grow for ever."""

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import redis

from callguard.domain.notices import Notice, NoticeKind
from callguard.domain.readings import OutboxFacts
from callguard.domain.results import NoticeResult
from callguard.errors import StoreUnavailable
from callguard.store import notices as notices_module
from callguard.store.connection import connect
from callguard.store.keys import NOTICES, NOTICES_TAKEN, told
from callguard.store.notices import RedisNotices
from callguard.store.script_connections import ScriptConnections
from callguard.store.scripts import Scripts

SID = "AC" + "0" * 31 + "1"
OTHER_SID = "AC" + "0" * 31 + "2"
NOTICE = Notice(SID, NoticeKind.WARNING, "spike: 33 of 65 (spike_burst)", 1_000)


def outbox(url: str) -> RedisNotices:
    """An outbox as another process would have it: on connections of its own."""
    return RedisNotices(connect(url, timeout=5), Scripts(ScriptConnections(connect(url, timeout=5))))


@pytest.fixture
def notices(redis_url: str) -> RedisNotices:
    return outbox(redis_url)


@pytest.fixture
def raw(redis_url: str) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


def texts(notices: RedisNotices, count: int = 10_000) -> list[str]:
    return [notice.text for _, notice in notices.waiting(count)]


def numbered(number: int) -> Notice:
    return replace(NOTICE, text=str(number), at_ms=number)


@pytest.mark.parametrize("kind", NoticeKind)
def test_a_notice_waits_as_it_was_posted_until_it_is_done(kind: NoticeKind, notices: RedisNotices) -> None:
    notice = replace(NOTICE, kind=kind, text="ü\n{}")
    assert notices.post(notice)

    ((notice_id, waiting),) = notices.waiting(10)
    assert waiting == notice

    notices.done(notice_id)
    notices.done(notice_id)
    assert notices.waiting(10) == []


def test_the_oldest_come_first(notices: RedisNotices) -> None:
    for number in range(5):
        notices.post(numbered(number))

    assert texts(notices, 3) == ["0", "1", "2"]


def test_what_is_told_once_is_not_told_again_so_soon(notices: RedisNotices, raw: "redis.Redis") -> None:
    later = replace(NOTICE, text="spike: 40 of 65", at_ms=2_000)

    assert notices.post(NOTICE, once="warning:spike", every_seconds=600)
    assert not notices.post(later, once="warning:spike", every_seconds=600)
    assert notices.post(later, once="warning:backlog", every_seconds=600)
    assert notices.post(replace(later, account_sid=OTHER_SID), once="warning:spike", every_seconds=600)

    assert 590 < raw.ttl(told(SID, "warning:spike")) <= 600
    raw.delete(told(SID, "warning:spike"))
    assert notices.post(replace(later, at_ms=3_000), once="warning:spike", every_seconds=600)
    assert len(texts(notices)) == 4


def test_once_without_a_time_holds_for_as_long_as_the_outbox(notices: RedisNotices, raw: "redis.Redis") -> None:
    assert notices.post(NOTICE, once=f"tripped:{SID}-1")
    assert not notices.post(replace(NOTICE, at_ms=2_000), once=f"tripped:{SID}-1")

    assert raw.ttl(told(SID, f"tripped:{SID}-1")) > 29 * 86_400


@pytest.mark.parametrize("once", ["", "warning:spike"])
def test_a_post_repeated_after_a_lost_reply_is_one_notice(once: str, notices: RedisNotices) -> None:
    assert notices.post(NOTICE, once=once, every_seconds=600)
    assert notices.post(NOTICE, once=once, every_seconds=600)

    assert texts(notices) == [NOTICE.text]


def test_a_repeat_after_delivery_is_no_second_notice(notices: RedisNotices) -> None:
    notices.post(NOTICE)
    ((notice_id, _),) = notices.waiting(1)
    notices.done(notice_id)

    assert notices.post(NOTICE)
    assert notices.waiting(1) == []


def test_of_many_processes_one_posts(redis_url: str) -> None:
    boxes = [outbox(redis_url) for _ in range(8)]
    start = threading.Barrier(8)

    def post(number: int) -> bool:
        start.wait(10)
        return boxes[number].post(numbered(number), once="warning:spike", every_seconds=600)

    with ThreadPoolExecutor(8) as pool:
        posted = list(pool.map(post, range(8)))

    assert sum(posted) == 1
    assert texts(boxes[0]) == [str(posted.index(True))]


def test_a_full_outbox_drops_the_oldest_and_says_so(
    notices: RedisNotices, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(notices_module, "MAX_NOTICES", 3)
    with caplog.at_level(logging.WARNING):
        for number in range(3):
            notices.post(numbered(number))
        assert caplog.text == ""

        notices.post(numbered(3))

    assert texts(notices) == ["1", "2", "3"]
    assert "the outbox is full (3 notices): the oldest 1 dropped untold" in caplog.text


def test_a_thousand_are_kept_for_thirty_days(notices: RedisNotices, raw: "redis.Redis") -> None:
    for number in range(1_002):
        notices.post(numbered(number))

    assert texts(notices) == [str(number) for number in range(2, 1_002)]
    assert 29 * 86_400 < raw.ttl(NOTICES) <= 30 * 86_400


def test_a_kind_of_a_newer_version_is_left_to_it(notices: RedisNotices, raw: "redis.Redis") -> None:
    raw.xadd(NOTICES, {"account_sid": SID, "kind": "newest", "text": "?", "at_ms": "1"})
    notices.post(NOTICE)

    assert texts(notices) == [NOTICE.text]
    assert raw.xlen(NOTICES) == 2


def test_all_keys_share_one_slot(notices: RedisNotices, raw: "redis.Redis") -> None:
    notices.post(NOTICE, once="cps")

    keys = set(raw.scan_iter("callguard:*"))
    assert keys == {"callguard:{notices}:outbox", f"callguard:{{notices}}:told:{SID}:cps"}


def test_what_became_of_notices_is_counted_once(notices: RedisNotices, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(2):
        notices.post(numbered(number))
    (first, _), (second, _) = notices.waiting(2)

    notices.failed(first, ["1-json"])
    notices.failed(first, [])
    for _ in range(2):
        notices.done(first, NoticeResult.DELIVERED)
    notices.done(second, NoticeResult.GIVEN_UP)
    monkeypatch.setattr(notices_module, "MAX_NOTICES", 1)
    for number in range(5, 8):
        notices.post(numbered(number))

    assert notices.facts().totals == {"failed": 2, "delivered": 1, "given_up": 1, "dropped": 2}


def test_the_age_of_the_oldest_is_known(notices: RedisNotices) -> None:
    assert notices.facts() == OutboxFacts({}, 0)

    notices.post(NOTICE)
    notices.post(replace(NOTICE, at_ms=2_000))

    assert notices.facts().oldest_ms == NOTICE.at_ms


def test_who_has_a_notice_is_known_to_whoever_takes_over(notices: RedisNotices, raw: "redis.Redis") -> None:
    notices.post(NOTICE)
    ((notice_id, _),) = notices.waiting(1)
    assert notices.taken_by(notice_id) == frozenset()

    notices.failed(notice_id, ["2-https", "1-json"])

    assert notices.taken_by(notice_id) == {"1-json", "2-https"}
    notices.done(notice_id)
    assert raw.hlen(NOTICES_TAKEN) == 0


def test_a_store_that_is_away_is_said_to_be() -> None:
    away = outbox("unix:///nowhere/callguard.sock")

    for use in (lambda: away.post(NOTICE), lambda: away.waiting(1), lambda: away.done("1-1")):
        with pytest.raises(StoreUnavailable):
            use()
