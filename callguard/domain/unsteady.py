"""How many requests to have under way at a Twilio that refuses some at any load, or has a ceiling that moves."""

from dataclasses import dataclass, field
from enum import Enum

from callguard.domain.refusals import MAX_BY_CHANCE, Baseline, Round, most_by_chance

INITIAL_LIMIT = 20.0
FULL = 0.9
FALL = 0.8

MIN_ROUND = 20.0
"""With fewer requests the refused share is not known well enough."""

SERVED_BETWEEN = 100.0
"""Served requests between two probes: a probe in vain costs one refusal, so one in a hundred."""

FORGIVEN = 2
"""So many refusals do not end a search: above the ceiling more follow at once, and else it would end too soon."""

INITIAL_TOLERATED = 0.1
LESSER_LOAD = 0.6
ROUNDS_BETWEEN = 10
"""Rounds between two measurements of the share that is refused at any load."""

MAX_QUIET_SECONDS = 10.0


class Phase(Enum):
    """The purpose of a round of requests."""

    FULL = "the limit in use"
    DOUBT = "just below what was refused"
    LESSER = "a lesser load"


@dataclass(slots=True)
class UnsteadyLimit:
    """Additive increase, multiplicative decrease, in answer to refusals (429) that grow with the load.

    A refusal has two causes. Above the ceiling of the account, which others share, more requests are refused the
    more are sent. On a bad day at Twilio a share of all requests is refused at any load. So the refusals are
    compared with those at a lesser load: only what exceeds that baseline lowers the limit.

    Rounds follow each other. In use, the limit grows, by one, then two, then four; in a search with every answer,
    as TCP's slow start does. More refusals than chance explains are a doubt: the limit falls to just below what
    was under way when the refused request was sent, and stays there for a while. If nothing is refused then, it
    was the ceiling, and the limit tries one more. If some is, a round at a lesser load follows. What is refused
    even there is the baseline; if it explains the doubt, the search goes on where it was. While there is a
    baseline it is measured anew now and then. More than a third refused is never chance: the limit falls, and
    faster with each time.

    The rise and fall are from Chiu and Jain, "Analysis of the increase and decrease algorithms" (1989). Measuring
    at a lesser load now and then, to see what the load does, is from the gradient controller of Envoy's adaptive
    concurrency, and before it from Netflix' concurrency-limits. Trials at two rates, which tell a loss by chance
    from a loss by load, are from PCC (Dong and others, 2015).

    All times are seconds of one monotonic clock.
    """

    limit: float = INITIAL_LIMIT
    ceiling: int = 100
    floor: int = 1
    is_searching: bool = True
    _last: int = 0
    _phase: Phase = Phase.FULL
    _round: Round = field(default_factory=lambda: Round(1, MIN_ROUND))
    _baseline: Baseline = field(default_factory=Baseline)
    _rounds: int = 0
    _before: float = 0.0
    _doubted: tuple[int, int] | None = None
    _proven: float = 0.0
    _step: float = 1.0
    _falls: int = 0
    _patience: float = MIN_ROUND
    _quiet_until: float = field(default=float("-inf"))

    @property
    def allowed(self) -> int:
        """Requests that may be under way now."""
        return int(self.limit)

    @property
    def last(self) -> int:
        """The number of the last request that was sent."""
        return self._last

    def begin(self, limit: float) -> None:
        """Search from a limit on, with what is sent from now on."""
        self.limit, self.is_searching = limit, True
        self._begin(Phase.FULL)

    def sent(self) -> int:
        """Take note that a request is sent; return its number."""
        self._last += 1
        return self._last

    def served(self, number: int, under_way: int, now: float) -> None:
        """Take note of a request that Twilio has served, with `under_way` requests at Twilio until then."""
        is_full = under_way >= FULL * self.allowed  # if not, fewer requests than allowed are under way
        if is_full and self.is_searching and self._phase is Phase.FULL:
            self._raise(1.0)
        if number < self._round.first:
            return
        self._round.is_used |= is_full
        self._round.served_up_to = max(self._round.served_up_to, number)
        if self._is_over():
            self._end_round(now)

    def refused(
        self, number: int, under_way: int, now: float, retry_after: float = 0.0, concurrent: int | None = None
    ) -> None:
        """Take note of a 429 for a request; `under_way` requests were at Twilio then, with this one.

        Refusals of requests sent before the limit fell are ignored: they say nothing new. `retry_after`: the pause
        that Twilio asks for, in seconds. `concurrent`: how many requests of the whole account were under way, if
        Twilio says so. A refusal at far fewer than Twilio has borne is no sign of the ceiling.
        """
        if number < self._round.first:
            return
        self._round.refused.append(number)
        # Requests whose answers are on their way count as ours under way, but not at Twilio.
        known = under_way if concurrent is None else min(under_way, concurrent)
        self._round.borne = min(self._round.borne, known - 1.0)
        if self._is_excessive(concurrent):
            self._quiet_until = max(self._quiet_until, now + min(MAX_QUIET_SECONDS, retry_after))
            self._fall()

    def lost(self) -> None:
        """Take note that Twilio does not answer at all, which says nothing about its ceiling."""
        self.limit, self.is_searching = min(self.limit, INITIAL_LIMIT), True
        self._begin(Phase.FULL)

    def _is_excessive(self, concurrent: int | None) -> bool:
        refused, sent = len(self._round.refused), self._round.sent(self._last)
        if self.is_searching and not self._baseline.share and refused <= FORGIVEN:
            return False
        is_far = concurrent is not None and concurrent < FULL * self._proven
        if is_far or self._phase is not Phase.FULL:
            return refused > most_by_chance(self._tolerated, sent)
        return not self._baseline.explains(refused, sent)

    @property
    def _tolerated(self) -> float:
        """The share of refusals that is borne until the baseline is known: little at first, to save refusals."""
        is_first = self._phase is Phase.DOUBT and not self._baseline.share
        return min(MAX_BY_CHANCE, INITIAL_TOLERATED * (1 + self._falls)) if is_first else MAX_BY_CHANCE

    def _is_over(self) -> bool:
        """Return whether the round has shown enough; if it has refusals, fewer requests are enough."""
        counted = self._round.counted
        is_shown = self._phase is not Phase.FULL and self._round.counted_refused > 0
        return counted >= (max(MIN_ROUND, self.limit) if is_shown else self._round.wanted)

    def _end_round(self, now: float) -> None:
        counted, refused = self._round.counted, self._round.counted_refused
        self._rounds += 1
        match self._phase:
            case Phase.LESSER:
                self._compare(refused, counted)
            case Phase.DOUBT if refused > MAX_BY_CHANCE * counted:
                self._fall()
            case Phase.DOUBT if not self._baseline.explains(refused, counted):
                self._doubted = refused, counted
                self._lessen(2 * counted / refused)
            case Phase.FULL if self._baseline.share and self._rounds >= ROUNDS_BETWEEN:
                self._lessen(self.limit)
            case _:
                self._step_up(now)

    def _step_up(self, now: float) -> None:
        self._proven = self.limit if self._round.is_used else self._proven
        in_flight = self._round.sent(self._last) - self._round.counted
        if self._round.is_used and not self.is_searching and now >= self._quiet_until:
            self._raise(self._step)
            self._step = min(2 * self._step, max(1.0, self.limit / 2))
            self._patience = MIN_ROUND if self._step > 4 else self._patience
        # What is under way belongs to the next round, which is judged by what is sent from now on.
        wanted = in_flight + max(MIN_ROUND, self.limit) / 2
        self._phase, self._round = Phase.FULL, Round(self._round.served_up_to + 1, wanted)

    def _raise(self, more: float) -> None:
        self.limit = min(float(self.ceiling), self.limit + more)

    def _fall(self) -> None:
        if self._phase is Phase.FULL:
            self._falls = 0
            self.limit = max(self.floor, FALL * self.limit, min(self.limit, self._round.borne))
        else:  # most of the limit may be taken: a little down first, then by more each time
            self._falls += 1
            self.limit = max(self.floor, FALL ** min(2.0, self._falls / 3) * self.limit)
        self.is_searching, self._step, self._doubted = False, 1.0, None
        self._begin(Phase.DOUBT, min(self._patience, 10 * self.limit))
        self._patience = min(SERVED_BETWEEN, 2 * self._patience)

    def _lessen(self, wanted: float) -> None:
        self._before = self.limit
        self.limit = max(self.floor, LESSER_LOAD * self.limit)
        self._begin(Phase.LESSER, wanted)

    def _compare(self, refused: int, counted: int) -> None:
        """Learn the baseline, and go back to where the limit was, or nearly so if the load was too much."""
        self._baseline.learn(refused, counted)
        self._rounds = 0
        doubted, self._doubted = self._doubted, None
        is_chance = doubted is None or self._baseline.explains(*doubted)
        self.limit = self._before if is_chance else max(self.limit, FULL * self._before)
        self.is_searching |= doubted is not None and is_chance
        self._begin(Phase.FULL)

    def _begin(self, phase: Phase, wanted: float = 0.0) -> None:
        """Begin a round with the next request: those under way were sent at another limit."""
        least = max(MIN_ROUND, self.limit)
        self._phase = phase
        self._round = Round(self._last + 1, least / 2 if phase is Phase.FULL else max(least, wanted))
