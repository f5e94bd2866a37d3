"""What people have decided, held against a server that loses it: nothing is done before it is made good."""

import json
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis

from callguard.domain.campaigns import Campaign
from callguard.domain.decisions import Decided, StateLost
from callguard.domain.live_call import Claim
from callguard.domain.policy import Mode, Policy
from callguard.domain.snapshot import Finding, Rule, Snapshot, State, Word
from callguard.domain.sources import Source
from callguard.domain.tally import Outcome
from callguard.errors import StoreUnavailable
from callguard.store.campaigns import RedisCampaigns
from callguard.store.connection import connect
from callguard.store.decision_file import DecisionFile
from callguard.store.decisions import RedisDecisions
from callguard.store.incidents import RedisIncidentStore
from callguard.store.keys import AccountKeys
from callguard.store.live_calls import RedisLiveCallStore
from callguard.store.script_connections import ScriptConnections
from callguard.store.scripts import Scripts
from tests.calls import call_sid, queued
from tests.conftest import ACCOUNT_SID, Store
from tests.frozen_clock import FrozenClock

SID = ACCOUNT_SID
FINDING = Finding(Rule.SPIKE, 70.5, 65, "spike_burst", 1_000)
POLICY = Policy(cps=5)
STATE = AccountKeys(SID).state
PATIENCE = 3_600.0
"""For so long a process that is not the watcher leaves it to the watcher: longer than any test."""


class Process:
    """The store of one process of the guard, with the memory that it has."""

    def __init__(
        self, url: str, clock: FrozenClock, folder: Path | None = None, others_first: float = 0.0
    ) -> None:
        connection = connect(url, timeout=5.0)
        scripts = Scripts(ScriptConnections(connect(url, timeout=5.0)))
        self.lost: list[StateLost] = []
        self.decisions = RedisDecisions(
            connection, scripts, clock, DecisionFile(folder) if folder is not None else None,
            others_first_seconds=others_first, tell=self.lost.append,
        )  # fmt: skip
        self.incidents = RedisIncidentStore(connection, scripts, self.decisions)
        self.campaigns = RedisCampaigns(connection, scripts)
        self.live_calls = RedisLiveCallStore(connection, scripts, self.decisions)


@pytest.fixture
def raw(redis_url: str) -> Iterator[Any]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def watcher(redis_url: str, clock: FrozenClock) -> Process:
    return Process(redis_url, clock)


@pytest.fixture
def web(redis_url: str, clock: FrozenClock) -> Process:
    return Process(redis_url, clock, others_first=PATIENCE)


def look(process: Process, store: Store, clock: FrozenClock) -> Snapshot:
    """Look as the watch does."""
    snapshot = store.tracker.snapshot(SID, clock.ms)
    if process.decisions.check(snapshot, SID):
        snapshot = store.tracker.snapshot(SID, clock.ms)
    return snapshot


def trips(process: Process, clock: FrozenClock, generation: int = 0) -> bool:
    return process.incidents.trip(SID, generation, FINDING, Mode.ENFORCE, clock.ms)


def fall_back(raw: Any, held: bytes) -> None:
    """Let the server be another one, which holds an older state."""
    raw.delete(STATE)
    raw.restore(STATE, 0, held)
    raw.hset(STATE, "server", "one that is gone")


def campaign(clock: FrozenClock, name: str = "c1", sender: str = "") -> Campaign:
    return Campaign(name, 300, 0, sender, "", clock.ms, clock.ms + 3_600_000, "a test")


def test_a_fresh_account_is_armed_and_nothing_is_told(watcher: Process, store: Store, clock: FrozenClock) -> None:
    assert look(watcher, store, clock).state is State.ARMED

    assert trips(watcher, clock)
    assert watcher.lost == []


def test_a_pause_outlives_an_emptied_server(
    watcher: Process, web: Process, store: Store, clock: FrozenClock, raw: Any
) -> None:
    look(watcher, store, clock)
    watcher.incidents.pause(SID, "a test", clock.ms, by="anna@web1", until_ms=clock.ms + 1000)
    look(watcher, store, clock)
    web.decisions.follow([SID])
    raw.flushall()

    assert not trips(web, clock)
    snapshot = look(watcher, store, clock)

    assert snapshot.paused
    assert snapshot.pause == Word("anna@web1", "a test", clock.ms, clock.ms + 1000)
    assert not trips(web, clock)
    (lost,) = watcher.lost
    assert (lost.was_emptied, lost.is_unknown) == (True, False)
    assert store.readings.read(SID, POLICY, clock.ms).totals["state_lost"] == 1


def test_a_pause_outlives_a_server_that_falls_back(
    watcher: Process, web: Process, store: Store, clock: FrozenClock, raw: Any
) -> None:
    store.tracker.observe(SID, [queued(n, clock.ms) for n in range(10)], POLICY, clock.ms, Source.POLL)
    look(watcher, store, clock)
    trips(watcher, clock)
    assert web.incidents.start_drain(SID, 1, "me", Mode.ENFORCE)
    before = raw.dump(STATE)
    watcher.incidents.pause(SID, "a test", clock.ms)
    look(watcher, store, clock)
    fall_back(raw, before)

    # The other process knows nothing of the pause, and must not go on all the same.
    with pytest.raises(StoreUnavailable):
        web.incidents.settle_all(SID, 1, [(call_sid(1), Outcome.CANCELLED)], clock.ms)
    with pytest.raises(StoreUnavailable):
        web.incidents.keep_drain(SID, 1, "me")
    web.incidents.yield_drain(SID, "me")
    assert not web.incidents.start_drain(SID, 1, "me", Mode.ENFORCE)
    assert web.live_calls.claim(SID, 1, call_sid(2), clock.ms, unheard=True) is Claim.STOPPED

    assert look(watcher, store, clock).paused
    assert not web.incidents.settle_all(SID, 1, (), clock.ms)
    assert not web.incidents.start_drain(SID, 1, "me", Mode.ENFORCE)
    assert [lost.was_emptied for lost in watcher.lost] == [False]


def test_what_was_cancelled_meanwhile_is_still_counted(
    watcher: Process, web: Process, store: Store, clock: FrozenClock, raw: Any
) -> None:
    store.tracker.observe(SID, [queued(n, clock.ms) for n in range(10)], POLICY, clock.ms, Source.POLL)
    look(watcher, store, clock)
    trips(watcher, clock)
    watcher.incidents.start_drain(SID, 1, "me", Mode.ENFORCE)
    raw.hset(STATE, "server", "one that is gone")
    with pytest.raises(StoreUnavailable):
        web.incidents.settle_all(SID, 1, [(call_sid(1), Outcome.CANCELLED)], clock.ms)

    incident = store.incidents.current(SID)
    assert incident is not None
    assert (incident.count(Outcome.CANCELLED), incident.found) == (1, 10)


def test_an_ordinary_restart_is_no_loss(
    watcher: Process, web: Process, store: Store, clock: FrozenClock, raw: Any
) -> None:
    look(watcher, store, clock)
    watcher.incidents.pause(SID, "a test", clock.ms)
    watcher.incidents.resume(SID, clock.ms)
    look(watcher, store, clock)
    raw.hset(STATE, "server", "one that is gone")

    assert not trips(web, clock)
    look(watcher, store, clock)
    assert trips(web, clock)
    assert watcher.lost == []


def test_a_state_that_an_older_version_wrote_is_taken_over_with_its_pause(
    watcher: Process, store: Store, clock: FrozenClock, raw: Any
) -> None:
    raw.hset(STATE, mapping={"state": "armed", "generation": 7, "paused": "1", "paused_reason": "a test"})

    snapshot = look(watcher, store, clock)

    assert (snapshot.paused, snapshot.pause.reason, snapshot.generation) == (True, "a test", 7)
    assert watcher.lost == []


def test_what_nobody_remembers_is_observed_until_a_person_speaks(
    watcher: Process, store: Store, clock: FrozenClock, raw: Any
) -> None:
    """The state is gone, and only the counters tell that there was one."""
    raw.hset(AccountKeys(SID).totals, "adopted", "1")
    store.tracker.observe(SID, [queued(n, clock.ms) for n in range(10)], POLICY, clock.ms, Source.POLL)

    snapshot = look(watcher, store, clock)

    assert snapshot.lost_ms == clock.ms
    assert snapshot.mode_under(POLICY) is Mode.OBSERVE
    assert [lost.is_unknown for lost in watcher.lost] == [True]
    assert trips(watcher, clock)
    incident = store.incidents.current(SID)
    assert incident is not None
    assert incident.mode is Mode.OBSERVE
    watcher.incidents.start_drain(SID, 1, "me", Mode.ENFORCE)
    assert not watcher.incidents.settle_all(SID, 1, (), clock.ms)
    assert not watcher.incidents.change_mode(SID, 1, Mode.ENFORCE)

    assert watcher.incidents.resume(SID, clock.ms, by="anna@web1")
    assert look(watcher, store, clock).lost_ms == 0
    assert watcher.incidents.change_mode(SID, 1, Mode.ENFORCE)
    assert watcher.incidents.settle_all(SID, 1, (), clock.ms)


@pytest.mark.parametrize("speak", ["pause", "resume", "reset"])
def test_any_word_of_a_person_ends_the_doubt(
    watcher: Process, store: Store, clock: FrozenClock, raw: Any, speak: str
) -> None:
    raw.hset(AccountKeys(SID).totals, "adopted", "1")
    look(watcher, store, clock)
    trips(watcher, clock)

    if speak == "pause":
        watcher.incidents.pause(SID, "", clock.ms)
    elif speak == "resume":
        watcher.incidents.resume(SID, clock.ms)
    else:
        assert watcher.incidents.rearm(SID, 1, "by hand", clock.ms, force=True, by="anna@web1")

    assert look(watcher, store, clock).lost_ms == 0


def test_the_guard_itself_ends_no_doubt(watcher: Process, store: Store, clock: FrozenClock, raw: Any) -> None:
    raw.hset(AccountKeys(SID).totals, "adopted", "1")
    look(watcher, store, clock)
    trips(watcher, clock)
    assert watcher.incidents.rearm(SID, 1, "quiet", clock.ms, force=True)

    assert look(watcher, store, clock).lost_ms


def test_a_stale_memory_undoes_no_newer_resume(
    redis_url: str, watcher: Process, store: Store, clock: FrozenClock, raw: Any
) -> None:
    stale = Process(redis_url, clock)
    look(watcher, store, clock)
    watcher.incidents.pause(SID, "a test", clock.ms)
    look(stale, store, clock)
    clock.pass_seconds(1)
    watcher.incidents.resume(SID, clock.ms)
    look(watcher, store, clock)
    raw.flushall()

    assert look(stale, store, clock).paused
    assert not look(watcher, store, clock).paused
    assert not look(stale, store, clock).paused
    assert trips(stale, clock)


def test_a_pause_on_an_emptied_server_is_kept(
    watcher: Process, store: Store, clock: FrozenClock, raw: Any
) -> None:
    look(watcher, store, clock)
    watcher.incidents.pause(SID, "a test", clock.ms)
    watcher.incidents.resume(SID, clock.ms)
    look(watcher, store, clock)
    clock.pass_seconds(1)
    raw.flushall()
    store.incidents.pause(SID, "now of all times", clock.ms)

    assert look(watcher, store, clock).pause.reason == "now of all times"


def test_a_reset_outlives_a_server_that_falls_back(
    watcher: Process, store: Store, clock: FrozenClock, raw: Any
) -> None:
    store.tracker.observe(SID, [queued(n, clock.ms) for n in range(10)], POLICY, clock.ms, Source.POLL)
    look(watcher, store, clock)
    trips(watcher, clock)
    watcher.incidents.start_drain(SID, 1, "me", Mode.ENFORCE)
    before, incident = raw.dump(STATE), raw.dump(AccountKeys(SID).incident)
    watcher.incidents.rearm(SID, 1, "a false alarm", clock.ms, force=True, by="anna@web1")
    look(watcher, store, clock)
    raw.restore(AccountKeys(SID).incident, 60_000, incident)
    fall_back(raw, before)

    assert look(watcher, store, clock).state is State.ARMED
    assert not watcher.incidents.settle_all(SID, 1, (), clock.ms)


def test_trips_are_counted_on_from_where_they_were(
    watcher: Process, store: Store, clock: FrozenClock, raw: Any
) -> None:
    """A drain of an incident that is forgotten must not fit to the next one."""
    look(watcher, store, clock)
    trips(watcher, clock)
    look(watcher, store, clock)
    raw.flushall()

    assert look(watcher, store, clock).generation == 1
    assert not watcher.incidents.settle_all(SID, 1, (), clock.ms)


@pytest.mark.parametrize("is_over", [False, True])
def test_calls_of_a_campaign_outlive_an_emptied_server(
    watcher: Process, store: Store, clock: FrozenClock, raw: Any, is_over: bool
) -> None:
    """Also those of one that is over, which wait still."""
    look(watcher, store, clock)
    watcher.campaigns.announce(SID, campaign(clock))
    calls = [queued(n, clock.ms) for n in range(300)]
    store.tracker.observe(SID, calls, POLICY, clock.ms, Source.POLL)
    assert store.tracker.snapshot(SID, clock.ms).announced == 300
    if is_over:
        clock.pass_seconds(1)
        watcher.campaigns.end_campaign(SID, "c1", clock.ms)
    look(watcher, store, clock)
    raw.flushall()
    early = [queued(n, clock.ms - 1000 * is_over) for n in range(5)]
    store.tracker.observe(SID, early, POLICY, clock.ms, Source.CALLBACK)
    look(watcher, store, clock)
    again = [queued(n, clock.ms - 1000 * is_over) for n in range(300)]
    store.tracker.observe(SID, again, POLICY, clock.ms, Source.POLL)

    snapshot = look(watcher, store, clock)
    assert (snapshot.announced, snapshot.cancellable) == ((295, 5) if is_over else (300, 0))
    (known,) = watcher.campaigns.campaigns(SID)
    assert bool(known.ended_ms) is is_over


def test_released_calls_stay_released(watcher: Process, store: Store, clock: FrozenClock, raw: Any) -> None:
    look(watcher, store, clock)
    watcher.campaigns.announce(SID, campaign(clock))
    clock.pass_seconds(1)
    watcher.campaigns.end_campaign(SID, "c1", clock.ms)
    watcher.campaigns.release(SID, "c1", [], clock.ms)
    look(watcher, store, clock)
    raw.flushall()
    look(watcher, store, clock)
    store.tracker.observe(SID, [queued(1, clock.ms - 500)], POLICY, clock.ms, Source.POLL)

    assert look(watcher, store, clock).announced == 0


def test_the_release_of_one_campaign_leaves_the_others_calls_alone(
    watcher: Process, web: Process, store: Store, clock: FrozenClock, raw: Any
) -> None:
    """Both have ended, one was released, and then all is lost."""
    look(watcher, store, clock)
    web.decisions.follow([SID])
    for name, sender in (("c1", "aaaaa"), ("c2", "bbbbb")):
        watcher.campaigns.announce(SID, campaign(clock, name, sender))
    clock.pass_seconds(1)
    for name in ("c1", "c2"):
        watcher.campaigns.end_campaign(SID, name, clock.ms)
    look(web, store, clock)  # it remembers them as they are before the release
    watcher.campaigns.release(SID, "c1", [], clock.ms)
    look(watcher, store, clock)
    assert watcher.lost == []
    look(web, store, clock)
    assert web.lost == []
    raw.flushall()
    look(watcher, store, clock)
    calls = [replace(queued(n, clock.ms - 500), sender="bbbbb" if n else "aaaaa") for n in range(3)]
    store.tracker.observe(SID, calls, POLICY, clock.ms, Source.POLL)

    assert look(watcher, store, clock).announced == 2
    assert store.tracker.head(SID, 5) == [call_sid(0)]


def test_a_campaign_that_a_failover_lost_is_announced_again(
    watcher: Process, store: Store, clock: FrozenClock, raw: Any
) -> None:
    keys = AccountKeys(SID)
    look(watcher, store, clock)
    watcher.campaigns.announce(SID, campaign(clock, "c1", "aaa"))
    before = raw.dump(STATE)
    watcher.campaigns.announce(SID, campaign(clock, "c2", "bbb"))
    watcher.campaigns.end_campaign(SID, "c1", clock.ms)
    look(watcher, store, clock)
    raw.hdel(keys.campaigns, "c2")
    fall_back(raw, before)
    look(watcher, store, clock)

    held = {known.id: known.is_open_at(clock.ms) for known in watcher.campaigns.campaigns(SID)}
    assert held == {"c1": False, "c2": True}
    assert raw.hget(STATE, "campaigns").decode().startswith("c2,bbb,")


class TestTheFile:
    def test_it_outlives_all_processes(
        self, redis_url: str, tmp_path: Path, store: Store, clock: FrozenClock, raw: Any
    ) -> None:
        first = Process(redis_url, clock, tmp_path / "data")
        look(first, store, clock)
        first.incidents.pause(SID, "a test", clock.ms)
        assert first.decisions.remember(SID)
        raw.flushall()

        assert look(Process(redis_url, clock, tmp_path / "data"), store, clock).paused

    def test_it_is_for_its_owner_only_and_holds_no_number(
        self, redis_url: str, tmp_path: Path, store: Store, clock: FrozenClock
    ) -> None:
        process = Process(redis_url, clock, tmp_path)
        process.campaigns.announce(SID, campaign(clock))
        look(process, store, clock)

        file = tmp_path / "decisions.json"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert [path.name for path in tmp_path.iterdir()] == ["decisions.json"]
        assert list(json.loads(file.read_text())["accounts"]) == [SID]

    @pytest.mark.parametrize("text", ["", "{", '{"version": 1, "accounts": {"' + SID + '": 3}}', '{"version": 9}'])
    def test_one_that_cannot_be_read_is_a_doubt(
        self, redis_url: str, tmp_path: Path, store: Store, clock: FrozenClock, text: str
    ) -> None:
        (tmp_path / "decisions.json").write_text(text)
        process = Process(redis_url, clock, tmp_path)

        assert look(process, store, clock).lost_ms
        (lost,) = process.lost
        assert "cannot be read" in lost.doubt or "newer version" in lost.doubt

    def test_its_doubt_is_of_every_account(
        self, redis_url: str, tmp_path: Path, store: Store, clock: FrozenClock
    ) -> None:
        """Also once the first of them has been written anew."""
        (tmp_path / "decisions.json").write_text("{")
        process, other = Process(redis_url, clock, tmp_path), "AC" + "0" * 31 + "2"
        look(process, store, clock)
        process.decisions.check(store.tracker.snapshot(other, clock.ms), other)

        assert store.tracker.snapshot(other, clock.ms).lost_ms

    def test_one_of_a_newer_version_is_left_alone(
        self, redis_url: str, tmp_path: Path, store: Store, clock: FrozenClock
    ) -> None:
        (tmp_path / "decisions.json").write_text('{"version": 9}')
        process = Process(redis_url, clock, tmp_path)
        look(process, store, clock)
        process.incidents.pause(SID, "a test", clock.ms)

        assert not process.decisions.remember(SID)
        assert (tmp_path / "decisions.json").read_text() == '{"version": 9}'

    def test_one_that_cannot_be_read_is_none_while_redis_knows(
        self, redis_url: str, tmp_path: Path, watcher: Process, store: Store, clock: FrozenClock
    ) -> None:
        look(watcher, store, clock)
        (tmp_path / "decisions.json").write_text("{")

        assert look(Process(redis_url, clock, tmp_path), store, clock).lost_ms == 0

    def test_a_folder_that_cannot_be_written_keeps_nobody_from_deciding(
        self, redis_url: str, store: Store, clock: FrozenClock, caplog: pytest.LogCaptureFixture
    ) -> None:
        process = Process(redis_url, clock, Path("/proc/nothing"))
        look(process, store, clock)
        process.incidents.pause(SID, "a test", clock.ms)

        assert not process.decisions.remember(SID)
        assert look(process, store, clock).paused
        assert caplog.text.count("CALLGUARD_DATA_DIR") == 1

    def test_a_pause_that_redis_did_not_take_is_taken_from_it(
        self, redis_url: str, tmp_path: Path, store: Store, clock: FrozenClock
    ) -> None:
        watching = Process(redis_url, clock, tmp_path)
        look(watching, store, clock)
        away = Process("unix:///nowhere/redis.sock", clock, tmp_path)
        with pytest.raises(StoreUnavailable):
            away.incidents.pause(SID, "a test", clock.ms)
        clock.pass_seconds(1)

        assert away.decisions.leave_pause(SID, Word("anna@web1", "a test", clock.ms))
        assert look(watching, store, clock).pause == Word("anna@web1", "a test", clock.ms)


def test_a_loss_without_a_watcher_is_made_good_by_whoever_is_refused(
    redis_url: str, store: Store, clock: FrozenClock, raw: Any
) -> None:
    web = Process(redis_url, clock, others_first=0.0)
    assert trips(web, clock)
    web.incidents.rearm(SID, 1, "by hand", clock.ms, force=True, by="anna@web1")
    web.incidents.pause(SID, "a test", clock.ms)
    web.decisions.follow([SID])
    raw.flushall()

    assert not trips(web, clock)
    assert store.tracker.snapshot(SID, clock.ms).paused
    assert len(web.lost) == 1


def test_a_memory_that_was_open_to_others_is_private_once_it_is_read(tmp_path: Path) -> None:
    file = DecisionFile(tmp_path)
    file.add(ACCOUNT_SID, Decided())
    assert file.path.stat().st_mode & 0o777 == 0o600
    file.path.chmod(0o644)

    assert DecisionFile(tmp_path).read(ACCOUNT_SID) is not None

    assert file.path.stat().st_mode & 0o777 == 0o600
