"""Answers that anybody may ask for, as often as they like: one reading serves all who ask about then."""

import math
import time
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

Answer = TypeVar("Answer")

KEPT_SECONDS = 1.0


class KeptAnswer(Generic[Answer]):
    """What `find` has returned to a reading that began less than `seconds` before the answer was asked for.

    With `seconds` 0 nothing is kept: those who ask while a reading is under way share the next one.
    """

    def __init__(
        self,
        find: Callable[[], Answer],
        seconds: float = KEPT_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is read yet; `monotonic` gives seconds."""
        self._find = find
        self._seconds = seconds
        self._monotonic = monotonic
        self._lock = Lock()
        self._began = -math.inf
        self._answer: Answer | None = None

    def now(self) -> Answer:
        """Return the answer; what `find` raises is raised to whoever has set it off, and not kept."""
        asked = self._monotonic()
        with self._lock:
            answer = self._answer
            if answer is not None and asked - self._began < self._seconds:
                return answer
            began = self._monotonic()
            answer = self._find()
            self._began, self._answer = began, answer
            return answer
