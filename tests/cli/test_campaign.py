"""`campaign` as a person uses it."""

import re
import time

import pytest

from callguard.config.accounts import Account
from callguard.domain.calls import CallEvent, CallStatus
from callguard.domain.notices import NoticeKind
from callguard.domain.policy import Policy
from callguard.domain.sources import Source
from callguard.store.notices import RedisNotices
from tests.calls import call_sid
from tests.cli.running import environ, run
from tests.conftest import ACCOUNT_SID, Store

__all__ = ["environ"]

pytestmark = pytest.mark.usefixtures("environ")
NUMBER, OTHER = "+15550001111", "+15550002222"


def call_from(number: str, count: int, store: Store, first: int = 0) -> None:
    """Create calls from a number."""
    sender = Account(ACCOUNT_SID, ("a" * 32,)).hasher.sender(number)
    now = time.time_ns() // 1_000_000
    news = [CallEvent(call_sid(n), CallStatus.QUEUED, now, sender=sender) for n in range(first, first + count)]
    store.tracker.observe(ACCOUNT_SID, news, Policy(), now, Source.REPORT)


def test_a_campaign_is_announced_listed_and_ended(store: Store) -> None:
    said = run("campaign", ACCOUNT_SID, "--calls", "3", "--from", NUMBER, "--until", "2h")
    assert said.exit_code == 0, said.output
    assert "3 calls from +1555***11 are announced until" in said.output
    assert NUMBER not in said.output

    call_from(NUMBER, 5, store)
    listed = run("campaign").output
    (name,) = re.findall(r"^([0-9a-f]{8})  3 of 3 calls from \+1555\*\*\*11, until", listed, re.MULTILINE)

    ended = run("campaign", "--end", name)
    assert f"{name} has ended: 3 of 3 calls came." in ended.output
    assert "over since" in run("campaign").output
    again = run("campaign", "--end", name).output
    assert re.fullmatch(f"{name} was over already, since .* UTC: 3 of 3 calls came.\n", again)


def test_beginning_and_end_are_told(store: Store, redis_url: str) -> None:
    run("campaign", "--calls", "10", "--until", "1h")
    run("campaign", "--end", store.campaigns.campaigns(ACCOUNT_SID)[0].id)

    notices = RedisNotices(store.campaigns._redis, store.campaigns._scripts).waiting(10)
    told = [notice.text for _, notice in notices if notice.kind is NoticeKind.CAMPAIGN]
    assert [text.split()[2] for text in told] == ["announced", "ended:"]
    assert "from any number" in told[0]


def queue_of_two(store: Store, sender: str | None) -> str:
    """Let 3 calls of NUMBER and 2 of OTHER wait, each of a campaign; return the id of the former."""
    run("campaign", "--calls", "3", *(("--from", sender) if sender else ()), "--until", "2h")
    (known,) = store.campaigns.campaigns(ACCOUNT_SID)
    call_from(NUMBER, 3, store)
    run("campaign", "--calls", "9", "--from", OTHER, "--until", "2h")
    call_from(OTHER, 2, store, first=10)
    return known.id


@pytest.mark.parametrize("sender", [NUMBER, None])
def test_only_its_own_calls_are_released(store: Store, sender: str | None) -> None:
    name = queue_of_two(store, sender)

    said = run("campaign", "--end", name, "--release").output

    assert "3 of its calls that are queued count as any other now" in said
    assert "more may be" not in said
    snapshot = store.tracker.snapshot(ACCOUNT_SID, time.time_ns() // 1_000_000)
    assert (snapshot.cancellable, snapshot.announced) == (3, 2)
    assert "\n0 of its calls" in run("campaign", "--end", name, "--release").output


def test_calls_that_may_be_anothers_are_named_and_left(store: Store) -> None:
    """The number's own campaign was full, so that some of its calls were taken for the one of any number."""
    run("campaign", "--calls", "9", "--until", "2h")
    run("campaign", "--calls", "2", "--from", NUMBER, "--until", "2h")
    shop, anybody = sorted(store.campaigns.campaigns(ACCOUNT_SID), key=lambda known: known.calls)
    call_from(NUMBER, 5, store)
    call_from(OTHER, 4, store, first=10)

    said = run("campaign", "--end", anybody.id, "--release").output

    command = f"callguard campaign {ACCOUNT_SID} --end {anybody.id} --release --shared"
    assert "\n4 of its calls" in said
    assert f"5 more may be its calls or those of {shop.id} (from +1555***11, 2 of 2 calls came)" in said
    assert said.endswith(f"\n  {command}\n")
    assert store.tracker.snapshot(ACCOUNT_SID, time.time_ns() // 1_000_000).announced == 5
    assert "\n5 of its calls" in run(*command.split()[1:]).output
    assert store.tracker.snapshot(ACCOUNT_SID, time.time_ns() // 1_000_000).announced == 0


def test_several_numbers_are_several_campaigns(store: Store) -> None:
    run("campaign", "--calls", "10", "--from", NUMBER, "--from", "+15550002222", "--until", "1h")

    assert {c.sender_shown for c in store.campaigns.campaigns(ACCOUNT_SID)} == {"+1555***11", "+1555***22"}


@pytest.mark.parametrize("address", ["jack", "client:joey?a=b", "12345", "sip:a@example.com:5061;transport=tls"])
def test_whoever_may_call_can_be_announced(store: Store, address: str) -> None:
    assert run("campaign", "--calls", "10", "--from", address, "--until", "1h").exit_code == 0

    assert len(store.campaigns.campaigns(ACCOUNT_SID)) == 1


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--calls", "5"), "--until"),
        (("--from", NUMBER), "--calls"),
        (("--calls", "0", "--until", "2h"), "--calls"),
        (("--calls", "5", "--until", "yesterday"), "2026-11-21T18:00+01:00"),
        (("--calls", "5", "--until", "2020-01-01T00:00Z"), "in the future"),
        (("--calls", "5", "--until", "8d"), "7 days"),
        (("--calls", "5", "--from", "555-000-1111", "--until", "2h"), "--from"),
        (("--calls", "5", "--from", "+1555*", "--until", "2h"), "prefix"),
        (("--calls", "5", "--from", "client:ja\x00ne", "--until", "2h"), "control character"),
        (("--end", "nonsense"), "no campaign nonsense"),
        (("--end", "nonsense", "--calls", "5", "--until", "2h"), "one of them"),
        (("--release",), "--end"),
        (("--end", "nonsense", "--shared"), "--release"),
        (("--end", "nonsense", "--release"), "no campaign nonsense"),
        (("AC" + "f" * 32, "--calls", "5", "--until", "2h"), ACCOUNT_SID),
    ],
)
def test_what_is_wrong_is_said(store: Store, words: tuple[str, ...], complaint: str) -> None:
    result = run("campaign", *words)

    assert result.exit_code != 0
    assert complaint in result.output
    assert store.campaigns.campaigns(ACCOUNT_SID) == []


def test_without_campaigns_it_says_so(store: Store) -> None:
    assert "has had no campaigns" in run("campaign").output
