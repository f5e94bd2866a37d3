"""The state of an account, and everything that is known of it at one moment."""

from dataclasses import dataclass, field
from enum import Enum

from callguard.domain.drain_time import drain_seconds, phantom_slots
from callguard.domain.policy import Mode, Policy, Unqueued
from callguard.domain.rates import LeakyBucket, Plateau
from callguard.domain.throughput import Throughput, effective_cps


class State(Enum):
    """Where an account's guard stands: armed -> tripped -> draining -> cooling -> armed.

    `paused` (by a person) hides all others. `observe` takes the place of `armed` where the policy only
    observes: a guard that will not cancel must not look armed.
    """

    ARMED = "armed"
    TRIPPED = "tripped"
    DRAINING = "draining"
    COOLING = "cooling"
    PAUSED = "paused"
    OBSERVE = "observe"

    @property
    def has_open_incident(self) -> bool:
        """True from a trip until the guard is armed again."""
        return self in _WITH_OPEN_INCIDENT


_WITH_OPEN_INCIDENT = (State.TRIPPED, State.DRAINING, State.COOLING)


class Rule(Enum):
    """The names under which the guard trips."""

    SPIKE = "spike"
    INITIATED = "initiated"
    PLATEAU = "plateau"
    REPEAT = "repeat"
    BACKLOG = "backlog"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that has been crossed, with its figures.

    Attributes:
        rule: which one.
        observed: the figure that was seen, in the unit of the rule's setting.
        threshold: the figure that it has reached.
        setting: the policy key that holds the threshold.
        onset_ms: when what was seen began, in milliseconds of Unix time.
    """

    rule: Rule
    observed: float
    threshold: float
    setting: str
    onset_ms: int


# An older suspicion is not valid any more. It must outlive a slow answer of Twilio's list.
SUSPICION_MS = 15_000

UNTAKEN_MS = 300_000
"""Milliseconds for which people are told of a crossed rule that nobody took up; nothing is cancelled for it."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A finding that waits for proof of a backlog, and since when.

    `by_reports`: only reported calls cross the rule, so it waits for proof that the calls exist, too.
    """

    finding: Finding
    since_ms: int
    by_reports: bool = False


@dataclass(frozen=True, slots=True)
class Repeats:
    """The destination that was called most often lately: how often, since when, and when last (Unix ms)."""

    count: int = 0
    since_ms: int = 0
    at_ms: int = 0


@dataclass(frozen=True, slots=True)
class Word:
    """A person's latest decision for an account.

    Attributes:
        by: who; empty where it is not known.
        reason: why; empty where none was given.
        since_ms: when.
        until_ms: when it ends by itself; 0 for never.
    """

    by: str = ""
    reason: str = ""
    since_ms: int = 0
    until_ms: int = 0

    @property
    def told(self) -> str:
        """Who and why, in words, such as `by anna@web1: a test`; empty where neither is known."""
        return ": ".join(filter(None, [f"by {self.by}" if self.by else "", self.reason]))


@dataclass(frozen=True, slots=True)
class Mark:
    """What tells whether the store still holds what was decided: its history, the latest decision, the server."""

    epoch: str = ""
    decision: int = 0
    server: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that the rules look at, for one account at one moment.

    Attributes:
        now_ms: the moment, in milliseconds of Unix time; all `_ms` are.
        state: armed, tripped, draining or cooling, as stored.
        paused: True while a person has paused the guard.
        generation: counts the trips; part of every later write.
        cancellable: calls known to be queued, without those that are never cancelled.
        protected: queued calls that are never cancelled: on the `never_cancel` list, or to emergency numbers.
        announced: queued calls of announced campaigns.
        out_of_scope: queued calls that the open incident is not about.
        unconfirmed: calls that their creators have reported, and that Twilio has not confirmed yet.
        reported: the bucket over reports.
        queued: the bucket over calls entering the queue.
        initiated: the bucket over calls leaving it.
        plateau: the line of calls leaving it.
        repeats: the destination that was called most often.
        counted_ms: the horizon by counting: when a call created now would be dialled.
        quoted_ms: the horizon by Twilio's quotes; 0 while there is none to believe.
        throughput: what has been learned of the account's CPS.
        departed: calls that have left the queue for the dialler, since ever.
        dead_until_ms: when the last slot of a cancelled call will have passed.
        campaign_ms: when an announced campaign was last open, or a call of one queued; 0 for never.
        polled_ms: when Twilio's list was last read whole; 0 for never.
        called_back_ms: when the last callback came; 0 for never.
        shallow_ms: when fewer than `min_backlog` calls were last queued; 0 for never.
        listed_short_ms: when the last reading of Twilio's list began that showed so few; 0 for never.
        suspicion: a rule that was crossed before a backlog was known.
        tripped_ms: when the present incident began; 0 without one.
        cooled_ms: when the present incident's drain ended; 0 before that.
        capped: True when the drain has stopped at `max_cancellations`.
        unqueued: True while the open incident has no queue: its calls are dialled as they are created.
        mode: the open incident's; None without one.
        lost_ms: when the store lost what people had decided; 0 while the decisions are known.
        pause: who has paused the guard, and why. Like `resumed` and `mark` it is only read with a whole snapshot.
        resumed: who has resumed it last, if that is the latest decision.
        mark: shows whether the store still holds what was decided.
        outages: how many kinds of outages of Twilio's go on; None where that was not read.
    """

    now_ms: int
    state: State = State.ARMED
    paused: bool = False
    generation: int = 0
    cancellable: int = 0
    protected: int = 0
    announced: int = 0
    out_of_scope: int = 0
    unconfirmed: int = 0
    reported: LeakyBucket = field(default_factory=LeakyBucket)
    queued: LeakyBucket = field(default_factory=LeakyBucket)
    initiated: LeakyBucket = field(default_factory=LeakyBucket)
    plateau: Plateau = field(default_factory=Plateau)
    repeats: Repeats = field(default_factory=Repeats)
    counted_ms: float = 0.0
    quoted_ms: float = 0.0
    throughput: Throughput = field(default_factory=Throughput)
    departed: int = 0
    dead_until_ms: float = 0.0
    campaign_ms: int = 0
    polled_ms: int = 0
    called_back_ms: int = 0
    shallow_ms: int = 0
    listed_short_ms: int = 0
    suspicion: Suspicion | None = None
    tripped_ms: int = 0
    cooled_ms: int = 0
    capped: bool = False
    unqueued: bool = False
    mode: Mode | None = None
    lost_ms: int = 0
    pause: Word = field(default_factory=Word)
    resumed: Word = field(default_factory=Word)
    mark: Mark = field(default_factory=Mark, compare=False)
    outages: int | None = field(default=None, compare=False)

    @property
    def depth(self) -> int:
        """Calls known, or reported, to be queued at Twilio."""
        return self.mirrored + self.unconfirmed

    @property
    def mirrored(self) -> int:
        """Queued calls that the store holds, with or without the right to cancel them."""
        return self.cancellable + self.left_alone

    @property
    def left_alone(self) -> int:
        """Queued calls that the guard does not cancel: protected, announced, or not what the incident is about."""
        return self.protected + self.announced + self.out_of_scope

    @property
    def horizon_ms(self) -> float:
        """When a call created now would be dialled."""
        return self.quoted_ms or self.counted_ms

    @property
    def is_behind_campaign(self) -> bool:
        """Whether calls wait behind an announced campaign's, or have waited so since the queue was short."""
        return self.announced > 0 or self.campaign_ms > self.shallow_ms

    def cps(self, policy: Policy) -> float:
        """Calls per second: as configured, unless Twilio clearly dials at another rate."""
        return effective_cps(policy.cps, self.throughput.learned)

    @property
    def drain_seconds(self) -> float:
        """Seconds until a call created now would be dialled."""
        return drain_seconds(self.horizon_ms, self.now_ms)

    @property
    def is_suspected(self) -> bool:
        """Whether a suspicion still waits for Twilio's answer."""
        return self.suspicion is not None and abs(self.now_ms - self.suspicion.since_ms) <= SUSPICION_MS

    @property
    def suspected(self) -> Finding | None:
        """The finding that still waits for proof of a backlog."""
        if self.suspicion is None or self.suspicion.by_reports or not self.is_suspected:
            return None
        return self.suspicion.finding

    @property
    def untaken(self) -> Finding | None:
        """The finding of a suspicion that nobody took up in time, as when no watcher ran, for some minutes."""
        if self.suspicion is None or self.suspicion.by_reports:
            return None
        if not 0 <= self.now_ms - self.suspicion.since_ms <= UNTAKEN_MS:
            return None
        return self.suspicion.finding

    def was_asked_about(self, answer_ms: int) -> bool:
        """Return whether Twilio's list has shown no backlog since then, or has not come within `answer_ms`.

        A reading that began before the suspicion does not count: it may miss the calls that came with it.
        """
        if self.suspicion is None or self.suspected is None:
            return False
        since_ms = self.suspicion.since_ms
        return self.listed_short_ms >= since_ms or self.now_ms - since_ms >= answer_ms

    def live_drain_seconds(self, cps: float) -> float:
        """Seconds of the drain that cancellable calls cause, without dead slots."""
        return min(self.drain_seconds, self.cancellable / cps)

    def phantom_slots(self, cps: float) -> int:
        """Slots of the rate queue that are held by calls no longer queued."""
        return phantom_slots(self.horizon_ms, self.now_ms, self.depth, cps)

    def shuts_gate(self, policy: Policy) -> bool:
        """Return whether programs that ask are told to wait: while an incident is open and the guard acts.

        An incident without a queue shuts the gate only where the policy says so: nothing is cancelled there.
        """
        stays_open = self.unqueued and policy.unqueued is not Unqueued.BLOCK
        is_closed = (self.state.has_open_incident and not stays_open) or self.capped
        return is_closed and self.mode_under(policy) is Mode.ENFORCE and not self.paused

    def mode_under(self, policy: Policy) -> Mode:
        """The mode in force: the open incident's, else the policy's; observe while lost decisions are in doubt."""
        return Mode.OBSERVE if self.lost_ms else self.mode or policy.mode

    def reported_state(self, policy: Policy) -> State:
        """The state that people and metrics are shown."""
        if self.paused:
            return State.PAUSED
        if self.state is State.ARMED and self.mode_under(policy) is Mode.OBSERVE:
            return State.OBSERVE
        return self.state
