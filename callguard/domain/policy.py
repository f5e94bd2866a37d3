"""The policy of an account. Its keys, defaults, limits and help texts stand here and nowhere else."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Annotated

from annotated_types import Ge, Gt, Le, Len
from typing_extensions import Doc

from callguard.domain.wording import figure


class Mode(Enum):
    """Whether the guard acts or only tells."""

    ENFORCE = "enforce"
    OBSERVE = "observe"


class Rearm(Enum):
    """Who puts a guard that has tripped back on watch."""

    AUTO = "auto"
    MANUAL = "manual"


class Unqueued(Enum):
    """What a crossed rule does while there is no queue to cancel: Twilio dials as fast as calls are created."""

    PAGE = "page"
    BLOCK = "block"
    IGNORE = "ignore"


class LiveCalls(Enum):
    """What is done about calls of a runaway that ring already or are being talked on."""

    LEAVE = "leave"
    HANGUP = "hangup"
    REDIRECT = "redirect"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The policy of one account. Rates are calls per second, times are seconds.

    The limits are checked where settings are read (`callguard.config`).
    """

    mode: Annotated[Mode, Doc("`enforce`, or `observe`: everything but the cancelling")] = Mode.ENFORCE
    cps: Annotated[
        float,
        Gt(0),
        Le(1000),
        Doc("the account's calls per second as set in Twilio's Console (no API tells it)"),
    ] = 1.0
    spike_rate: Annotated[
        float, Gt(0), Le(10_000), Doc("calls per second entering the queue that may go on for ever")
    ] = 1.0
    spike_burst: Annotated[
        float, Ge(1), Le(1_000_000), Doc("how many calls above `spike_rate` trip the guard")
    ] = 65.0
    initiated_rate: Annotated[
        float, Gt(0), Le(10_000), Doc("the same over `initiated` callbacks: calls per second that may go on")
    ] = 1.0
    initiated_burst: Annotated[
        float, Ge(1), Le(1_000_000), Doc("how many `initiated` above `initiated_rate` trip the guard")
    ] = 65.0
    plateau_seconds: Annotated[
        float,
        Ge(10),
        Le(86_400),
        Doc("how long `initiated` may come at 90 % of `cps` or more, without a gap"),
    ] = 120.0
    max_backlog: Annotated[int, Ge(1), Le(10_000_000), Doc("queued calls above which the guard trips")] = 1000
    max_drain_seconds: Annotated[
        float,
        Gt(0),
        Le(86_400),
        Doc("seconds of waiting for the calls now queued above which the guard trips"),
    ] = 1800.0
    repeat_limit: Annotated[
        int,
        Ge(2),
        Le(1000),
        Doc("how many calls to one destination within `repeat_window_seconds` trip the guard"),
    ] = 20
    repeat_window_seconds: Annotated[
        int, Ge(10), Le(86_400), Doc("how far back calls to one destination are counted")
    ] = 600
    repeat_exempt: Annotated[
        tuple[str, ...],
        Doc("numbers that may be called as often as anyone likes, such as agents: exact, or prefixes with `*`"),
    ] = ()
    warn_share: Annotated[
        float, Gt(0), Le(1), Doc("the share of a rule's trip level at which it warns; a warning never cancels")
    ] = 0.5
    min_backlog: Annotated[
        int, Ge(1), Le(1_000_000), Doc("no automatic cancel while fewer calls than this are queued")
    ] = 25
    unqueued: Annotated[
        Unqueued,
        Doc(
            "what a crossed rule does while fewer than `min_backlog` calls are queued: `page`: open an "
            "incident and tell people; `block`: shut the gate too; `ignore`: nothing"
        ),
    ] = Unqueued.PAGE
    max_cancellations: Annotated[
        int, Ge(1), Le(10_000_000), Doc("most cancellations in one incident; then the guard stops and asks")
    ] = 100_000
    never_cancel: Annotated[
        tuple[Annotated[str, Len(1, 2048)], ...],
        Doc(
            "numbers and other addresses (From or To, exact, or a prefix with `*`) whose calls are never "
            "cancelled; those to emergency numbers never are"
        ),
    ] = ()
    live_calls: Annotated[
        LiveCalls,
        Doc(
            "calls of a runaway that ring or are answered already: `leave` them alone, `hangup`, or `redirect` "
            "the answered ones to other TwiML"
        ),
    ] = LiveCalls.LEAVE
    live_calls_url: Annotated[
        str, Doc("where `redirect` sends them; without it the guard's own `/twilio/apology` says what follows")
    ] = ""
    live_calls_message: Annotated[str, Doc("what `/twilio/apology` says; then it hangs up")] = (
        "We are sorry. This call was placed by mistake."
    )
    live_calls_queue: Annotated[
        str,
        Doc(
            "the hold queue into which `/twilio/apology` puts them instead of hanging up; an agent answers it by "
            "dialling `/twilio/agent`"
        ),
    ] = ""
    hold_queues: Annotated[
        bool, Doc("`true`: show how many callers are on hold (`<Enqueue>`), which is not the rate queue")
    ] = False
    rearm: Annotated[Rearm, Doc("`auto`, or `manual`: wait for `callguard reset`")] = Rearm.AUTO
    quiet_seconds: Annotated[int, Ge(1), Le(900), Doc("how long it must be quiet before the guard re-arms")] = 60
    poll_seconds: Annotated[
        float, Ge(0.2), Le(3600), Doc("how often Twilio's queue is listed when calm; else every second")
    ] = 5.0


def contradictions(policy: Policy) -> Iterator[str]:
    """Yield in words which keys of a policy contradict each other, the gravest first."""
    least, cps = policy.min_backlog, policy.cps
    if policy.max_cancellations < least:
        yield (
            f"max_cancellations = {policy.max_cancellations:,} is below min_backlog = {least:,}: each incident "
            "stops before its backlog is cancelled, and waits for a person"
        )
    if policy.max_backlog < least:
        yield (
            f"max_backlog = {policy.max_backlog:,} is below min_backlog = {least:,}: it cancels nothing before "
            f"{least:,} calls are queued"
        )
    if policy.max_drain_seconds * cps < least:
        yield (
            f"max_drain_seconds = {figure(policy.max_drain_seconds)} at cps = {figure(cps)} is fewer calls than "
            f"min_backlog = {least:,}: it cancels nothing before {least:,} calls are queued"
        )
