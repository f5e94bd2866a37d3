"""When each account is to be looked at next."""

import heapq


class Agenda:
    """Due times (seconds of a monotonic clock) by account. An account has one: the earliest that it was given."""

    def __init__(self) -> None:
        """Nothing is due."""
        self._due: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []

    def put(self, account_sid: str, at: float) -> None:
        """Let an account be due at a time, unless it is due before."""
        if at < self._due.get(account_sid, float("inf")):
            self._due[account_sid] = at
            heapq.heappush(self._heap, (at, account_sid))

    def take(self, now: float) -> list[str]:
        """Take out what is due by now, and return it, the most overdue first."""
        taken = []
        while self._heap and self._heap[0][0] <= now:
            at, account_sid = heapq.heappop(self._heap)
            if self._due.get(account_sid) == at:  # else it was given an earlier time, or dropped
                del self._due[account_sid]
                taken.append(account_sid)
        return taken

    def drop(self, account_sid: str) -> None:
        """Let an account be due no more."""
        self._due.pop(account_sid, None)
