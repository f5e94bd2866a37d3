"""The loop of every longer cancelling, and when it is no use to go on: by clocks that are moved by hand."""

import asyncio
import threading
from collections.abc import Sequence
from contextlib import suppress

import pytest

from callguard.cancel.liveness import MAX_SILENT_SECONDS, MAX_UNRECORDED_SECONDS, Liveness
from callguard.cancel.time_slice import FAIR_SECONDS, MAX_SECONDS, TimeSlice
from callguard.cancel.until_empty import Listed, in_thread, until_empty
from callguard.domain.replies import CancelReply
from callguard.domain.tally import Outcome
from callguard.errors import StoreUnavailable, TwilioRefused, TwilioThrottled, TwilioUnavailable
from callguard.mirror.renewed_lease import RenewedLease

NOTHING, CALLS, UNCLEAR = Listed.NOTHING, Listed.CALLS, Listed.UNCLEAR
AWAY = StoreUnavailable("away")
SID = "CA1"


class World:
    """Twilio, a ledger, a queue of jobs and a clock, all of which do as they are told."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.reply: CancelReply | Exception = CancelReply.CANCELLED
        self.is_full = False
        self.others = False
        self.waits: list[int] = []

    def monotonic(self) -> float:
        return self.seconds

    async def cancel(self, _account_sid: str, _call_sid: str) -> CancelReply:
        if isinstance(self.reply, Exception):
            raise self.reply
        return self.reply

    look_up = cancel

    def head(self, _count: int) -> Sequence[str]:
        return [SID]

    def settle(self, _outcomes: Sequence[tuple[str, Outcome]]) -> bool:
        if self.is_full:
            raise AWAY
        return True

    def wake(self, _account_sid: str, _generation: int) -> bool:
        return True

    def others_wait(self, _account_sid: str) -> bool:
        return self.others

    async def wait_for_store(self, error: StoreUnavailable, failures: int) -> None:
        self.waits.append(failures)
        if failures == 3:
            raise error


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def liveness(world: World) -> Liveness:
    made = Liveness(world, world, monotonic=world.monotonic)
    made.begin()
    return made


def ended(world: World, lists: Sequence[Listed | str | Exception], sweeps: Sequence[str | None] = ()) -> str:
    """Go through what the sweeps and the lists bring, and return how it ends."""
    sweeping, listing = iter([*sweeps, *[None] * 20]), iter(lists)

    async def sweep() -> str | None:
        return next(sweeping)

    async def read_list() -> Listed | str:
        shown = next(listing)
        if isinstance(shown, Exception):
            raise shown
        return shown

    return asyncio.run(until_empty(sweep, read_list, lambda: "empty", world.wait_for_store))


@pytest.mark.parametrize(
    "lists",
    [
        [NOTHING, NOTHING],
        [NOTHING, CALLS, NOTHING, NOTHING],
        [NOTHING, UNCLEAR, NOTHING],
        [AWAY, AWAY, NOTHING, AWAY, AWAY, NOTHING],
    ],
)
def test_two_lists_with_nothing_end_it(world: World, lists: Sequence[Listed | Exception]) -> None:
    assert ended(world, lists) == "empty"


def test_a_sweep_and_a_list_may_end_it_before(world: World) -> None:
    assert ended(world, [CALLS, CALLS], [None, "stopped"]) == "stopped"
    assert ended(world, [CALLS, "not read"]) == "not read"


def test_failures_of_the_store_are_counted_in_a_row(world: World) -> None:
    with pytest.raises(StoreUnavailable):
        ended(world, [AWAY, NOTHING, AWAY, AWAY, AWAY])

    assert world.waits == [1, 1, 2, 3]


def fail() -> str:
    raise StoreUnavailable("away")


def test_a_list_is_read_in_a_thread() -> None:
    async def read() -> tuple[str, bool]:
        failing = in_thread(fail)
        await asyncio.wait({failing})
        return await in_thread(lambda: threading.current_thread().name), isinstance(
            failing.exception(), StoreUnavailable
        )

    assert asyncio.run(read()) == ("list", True)


def test_nobody_waits_for_a_list_once_the_run_is_over(caplog: pytest.LogCaptureFixture) -> None:
    may_end, names = threading.Event(), list[threading.Thread]()

    def read_for_ever() -> str:
        names.append(threading.current_thread())
        may_end.wait()
        return fail()

    async def give_up() -> None:
        in_thread(fail)
        await asyncio.wait({in_thread(read_for_ever)}, timeout=0.05)

    asyncio.run(give_up())
    may_end.set()
    names[0].join()

    assert names[0].daemon
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("reply", "is_of_use"),
    [
        (CancelReply.CANCELLED, True),
        (CancelReply.DIALLED, True),
        (TwilioRefused("400"), True),
        (CancelReply.STILL_QUEUED, False),
        (TwilioUnavailable("no answer"), False),
    ],
)
def test_only_replies_of_use_keep_it_going(
    world: World, liveness: Liveness, reply: CancelReply | Exception, is_of_use: bool
) -> None:
    world.seconds += MAX_SILENT_SECONDS
    world.reply = reply
    asyncio.run(_asked(liveness))

    assert liveness.is_stuck() is not is_of_use
    assert liveness.silent_seconds == (0.0 if is_of_use else MAX_SILENT_SECONDS)


def test_a_throttled_twilio_is_there(world: World, liveness: Liveness) -> None:
    world.seconds += MAX_SILENT_SECONDS
    world.reply = TwilioThrottled("429")
    asyncio.run(_asked(liveness))

    assert liveness.is_throttled
    assert not liveness.is_stuck()
    assert liveness.silent_seconds == MAX_SILENT_SECONDS


def test_no_silence_is_counted_while_nothing_is_asked(world: World, liveness: Liveness) -> None:
    liveness.rest()
    world.seconds += MAX_SILENT_SECONDS
    assert not liveness.is_stuck()
    liveness.begin()
    assert liveness.silent_seconds == 0.0


def test_a_ledger_that_takes_nothing_is_waited_for_and_no_silence(world: World, liveness: Liveness) -> None:
    world.is_full = True
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            liveness.settle([(SID, Outcome.CANCELLED)])
        assert not liveness.is_stuck()
        world.seconds += MAX_UNRECORDED_SECONDS / 3
    assert liveness.is_stuck()
    assert liveness.error is AWAY
    world.is_full = False
    liveness.settle([])
    assert not liveness.is_stuck()


async def _asked(liveness: Liveness) -> None:
    with suppress(TwilioRefused, TwilioThrottled, TwilioUnavailable):
        await liveness.cancel("AC1", SID)


def test_a_turn_ends_with_its_time(world: World) -> None:
    turn = TimeSlice("AC1", RenewedLease(lambda: True), world, world.monotonic)
    world.seconds += MAX_SECONDS - 0.1
    assert turn.may_go_on()
    world.seconds += 0.1
    assert not turn.may_go_on()


def test_a_turn_ends_early_once_others_wait(world: World) -> None:
    turn = TimeSlice("AC1", RenewedLease(lambda: True), world, world.monotonic)
    world.others = True
    assert turn.may_go_on()
    world.seconds += FAIR_SECONDS
    assert not turn.may_go_on()
    world.others = False
    assert not turn.may_go_on()


def test_a_turn_ends_with_its_lease(world: World) -> None:
    lease = RenewedLease(lambda: False)
    turn = TimeSlice("AC1", lease, world, world.monotonic)
    lease.is_lost = True
    assert not turn.may_go_on()
