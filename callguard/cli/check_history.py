"""What the thresholds in force would have done in the account's latest days, from Twilio's call log."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from callguard.config.accounts import Account
from callguard.domain.addresses import masked
from callguard.domain.backtest import Backtest
from callguard.domain.history import NO_DESTINATION, HistoricCall, HistoryBuilder
from callguard.domain.policy import Policy
from callguard.domain.snapshot import Finding
from callguard.domain.suggestion import DAY_MS, sparing
from callguard.domain.wording import figure
from callguard.errors import CallGuardError

HISTORY_DAYS = 14
HISTORY_SECONDS = 8.0
_READING_SHARE = 0.6
"""Of the time: replaying what was read takes the rest."""
MAX_CALLS_A_SECOND = 5_000
"""Calls read per second that is left: a replay plays some 30,000 a second on a free core, twice."""
MAX_SHOWN = 5


class CallLists(Protocol):
    """Twilio's list of calls, newest first."""

    def history(self, account_sid: str, since: datetime) -> Iterator[list[HistoricCall]]:
        """Yield pages of the calls created since."""


@dataclass(slots=True)
class Lately:
    """Reads and replays account by account, all within `seconds`."""

    lists: CallLists
    now_ms: int
    days: int
    seconds: float
    clock: Callable[[], float] = time.monotonic
    _spent: float = field(default=0.0, init=False)

    def told(self, account: Account) -> Iterator[tuple[bool, str]]:
        """Yield each sentence of the report, and whether it is good news.

        Raises:
            CallGuardError: Twilio did not serve the first page.
        """
        if not self.days:
            return
        if self._spent >= self.seconds:
            yield False, "call log not read, for want of time; go further with --seconds"
            return
        began = self.clock()
        try:
            yield from self._replayed(account.sid, account.policy, began)
        finally:
            self._spent += self.clock() - began

    def _replayed(self, account_sid: str, policy: Policy, began: float) -> Iterator[tuple[bool, str]]:
        builder = HistoryBuilder(policy)
        is_whole = self._read(account_sid, builder, began)
        if not len(builder):
            yield (
                True,
                f"no outbound call in the last {self.days} days, so nothing says whether the thresholds fit",
            )
            return
        history = builder.build()
        read = f"read {len(history):,} calls back to {_minute(history.created_ms[0])} UTC"
        if not is_whole:
            read += f", not the whole {self.days} days; go further with --seconds"
        played = Backtest(history, policy)
        trips = [(t.at_ms, t.finding, t.destination, t.cancelled) for t in played.run()]
        unqueued = [(u.at_ms, u.finding, u.destination, 0) for u in played.unqueued]
        crossed = sorted([*trips, *unqueued], key=lambda one: one[0])
        if not crossed:
            yield True, f"{read}: nothing would have tripped"
            return
        yield False, f"{read}: {len(trips)} would have cancelled calls, {len(unqueued)} more opened an incident"
        lines = sparing(history, policy)
        for one in crossed[:MAX_SHOWN]:
            yield False, _incident(*one, lines.get(one[0] // DAY_MS, {}))
        if len(crossed) > MAX_SHOWN:
            yield False, f"and {len(crossed) - MAX_SHOWN:,} more"
        yield (
            False,
            (
                "if these were ordinary calls, the thresholds do not fit the account: "
                f"`callguard backtest --fetch --since {_day(self._since)} --account {account_sid} --suggest`"
            ),
        )

    def _read(self, account_sid: str, builder: HistoryBuilder, began: float) -> bool:
        """Read as far as time allows; return whether all was read."""
        left = (self.seconds - self._spent) * _READING_SHARE
        most = int((self.seconds - self._spent) * MAX_CALLS_A_SECOND)
        pages = self.lists.history(account_sid, self._since)
        is_first = True
        while True:
            try:
                page = next(pages, None)
            except CallGuardError:
                if is_first:
                    raise
                return False
            if page is None:
                return True
            is_first = False
            for call in page:
                builder.add(call)
            if self.clock() - began >= left or len(builder) >= most:
                return False

    @property
    def _since(self) -> datetime:
        return datetime.fromtimestamp(self.now_ms / 1000, UTC) - timedelta(days=self.days)


def _incident(at_ms: int, finding: Finding, destination: int, cancelled: int, spared_by: Mapping[str, int]) -> str:
    number = (
        masked(f"+{destination}") if destination != NO_DESTINATION and finding.setting == "repeat_limit" else ""
    )
    whom = f" to {number}" if number else ""
    did = f"would have cancelled {cancelled:,} calls" if cancelled else "would have opened an incident"
    observed = f"{finding.rule.value}{whom}: {figure(finding.observed)} at {finding.setting} = {_value(finding)}"
    lines = ", ".join(f"{setting} = {value}" for setting, value in spared_by.items())
    return f"{_minute(at_ms)} UTC {did}; {observed}" + (f"; spared that day by {lines}" if lines else "")


def _value(finding: Finding) -> str:
    return str(int(finding.threshold)) if float(finding.threshold).is_integer() else str(finding.threshold)


def _minute(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%a %Y-%m-%d %H:%M}"


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"
