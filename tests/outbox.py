"""An outbox in memory, on a clock that is moved."""

from callguard.domain.notices import Notice
from callguard.errors import StoreUnavailable


class Outbox:
    """Notes what is posted; keeps `once` as the real one does, by the notices' times. `is_down` fails posts."""

    def __init__(self) -> None:
        self.posted: list[Notice] = []
        self.names: list[tuple[str, int]] = []
        self.asked = 0
        self.is_down = False
        self._quiet_until: dict[tuple[str, str], float] = {}

    def post(self, notice: Notice, *, once: str = "", every_seconds: int = 0) -> bool:
        if self.is_down:
            raise StoreUnavailable("no answer")
        self.asked += 1
        key = (notice.account_sid, once)
        if once and notice.at_ms < self._quiet_until.get(key, 0):
            return False
        self._quiet_until[key] = notice.at_ms + every_seconds * 1000 if every_seconds else float("inf")
        self.posted.append(notice)
        self.names.append((once, every_seconds))
        return True

    def waiting(self, count: int) -> list[tuple[str, Notice]]:
        return [(str(place), notice) for place, notice in enumerate(self.posted[:count])]

    def done(self, notice_id: str) -> None:
        del self.posted[int(notice_id)]

    @property
    def texts(self) -> list[str]:
        return [notice.text for notice in self.posted]
