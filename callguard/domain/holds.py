"""What holds the guard back: said beside its state, wherever that is shown."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum

from callguard.domain.policy import Mode, Policy, Rearm
from callguard.domain.snapshot import Snapshot, State, Word


class HoldReason(Enum):
    """Why the guard does not do all that it could: a closed set."""

    PAUSED = "paused"
    CAPPED = "capped"
    WAITS_FOR_RESET = "waits_for_reset"
    OBSERVING = "observing"
    STATE_LOST = "state_lost"

    @property
    def words(self) -> str:
        """As people read it."""
        return self.value.replace("_", " ")


@dataclass(frozen=True, slots=True)
class Hold:
    """A reason, what follows from it and what a person may do, in words, and who is behind it, if a person is."""

    reason: HoldReason
    text: str
    word: Word = field(default_factory=Word)


def holds(snapshot: Snapshot, policy: Policy) -> tuple[Hold, ...]:
    """Return everything that holds the guard back, the gravest first."""
    return tuple(_holds(snapshot, policy))


def _holds(snapshot: Snapshot, policy: Policy) -> Iterator[Hold]:
    if snapshot.lost_ms:
        yield Hold(
            HoldReason.STATE_LOST,
            f"Redis has lost what people had decided (noticed {moment(snapshot.lost_ms)}): the guard only "
            "observes until `callguard resume`, or `callguard pause`",
            Word(since_ms=snapshot.lost_ms),
        )
    if snapshot.paused:
        yield Hold(HoldReason.PAUSED, _paused(snapshot), snapshot.pause)
    if snapshot.capped:
        yield Hold(
            HoldReason.CAPPED,
            f"stopped at max_cancellations = {policy.max_cancellations:,}: `callguard cancel --continue` lets it "
            "cancel as many again, `callguard pause` leaves the rest to Twilio",
        )
    may_be_over = snapshot.state is State.COOLING or snapshot.unqueued
    if may_be_over and policy.rearm is Rearm.MANUAL and not snapshot.capped:
        shut = " and programs that ask the gate are told to wait" if snapshot.shuts_gate(policy) else ""
        yield Hold(
            HoldReason.WAITS_FOR_RESET,
            f"rearm = manual: the incident stays open{shut} until `callguard reset`",
            Word(since_ms=snapshot.cooled_ms),
        )
    if snapshot.mode_under(policy) is Mode.OBSERVE:
        yield Hold(HoldReason.OBSERVING, "mode observe: the guard only reports, and cancels nothing")


def _paused(snapshot: Snapshot) -> str:
    word = snapshot.pause
    since = f" since {moment(word.since_ms)}" if word.since_ms else ""
    told = f", {word.told}" if word.told else ""
    end = f"it ends by itself at {moment(word.until_ms)}, or with" if word.until_ms else "until"
    return f"paused{since}{told}. Nothing trips and nothing is cancelled; {end} `callguard resume`"


def moment(at_ms: int) -> str:
    """Return a moment in words, such as `2026-11-21 18:00:05 UTC`."""
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
