"""The faults that the simulator plays on request, seeded so that a run can be repeated."""

from dataclasses import dataclass
from enum import Enum, auto
from random import Random


@dataclass(frozen=True, slots=True)
class Faults:
    """How often things go wrong: each rate is a share from 0 to 1. Raises `ValueError` outside it."""

    error_rate: float = 0.0  # a REST request is refused with 500 or 503, not executed
    throttle_rate: float = 0.0  # a REST request is refused with 429 at once, whatever the load, not executed
    lost_reply_rate: float = 0.0  # a REST request is executed, then the connection closed without a reply
    hang_rate: float = 0.0  # a REST request is neither executed nor answered for `hang_seconds`
    callback_duplicate_rate: float = 0.0  # a callback is sent twice
    callback_disorder_rate: float = 0.0  # a callback is held back for up to `callback_disorder_seconds`
    callback_drop_rate: float = 0.0  # a callback is never sent
    hang_seconds: float = 60.0
    callback_disorder_seconds: float = 5.0
    retry_after_seconds: float = 0.0  # what every 429 asks for in Retry-After; 0: it has none

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if name.endswith("_rate") and not 0 <= value <= 1:
                raise ValueError(f"{name} must be from 0 to 1, not {value}")
            if not value >= 0:  # so that NaN is refused too
                raise ValueError(f"{name} must not be below 0, not {value}")


class RequestFault(Enum):
    """What befalls a REST request."""

    ERROR = auto()
    LOST_REPLY = auto()
    HANG = auto()


class Dice:
    """Decides, with seeded luck, what goes wrong next. `faults` may be replaced at any time."""

    def __init__(self, faults: Faults, seed: str) -> None:
        self.faults = faults
        self._random = Random(seed)  # noqa: S311  luck, not secrecy

    def request_fault(self) -> RequestFault | None:
        """What befalls this REST request; at most one thing."""
        if self._happens(self.faults.hang_rate):
            return RequestFault.HANG
        if self._happens(self.faults.error_rate):
            return RequestFault.ERROR
        if self._happens(self.faults.lost_reply_rate):
            return RequestFault.LOST_REPLY
        return None

    def throttles(self) -> bool:
        """Whether this REST request is refused with 429 although there is room for it."""
        return self._happens(self.faults.throttle_rate)

    def error_http(self) -> int:
        """Which 5xx an `ERROR` answers with."""
        return self._random.choice((500, 503))

    def callback_copies(self) -> int:
        """How many times to send this callback: 0, 1 or 2."""
        if self._happens(self.faults.callback_drop_rate):
            return 0
        return 2 if self._happens(self.faults.callback_duplicate_rate) else 1

    def callback_delay(self) -> float:
        """For how many seconds to hold this callback back; 0 when it goes in its order."""
        if not self._happens(self.faults.callback_disorder_rate):
            return 0.0
        return self._random.uniform(0, self.faults.callback_disorder_seconds)

    def jitter(self, share: float) -> float:
        """A factor around 1, at most `share` away from it."""
        return 1 + self._random.uniform(-share, share) if share else 1.0

    def _happens(self, rate: float) -> bool:
        return rate > 0 and self._random.random() < rate
