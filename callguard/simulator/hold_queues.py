"""Callers on hold: the queues that `<Enqueue>` puts calls into. They have nothing to do with the rate queue.

https://www.twilio.com/docs/voice/twiml/enqueue and https://www.twilio.com/docs/voice/api/queue-resource
"""

from dataclasses import dataclass, field
from hashlib import sha256

from callguard.simulator.calls import Call

MAX_MEMBERS = 1000
"""How many callers a queue holds unless it was told otherwise."""


@dataclass(slots=True)
class HoldQueue:
    """One queue. `members` has since when each call waits, the first to be served first."""

    sid: str
    name: str
    created_at: float
    max_size: int = MAX_MEMBERS
    updated_at: float = 0.0
    members: dict[str, float] = field(default_factory=dict)

    def average_wait(self, now: float) -> int:
        """How long its members have waited on average, in whole seconds."""
        return round(sum(now - since for since in self.members.values()) / max(1, len(self.members)))


class HoldQueues:
    """The hold queues of one account, by name. A queue is made when the first call is put into it."""

    def __init__(self, account_sid: str) -> None:
        self._account_sid = account_sid
        self._queues: dict[str, HoldQueue] = {}

    @property
    def all(self) -> list[HoldQueue]:
        """The queues, the newest first."""
        return list(self._queues.values())[::-1]

    def by_sid(self, sid: str) -> HoldQueue | None:
        """The queue of that SID."""
        return next((queue for queue in self._queues.values() if queue.sid == sid), None)

    def make(self, name: str, now: float) -> HoldQueue:
        """The queue of that name, made if there is none."""
        if name not in self._queues:
            digest = sha256(f"{self._account_sid} {name}".encode()).hexdigest()[:32]
            self._queues[name] = HoldQueue(f"QU{digest}", name, now, updated_at=now)
        return self._queues[name]

    def put(self, call: Call, name: str, now: float) -> bool:
        """Put a call behind the others of a queue; False if the queue is full."""
        self.leave(call, now)
        queue = self.make(name, now)
        if len(queue.members) >= queue.max_size:
            return False
        queue.members[call.sid], queue.updated_at = now, now
        return True

    def leave(self, call: Call, now: float) -> None:
        """Take a call out of the queue it is in, if it is in one."""
        for queue in self._queues.values():
            if queue.members.pop(call.sid, None) is not None:
                queue.updated_at = now

    def take_first(self, name: str, now: float) -> str | None:
        """Take the first call out of a queue, for an agent; None if nobody waits."""
        queue = self._queues.get(name)
        if queue is None or not queue.members:
            return None
        first = next(iter(queue.members))
        del queue.members[first]
        queue.updated_at = now
        return first
