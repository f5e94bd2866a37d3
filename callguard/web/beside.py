"""What a web process does beside its requests: gives signs of life, and makes sure that notices are relayed."""

from contextlib import suppress

from callguard.bootstrap import WebParts
from callguard.errors import CallGuardError
from callguard.watch.repeated import Repeated
from callguard.web.api.refusals import Refusals

PROCESS = "web"


def beside(parts: WebParts, refusals: Refusals) -> Repeated:
    """Return the task, in a thread of its own; gevent makes it a greenlet.

    It asks only Redis. Slower work (Apprise, receivers) is done by a process that is started for it, so that no
    callback waits.
    """
    processes, starter = parts.process_watch(), parts.relay_starter()

    def look() -> None:
        parts.stores.heartbeats.beat(PROCESS, parts.clock.now_ms())
        processes.look()
        starter.look()
        refusals.write(parts.stores.api_refusals.add)

    return Repeated("notices", look)


def take_leave(parts: WebParts) -> None:
    """Tell the others that this process ends; without Redis there is nobody to tell."""
    with suppress(CallGuardError):
        parts.stores.heartbeats.leave()
