"""Repeats requests that were not served."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

Answer = TypeVar("Answer")


def sleep_about(seconds: float, _reason: str) -> None:
    """Sleep for that long, a tenth more or less, so that requests refused together are not repeated together."""
    time.sleep(seconds * random.uniform(0.9, 1.1))  # noqa: S311  (jitter)


def asked_again(
    ask: Callable[[], Answer],
    may_pass: Callable[[BaseException], bool],
    tries: int,
    pause: float,
    rest: Callable[[float, str], None] = sleep_about,
) -> Answer:
    """Ask up to `tries` times, as long as the error is one that `may_pass`; the last error is raised.

    Pauses double from `pause` seconds on; one is at least as long as the error's `retry_after`, if it has any.
    `rest` is called to wait; it gets the seconds and the reason.
    """

    def rest_after(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        asked = getattr(error, "retry_after", None) or 0.0
        rest(max(pause * 2 ** (state.attempt_number - 1), asked), str(error))

    return Retrying(
        stop=stop_after_attempt(tries),
        retry=retry_if_exception(may_pass),
        before_sleep=rest_after,
        reraise=True,
    )(ask)
