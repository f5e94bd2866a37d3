"""How long to wait before a program is started again."""

from dataclasses import dataclass, field

INITIAL_SECONDS = 0.2
MAX_SECONDS = 5.0
GOOD_RUN_SECONDS = 10.0


@dataclass
class Backoff:
    """Delays that double from exit to exit; a good run starts them anew."""

    _next: float = field(default=INITIAL_SECONDS, init=False)

    def after(self, run_seconds: float) -> float:
        """Return the delay after a run that lasted `run_seconds`, and remember that there was one."""
        if run_seconds >= GOOD_RUN_SECONDS:
            self._next = INITIAL_SECONDS
        delay = self._next
        self._next = min(2 * delay, MAX_SECONDS)
        return delay
