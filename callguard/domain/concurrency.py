"""How many requests to have under way at Twilio, whose ceiling is unpublished."""

from dataclasses import dataclass, field
from enum import Enum

from callguard.domain.refusals import MOST_BY_CHANCE, Baseline, Round

FIRST_LIMIT = 20.0
FULL = 0.9
LEAST_ROUND = 20

SERVED_BETWEEN = 100
"""A probe in vain costs a refusal: one in a hundred requests is little."""

FALL = 0.85
LESSER_LOAD = 0.75
ROUNDS_BETWEEN = 10
MOST_QUIET_SECONDS = 10.0


class Phase(Enum):
    """What a round of requests is for."""

    FULL = "at the limit"
    DOUBT = "just below what was refused"
    LESSER = "at a lesser load"


@dataclass(slots=True)
class ConcurrencyLimit:
    """TODO."""

    limit: float = FIRST_LIMIT
    ceiling: int = 200
    floor: int = 1
    is_searching: bool = True
    _last: int = 0
    _phase: Phase = Phase.FULL
    _round: Round = field(default_factory=lambda: Round(1))
    _wanted: float = LEAST_ROUND
    _baseline: Baseline = field(default_factory=Baseline)
    _before: float = 0.0
    _doubted: tuple[int, int] | None = None
    _rounds: int = 0
    _proven: float = 0.0
    _step: float = 1.0
    _patience: float = LEAST_ROUND
    _quiet_until: float = field(default=float("-inf"))

    @property
    def allowed(self) -> int:
        """Requests that may be under way now."""
        return int(self.limit)

    def sent(self) -> int:
        """Take note that a request is sent; return its number."""
        self._last += 1
        return self._last

    def served(self, number: int, under_way: int, now: float) -> None:
        """Take note of a request that Twilio has served, with `under_way` requests at Twilio until then."""
        is_full = under_way >= FULL * self.allowed  # if not, the limit is not what holds us back
        if is_full and self._phase is Phase.FULL and self.is_searching:
            self._raise(1.0)
        if number >= self._round.first:
            self._round.is_used |= is_full
            self._round.served_up_to = max(self._round.served_up_to, number)
            if self._is_over():
                self._end_round(now)

    def refused(
        self, number: int, under_way: int, now: float, retry_after: float = 0.0, concurrent: int | None = None
    ) -> None:
        if number < self._round.first:
            return
        self._round.refused.append(number)
        is_far = concurrent is not None and concurrent < FULL * self._proven
        is_patient = is_far or self._phase is not Phase.FULL
        if self._round.exceeds(MOST_BY_CHANCE if is_patient else self._baseline.share, self._last):
            self._quiet_until = max(self._quiet_until, now + min(MOST_QUIET_SECONDS, retry_after))
            self._fall(under_way)

    def lost(self) -> None:
        """Take note that Twilio does not answer at all: that tells nothing of its ceiling."""
        self.limit, self.is_searching = min(self.limit, FIRST_LIMIT), True
        self._begin(Phase.FULL)

    def _raise(self, more: float) -> None:
        self.limit = min(float(self.ceiling), self.limit + more)

    def _fall(self, under_way: int) -> None:
        lower = FALL * self.limit
        if self._phase is Phase.FULL:
            lower = max(lower, min(self.limit, under_way - 1.0))
        self.limit = max(self.floor, lower)
        self.is_searching, self._step = False, 1.0
        self._begin(Phase.DOUBT)

    def _begin(self, phase: Phase) -> None:
        self._phase, self._round = phase, Round(self._last + 1)
        self._wanted = max(LEAST_ROUND, self.limit) if phase is not Phase.FULL else max(LEAST_ROUND, self.limit) / 2
        if phase is Phase.DOUBT:
            self._wanted = max(self._wanted, min(self._patience, 10 * self.limit))
            self._patience = min(SERVED_BETWEEN, 2 * self._patience)

    def _is_over(self) -> bool:
        counted = self._round.counted
        return counted >= self._wanted or (counted >= max(LEAST_ROUND, self.limit) and self._phase is not Phase.FULL and bool(self._round.counted_refused))

    def _end_round(self, now: float) -> None:
        counted, refused = self._round.counted, self._round.counted_refused
        self._rounds += 1
        match self._phase:
            case Phase.DOUBT if refused > MOST_BY_CHANCE * counted:
                self._fall(0)
            case Phase.DOUBT if not self._baseline.explains(refused, counted):
                self._lessen(2 * counted / refused)
                self._doubted = refused, counted
            case Phase.LESSER:
                self._compare(refused, counted)
            case Phase.FULL if self._baseline.share and self._rounds >= ROUNDS_BETWEEN:
                self._lessen(self.limit)
            case _:
                self._proven = self.limit
                if self._round.is_used and not self.is_searching and now >= self._quiet_until:
                    self._raise(self._step)
                    self._step = min(2 * self._step, max(1.0, self.limit / 2))
                    if self._step > 4:
                        self._patience = LEAST_ROUND
                self._begin(Phase.FULL)

    def _lessen(self, wanted: float) -> None:
        self._before = self.limit
        self.limit = max(self.floor, LESSER_LOAD * self.limit)
        self._begin(Phase.LESSER)
        self._wanted = max(self._wanted, wanted)

    def _compare(self, refused: int, counted: int) -> None:
        self._baseline.learn(refused, counted)
        self._rounds = 0
        doubted, self._doubted = self._doubted, None
        if doubted is None or self._baseline.explains(*doubted):
            self.limit = self._before
            self.is_searching = self.is_searching or doubted is not None
        else:
            self.limit = max(self.limit, FULL * self._before)
        self._begin(Phase.FULL)
