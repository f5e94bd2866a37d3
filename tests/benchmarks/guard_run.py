"""A guard as processes before a simulated Twilio in a process of its own, and its trip."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from callguard.bootstrap import ConsoleParts
from callguard.domain.incidents import Incident
from callguard.domain.snapshot import State
from tests.benchmarks.twilio_process import TwilioProcess
from tests.stack import SID, free_port, guard_at
from tests.waiting import wait_until


@dataclass(frozen=True)
class GuardRun:
    """A guard that runs, and its folder with logs."""

    services: ConsoleParts
    folder: Path

    def state(self, sid: str = SID) -> State:
        """Return where the guard stands."""
        return self.services.stores.tracker.snapshot(sid, 0).state

    def wait_for_trip(self, sid: str = SID) -> Incident:
        """Return the incident of a trip that must come."""
        wait_until(lambda: self.services.stores.incidents.current(sid), "the guard trips", timeout=60)
        incident = self.services.stores.incidents.current(sid)
        if incident is None:
            raise RuntimeError("the guard tripped without an incident")
        return incident


@contextmanager
def guard_run(
    twilio: TwilioProcess, more: Mapping[str, str] | None = None, **policy: object
) -> Iterator[GuardRun]:
    """Run a guard until the context ends; it is given once it has read Twilio's list."""
    with TemporaryDirectory(prefix="callguard-bench-") as folder:
        here = Path(folder)
        with guard_at(twilio.url, here, free_port(), policy, more=more) as parts:
            wait_until(
                lambda: parts.stores.tracker.snapshot(SID, 0).polled_ms,
                "the first poll is over",
                timeout=30,
            )
            yield GuardRun(parts.services, here)


def wait_at_most(seconds: float, is_over: Callable[[], bool]) -> bool:
    """Return as soon as something is over, and whether it is; that it is not may be a result too."""
    until = time.monotonic() + seconds
    while not is_over():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True
