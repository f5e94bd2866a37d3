"""How a clearance ends when it cannot come to its good end."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from callguard.cancel import backlog, manual_cancel
from callguard.cancel import liveness as silence
from callguard.cancel.liveness import Liveness
from callguard.cancel.manual_cancel import ManualCancel, ManualCancelEnd
from callguard.cancel.queue_search import find
from callguard.config.accounts import Account
from callguard.domain.calls import ListedCall
from callguard.domain.cancel_run import FoundCall, found_calls
from callguard.domain.selection import Selection
from callguard.domain.tally import Outcome
from callguard.errors import StoreUnavailable
from callguard.simulator import SANDBOX_AUTH_TOKEN
from callguard.store.cancel_runs import RedisCancelRun, RedisCancelRuns
from callguard.store.connection import connect
from callguard.store.script_connections import ScriptConnections
from callguard.store.scripts import Scripts
from callguard.telephony.calls import TwilioCalls
from callguard.telephony.cancelling import TwilioCanceller
from callguard.telephony.http_client import PooledHttpClient
from tests.cli.cancel.cancelling import SID, Emergency, emergency

ACCOUNT = Account(SID, (SANDBOX_AUTH_TOKEN,))


class Told:
    """Hears how a list is read, and does not wait."""

    def page(self, pages: int, listed: int, meant: int) -> None:
        """Nothing is shown."""

    def rest(self, seconds: float, reason: str) -> None:
        """The next try comes at once."""

    def restart(self, reason: str) -> None:
        """Nothing is shown."""


def _found(here: Emergency) -> list[ListedCall]:
    http_client = PooledHttpClient()
    try:
        return find(TwilioCalls({SID: ACCOUNT}, here.twilio.url, http_client), SID, Selection(), Told())
    finally:
        http_client.close()


def _clearing(here: Emergency, redis_url: str) -> RedisCancelRun:
    """Everything that is queued, in a record of its own."""
    cancel_runs = RedisCancelRuns(connect(redis_url), Scripts(ScriptConnections(connect(redis_url))))
    cancel_run = cancel_runs.begin(SID, "seal", 0)
    cancel_run.add(list(found_calls(_found(here), ACCOUNT.hasher, 0)))
    return cancel_run


def _cleared(
    here: Emergency, cancel_run: RedisCancelRun, *, listed: bool, token: str = SANDBOX_AUTH_TOKEN
) -> ManualCancelEnd:
    async def find_again() -> Sequence[FoundCall] | None:
        calls = await asyncio.to_thread(_found, here) if listed else None
        return None if calls is None else list(found_calls(calls, ACCOUNT.hasher, 0))

    async def clear() -> ManualCancelEnd:
        async with TwilioCanceller({SID: Account(SID, (token,))}, here.twilio.url) as canceller:
            return await ManualCancel(
                SID, cancel_run, Liveness(canceller, cancel_run), find_again, lambda: True
            ).run()

    return asyncio.run(clear())


def test_credentials_that_are_refused_end_it_with_one_request(tmp_path: Path, redis_url: str) -> None:
    with emergency(tmp_path, 50) as here:
        cancel_run = _clearing(here, redis_url)

        assert _cleared(here, cancel_run, listed=True, token="f" * 32) is ManualCancelEnd.DENIED
        assert cancel_run.tally().remaining == cancel_run.tally().found
        assert here.truth().cancelled == 0


def test_calls_of_which_no_answer_is_had_are_not_tried_for_ever(
    tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "MAX_ATTEMPTS", 2)
    with emergency(tmp_path, 10) as here:
        cancel_run = _clearing(here, redis_url)
        here.twilio.change_faults(SID, error_rate=1.0)

        assert _cleared(here, cancel_run, listed=True) is ManualCancelEnd.STUCK
        assert cancel_run.tally().remaining == cancel_run.tally().found
        here.twilio.change_faults(SID, error_rate=0.0)
        assert _cleared(here, cancel_run, listed=True) is ManualCancelEnd.CLEARED
        assert cancel_run.tally().is_clean


def test_a_twilio_that_never_answers_ends_it_by_time(tmp_path: Path, redis_url: str) -> None:
    with emergency(tmp_path, 100) as here:
        cancel_run = _clearing(here, redis_url)
        here.twilio.change(SID, latency=60.0)

        async def clear() -> tuple[ManualCancelEnd, float]:
            async with TwilioCanceller({SID: ACCOUNT}, here.twilio.url) as canceller:
                liveness = Liveness(canceller, cancel_run, most_silent_seconds=1.0)
                task = asyncio.create_task(
                    ManualCancel(SID, cancel_run, liveness, _never_asked, lambda: True).run()
                )
                await asyncio.sleep(0.5)
                silent_seconds = liveness.silent_seconds
                return await task, silent_seconds

        end, silent_seconds = asyncio.run(clear())
        assert end is ManualCancelEnd.STUCK
        assert silent_seconds > 0
        assert cancel_run.tally().remaining == cancel_run.tally().found > 0


async def _never_asked() -> Sequence[FoundCall] | None:
    raise AssertionError("calls are left, so no list is of use")


class FullDisk(RedisCancelRun):
    """A record that can be read, and takes nothing."""

    def settle(self, outcomes: Sequence[tuple[str, Outcome]]) -> bool:
        if outcomes:
            raise StoreUnavailable("MISCONF")
        return super().settle(outcomes)


def test_a_record_that_takes_nothing_ends_it_by_time(
    tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silence, "MAX_UNRECORDED_SECONDS", 1.0)
    with emergency(tmp_path, 50) as here:
        cancel_run = _clearing(here, redis_url)
        full = FullDisk(cancel_run._redis, cancel_run._scripts, cancel_run._keys, cancel_run._id)

        with pytest.raises(StoreUnavailable, match="MISCONF"):
            _cleared(here, full, listed=True)
        assert here.truth().requests.updates < 50


def test_a_list_that_cannot_be_read_again_is_no_good_end(tmp_path: Path, redis_url: str) -> None:
    with emergency(tmp_path, 20) as here:
        cancel_run = _clearing(here, redis_url)

        assert _cleared(here, cancel_run, listed=False) is ManualCancelEnd.UNLISTED
        assert cancel_run.tally().remaining == 0
        assert cancel_run.tally().count(Outcome.CANCELLED) == here.truth().cancelled


def test_a_list_that_lags_for_ever_is_believed_in_the_end(
    tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manual_cancel, "LAG_SECONDS", 1.0)
    monkeypatch.setattr(manual_cancel, "PAUSE_BETWEEN_LISTS_SECONDS", 0.2)
    with emergency(tmp_path, 20, latency=0.02) as here:
        cancel_runs = RedisCancelRuns(connect(redis_url), Scripts(ScriptConnections(connect(redis_url))))
        cancel_run = cancel_runs.begin(SID, "seal", 0)
        queued = [sid for sid, status in here.twilio.statuses(SID).items() if status == "queued"]
        stale = [FoundCall(sid, 0, protected=False) for sid in queued]
        cancel_run.add(stale)

        async def find_again() -> Sequence[FoundCall]:
            return stale

        async def clear() -> tuple[ManualCancelEnd, int]:
            async with TwilioCanceller({SID: ACCOUNT}, here.twilio.url) as canceller:
                cleared = ManualCancel(SID, cancel_run, Liveness(canceller, cancel_run), find_again, lambda: True)
                return await cleared.run(), cleared.lagging

        end, lagging = asyncio.run(clear())
        assert end is ManualCancelEnd.CLEARED
        assert lagging == len(queued) == cancel_run.tally().found
        assert here.truth().requests.updates == len(queued)
