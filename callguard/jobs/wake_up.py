"""What a wake-up is in RQ's queue: its id says all that a worker needs to know."""

import json
import re
import secrets
import zlib
from dataclasses import dataclass

DRAIN_JOB = "workers.jobs.drain"

MAX_BYTES = 1_000
"""The most bytes of a wake-up's data, packed or not; ours has some 90."""

_ID = re.compile(r"(AC[0-9a-f]{32})-([0-9]{1,15})-[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class WakeUp:
    """An account, and the generation to which it has tripped."""

    account_sid: str
    generation: int

    @property
    def name(self) -> str:
        """The beginning of the ids of all wake-ups for this account and generation."""
        return f"{self.account_sid}-{self.generation}-"

    @property
    def arguments(self) -> tuple[str, int]:
        """What the job is called with."""
        return self.account_sid, self.generation

    def new_id(self) -> str:
        """Return an id that no other has."""
        return self.name + secrets.token_hex(4)

    def is_asked_for_by(self, data: bytes) -> bool:
        """Return whether a job's data, as RQ stores it, asks for just this."""
        try:
            told = json.loads(_unpacked(data))
        except (ValueError, RecursionError):
            return False
        return bool(told == [DRAIN_JOB, None, list(self.arguments), {}])


def wake_up_of(job_id: str | bytes) -> WakeUp | None:
    """Return the wake-up that a job's id names; None if the id is not of our form."""
    text = job_id.decode("ascii", "replace") if isinstance(job_id, bytes) else job_id
    found = _ID.fullmatch(text)
    return WakeUp(found[1], int(found[2])) if found else None


def _unpacked(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, MAX_BYTES)
    except zlib.error:
        return data
