"""`python -m callguard.relaying OWNER PARENT`: relays notices until none has waited for a minute.

Started by a process that sees notices wait while nobody relays (`watch/leased_relay.py`), and ends with that
process. It builds only what it needs, to start fast.
"""

import logging
import os
import signal
import subprocess
import sys
import threading
import time

from callguard.clock import SystemClock
from callguard.config.errors import ConfigurationError
from callguard.config.settings import Settings
from callguard.errors import CallGuardError
from callguard.notify.apprise import AppriseNotifier
from callguard.startup import environ_for_own_modules, start
from callguard.store.connection import connect
from callguard.store.notices import RedisNotices
from callguard.store.presence import RedisRelayLease
from callguard.store.script_connections import ScriptConnections
from callguard.store.scripts import Scripts
from callguard.watch.leased_relay import IDLE_SECONDS, LeasedRelay
from callguard.watch.notice_relay import LOOK_EVERY_SECONDS

_log = logging.getLogger(__name__)

PATIENCE_SECONDS = 2.0


def start_relay(owner: str) -> "subprocess.Popen[bytes]":
    """Start a relay in a process of its own, which holds its lease as `owner` and ends when we do.

    Raises:
        OSError: it cannot be started.
    """
    # The relay watches its parent itself, so that any thread of ours may start it.
    argv = [sys.executable, "-m", "callguard.relaying", owner, str(os.getpid())]
    return subprocess.Popen(argv, env=environ_for_own_modules(), stdin=subprocess.DEVNULL)


def build_relay(settings: Settings, owner: str) -> LeasedRelay:
    """Wire a relay; nothing is sent yet."""
    url = settings.redis_url or ""
    connection = connect(url, timeout=PATIENCE_SECONDS)
    scripts = Scripts(ScriptConnections(connect(url, timeout=PATIENCE_SECONDS)))
    notices, lease = RedisNotices(connection, scripts), RedisRelayLease(connection, scripts)
    return LeasedRelay(owner, lease, notices, AppriseNotifier(settings.notify_urls), SystemClock())


def relay_while_wanted(relay: LeasedRelay, parent: int, stopped: threading.Event) -> None:
    """Relay until it is stopped, its parent is gone, another process relays, or nothing has waited for long."""
    silent_since = time.monotonic()
    while not stopped.is_set() and os.getppid() == parent:
        try:
            relay.turn()
            silent_since = time.monotonic()
            if not relay.is_leading or relay.idle_seconds >= IDLE_SECONDS:
                break
        except CallGuardError as error:
            _log.warning("relay: %s; trying again", error)
            if time.monotonic() - silent_since >= IDLE_SECONDS:
                break
        stopped.wait(LOOK_EVERY_SECONDS)


def main(owner: str, parent: int) -> None:
    """Run one relay in this process, for the process that has started it."""
    stopped = threading.Event()
    try:
        relay = build_relay(start(), owner)
    except (ConfigurationError, CallGuardError) as error:
        sys.exit(str(error))

    def stop(*_: object) -> None:
        stopped.set()
        relay.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    _log.info("relay started")
    relay_while_wanted(relay, parent, stopped)
    try:
        relay.step_down()
    except CallGuardError as error:
        _log.info("relay: the lease ends by itself: %s", error)
    _log.info("relay ended")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
