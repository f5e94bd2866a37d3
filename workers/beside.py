"""What workers do beside their jobs: make sure that notices reach people."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from callguard.errors import CallGuardError
from callguard.watch.leased_relay import LeasedRelay, RelayStarter
from callguard.watch.notice_relay import LOOK_EVERY_SECONDS
from callguard.watch.process_watch import ProcessWatch
from callguard.watch.repeated import Repeated

_log = logging.getLogger(__name__)

LAST_NOTICE_SECONDS = 5.5
"""Seconds to wait at the end for the notice that is being delivered: a receiver has five."""


@contextmanager
def relaying(relay: LeasedRelay, processes: ProcessWatch) -> Iterator[None]:
    """Relay notices and look after the other processes, in threads of their own, while the block runs."""
    tasks = [Repeated("notices", relay.turn, LOOK_EVERY_SECONDS), Repeated("processes", processes.look)]
    for task in tasks:
        task.start()
    try:
        yield
    finally:
        relay.stop()
        for task, patience in zip(tasks, (LAST_NOTICE_SECONDS, 0.0), strict=True):
            task.stop(patience)
        try:
            relay.step_down()
        except CallGuardError as error:
            _log.info("notices: the lease ends by itself: %s", error)


def looking_after_notices(starter: RelayStarter, processes: ProcessWatch) -> Repeated:
    """Return the same for a process that must not wait for receivers: it starts a relay where there is none."""

    def look() -> None:
        processes.look()
        starter.look()

    return Repeated("notices", look)
