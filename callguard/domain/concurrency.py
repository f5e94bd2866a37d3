"""How many requests to have under way at Twilio, whose ceiling is unpublished."""

from dataclasses import dataclass, field

from callguard.domain.unsteady import INITIAL_LIMIT, UnsteadyLimit

MIN_SHARE = 0.7
QUIET_SECONDS = 1.0
STEP_SECONDS = 0.2
FULL = 0.9

SERVED_BETWEEN = 100
"""Served requests between two probes: a probe in vain costs one refusal, so one in a hundred."""

MAX_QUIET_SECONDS = 10.0

FAR_BELOW = 0.7
"""Below this share of what it has borne, a fixed ceiling refuses nothing."""

FAR_ABOVE = 1.4
"""Above this multiple of what it has refused, a fixed ceiling serves nothing."""

LONELY = 15
"""Served requests since the limit fell. A fixed ceiling refuses before that many, or only once the limit grows."""

ENOUGH = 3
"""So many answers that no fixed ceiling gives show that the ceiling is not fixed."""


@dataclass(slots=True)
class SteadyLimit:
    """Additive increase, multiplicative decrease (Chiu and Jain 1989), with a memory for the ceiling.

    Until the first refusal (429) the limit grows with every answer, as TCP's slow start does. A refusal tells
    where the ceiling is: just below what was under way when the refused request was sent. The limit falls to
    that, though never by more than three tenths at once, since others may share the ceiling for a moment only.
    There it stays, and after `QUIET_SECONDS` without a refusal it tries one more, then two, then four, so that it
    finds room that others have left, and seldom asks in vain while there is none.
    """

    limit: float = INITIAL_LIMIT
    ceiling: int = 100
    floor: int = 1
    is_searching: bool = True
    _refused_up_to: int = 0
    _quiet_until: float = field(default=float("-inf"))
    _stepped_at: float = field(default=float("-inf"))
    _step: float = 1.0
    _served: float = 0.0
    _wanted: float = 0.0

    @property
    def allowed(self) -> int:
        """Requests that may be under way now."""
        return int(self.limit)

    def served(self, under_way: int, now: float) -> None:
        """Take note of a request that Twilio has served, with `under_way` requests at Twilio until then."""
        if under_way < FULL * self.allowed:
            return  # fewer requests than allowed were under way: nothing is learned
        if self.is_searching:
            self._grow(1.0)
            return
        self._served += 1
        is_due = now >= max(self._quiet_until, self._stepped_at + STEP_SECONDS)
        if is_due and self._served >= self._wanted:
            self._grow(self._step)
            self._stepped_at = now
            # The next step waits for the answers to this one.
            self._served, self._wanted = 0.0, 2 * self.limit
            self._step = min(self._step * 2, max(1.0, self.limit / 2))

    def refused(self, number: int, last: int, under_way: int, now: float, retry_after: float = 0.0) -> None:
        """Take note of a 429 for the request `number`; `last` is the number of the last request that was sent.

        Refusals of requests that were sent before the limit last fell are ignored: they say nothing new.
        """
        quiet = min(MAX_QUIET_SECONDS, max(QUIET_SECONDS, retry_after))
        self._quiet_until = max(self._quiet_until, now + quiet)
        self._served, self._wanted = 0.0, min(SERVED_BETWEEN, 10 * self.limit)
        self.is_searching = False
        self._step = 1.0
        if number > self._refused_up_to:
            self.limit = max(self.floor, self.limit * MIN_SHARE, min(self.limit, under_way - 1.0))
            self._refused_up_to = last

    def lost(self) -> None:
        """Take note that Twilio does not answer at all, which says nothing about its ceiling."""
        self.limit, self.is_searching = min(self.limit, INITIAL_LIMIT), True

    def _grow(self, more: float) -> None:
        self.limit = min(float(self.ceiling), self.limit + more)


class ConcurrencyLimit:
    """Starts with `SteadyLimit`, and changes to `UnsteadyLimit` once Twilio's answers fit no fixed ceiling.

    A fixed ceiling refuses nothing far below what it has borne, serves nothing far above what it has refused, and
    refuses nothing for a while just below itself. If Twilio does, then it refuses at any load, or others share its
    ceiling. `UnsteadyLimit` tells these two apart, at the price of more refusals.

    Attributes:
        ceiling: the most that is ever sent at once.

    All times are seconds of one monotonic clock.
    """

    def __init__(
        self, limit: float = INITIAL_LIMIT, *, ceiling: int = 100, floor: int = 1, is_searching: bool = True
    ) -> None:
        """Begin with `limit`; without `is_searching` it is taken for the ceiling."""
        self.ceiling = ceiling
        self._steady = SteadyLimit(limit, ceiling, floor, is_searching)
        self._unsteady = UnsteadyLimit(limit, ceiling, floor)
        self._is_steady = True
        self._proven = 0.0 if is_searching else limit
        self._met = float("inf")
        self._served_since = 0
        self._has_grown = True
        self._odd = 0

    @property
    def limit(self) -> float:
        """Requests that may be under way now, with a fraction."""
        return self._steady.limit if self._is_steady else self._unsteady.limit

    @property
    def allowed(self) -> int:
        """Requests that may be under way now."""
        return int(self.limit)

    @property
    def is_searching(self) -> bool:
        """True until the ceiling has been met."""
        return self._steady.is_searching if self._is_steady else self._unsteady.is_searching

    def sent(self) -> int:
        """Take note that a request is sent; return its number."""
        return self._unsteady.sent()

    def served(self, number: int, under_way: int, now: float) -> None:
        """Take note of a request that Twilio has served, with `under_way` requests at Twilio until then."""
        if self._is_steady:
            self._proven = max(self._proven, float(under_way))
            self._served_since += 1
            before = self._steady.limit
            self._steady.served(under_way, now)
            if self._steady.limit > before:
                self._has_grown, self._odd = True, 0
            self._note(is_odd=under_way > FAR_ABOVE * self._met)
        else:
            self._unsteady.served(number, under_way, now)

    def refused(
        self, number: int, under_way: int, now: float, retry_after: float = 0.0, concurrent: int | None = None
    ) -> None:
        """Take note of a 429 for a request; `under_way` requests were at Twilio then, with this one.

        `retry_after`: the pause that Twilio asks for, in seconds. `concurrent`: how many requests of the whole
        account were under way, if Twilio says so.
        """
        if not self._is_steady:
            self._unsteady.refused(number, under_way, now, retry_after, concurrent)
            return
        is_lonely = self._served_since >= LONELY and not self._has_grown
        self._met, self._served_since, self._has_grown = min(self._met, float(under_way)), 0, False
        self._steady.refused(number, self._unsteady.last, under_way, now, retry_after)
        self._note(is_odd=is_lonely or under_way < FAR_BELOW * self._proven)

    def _note(self, *, is_odd: bool) -> None:
        """Count an answer that no fixed ceiling would give; after `ENOUGH` of them change to `UnsteadyLimit`."""
        self._odd += is_odd
        if self._odd >= ENOUGH:
            self._is_steady = False
            self._unsteady.begin(self._steady.limit)

    def lost(self) -> None:
        """Take note that Twilio does not answer at all, which says nothing about its ceiling."""
        if self._is_steady:
            self._steady.lost()
        else:
            self._unsteady.lost()
