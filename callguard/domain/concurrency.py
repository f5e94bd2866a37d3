"""How many requests to have under way at Twilio, whose ceiling is unpublished."""

from dataclasses import dataclass, field

FIRST_LIMIT = 20.0
LEAST_SHARE = 0.7
QUIET_SECONDS = 1.5
STEP_SECONDS = 0.5
FULL = 0.9

SERVED_BETWEEN = 100
"""A probe in vain costs a refusal: one in a hundred requests is little."""

MOST_QUIET_SECONDS = 10.0


@dataclass(slots=True)
class ConcurrencyLimit:
    """Additive increase, multiplicative decrease (Chiu and Jain 1989), with a memory for the ceiling.

    Until the first refusal (429) the limit grows with every answer, as TCP's slow start does. A refusal tells
    where the ceiling is: just below what was under way when the refused request was sent. The limit falls to
    that, though never by more than three tenths at once, since others may share the ceiling for a moment only.
    There it stays, and after `QUIET_SECONDS` without a refusal it tries one more, then two, then four, so that it
    finds room that others have left, and seldom asks in vain while there is none.

    All times are seconds of one monotonic clock.
    """

    limit: float = FIRST_LIMIT
    ceiling: int = 100
    floor: int = 1
    is_searching: bool = True
    _refused_at: float = field(default=float("-inf"))
    _quiet_until: float = field(default=float("-inf"))
    _stepped_at: float = field(default=float("-inf"))
    _step: float = 1.0
    _served: float = 0.0
    _wanted: float = 0.0

    def accepted(self, under_way: int, now: float) -> None:
        """Take note of a request that Twilio has served, with `under_way` requests at Twilio until then."""
        if under_way < FULL * self.allowed:
            return  # the limit is not what holds us back: nothing is learned of it
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

    def refused(self, sent_at: float, under_way: int, now: float, retry_after: float = 0.0) -> None:
        """Take note of a 429 for a request sent at `sent_at`, which made `under_way` at Twilio with itself.

        Refusals of requests that were sent before the last one tell the same once more. `retry_after` is how many
        seconds Twilio wants not to be asked for more.
        """
        quiet = min(MOST_QUIET_SECONDS, max(QUIET_SECONDS, retry_after))
        self._quiet_until = max(self._quiet_until, now + quiet)
        self._served, self._wanted = 0.0, min(SERVED_BETWEEN, 10 * self.limit)
        self.is_searching = False
        self._step = 1.0
        if sent_at > self._refused_at:
            self.limit = max(self.floor, self.limit * LEAST_SHARE, min(self.limit, under_way - 1.0))
            self._refused_at = now

    def lost(self) -> None:
        """Take note that Twilio does not answer at all: that tells nothing of its ceiling."""
        self.limit, self.is_searching = min(self.limit, FIRST_LIMIT), True

    @property
    def allowed(self) -> int:
        """Requests that may be under way now."""
        return int(self.limit)

    def _grow(self, more: float) -> None:
        self.limit = min(float(self.ceiling), self.limit + more)
