"""Telling the others that this web process serves, and with which settings."""

import atexit
import threading
import time
from contextlib import suppress

from callguard.bootstrap import Services
from callguard.ports import CallGuardError

PROCESS = "web"
BEAT_SECONDS = 5.0


def keep_telling(services: Services) -> None:
    """Tell every few seconds from now on, and take leave at the exit. gevent makes a greenlet of the thread."""
    threading.Thread(target=_tell, args=(services,), name="presence", daemon=True).start()
    atexit.register(_leave, services)


def _tell(services: Services) -> None:
    while True:
        # Without Redis there is nobody to tell; callbacks and probes say so.
        with suppress(CallGuardError):
            services.heartbeats.show(PROCESS, services.clock.now_ms())
        time.sleep(BEAT_SECONDS)


def _leave(services: Services) -> None:
    with suppress(CallGuardError):
        services.heartbeats.leave()
