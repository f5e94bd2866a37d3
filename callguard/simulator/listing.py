"""Which calls a page of `GET Calls.json` holds.

Filters and paging: https://www.twilio.com/docs/voice/api/call-resource#read-multiple-call-resources and
https://www.twilio.com/docs/usage/twilios-response#response-formats-list-paging-information. A page token
names the call that the last page ended with (`PA` + SID: go on behind it) or that this one began with
(`PB` + SID: the page before it), so pages neither shift nor repeat while calls come and go.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from callguard.simulator.account import Account
from callguard.simulator.calls import Call, CallRow, CallStatus
from callguard.simulator.config import ListOrder
from callguard.simulator.dates import ANY_TIME, DateRange, date_range
from callguard.simulator.errors import invalid, missing_page_token

MAX_PAGE = 1000


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls to show; None and `ANY_TIME` let all pass."""

    status: CallStatus | None = None
    to: str | None = None
    from_number: str | None = None
    parent_call_sid: str | None = None
    started: DateRange = ANY_TIME
    ended: DateRange = ANY_TIME

    def shows(self, call: Call, view: float) -> bool:
        """Whether a look at the time `view` shows the call."""
        if call.created_at > view or (self.status is not None and call.status_at(view) is not self.status):
            return False
        if self.to is not None and call.order.to != self.to:
            return False
        if self.from_number is not None and call.order.from_number != self.from_number:
            return False
        return self.parent_call_sid is None and self._dates_match(call, view)  # no call here has a parent

    def _dates_match(self, call: Call, view: float) -> bool:
        return self.started.holds(start_time(call, view)) and self.ended.holds(end_time(call, view))


@dataclass(frozen=True, slots=True)
class PageRequest:
    """One page: its filter, its size, its number (told to the client, no more), and where it begins."""

    filter: CallFilter
    size: int = 50
    page: int = 0
    token: str | None = None

    @property
    def backwards(self) -> bool:
        """Whether the page *before* the token's call is wanted."""
        return self.token is not None and self.token.startswith("PB")


@dataclass(frozen=True, slots=True)
class Page:
    """Calls in list order, and whether more lie behind and before them."""

    calls: tuple[Call, ...]
    more_after: bool
    more_before: bool


def start_time(call: Call, view: float) -> float | None:
    """When the call was dialled, as far as a look at `view` shows it."""
    return call.dialled_at if call.dialled_at is not None and call.dialled_at <= view else None


def end_time(call: Call, view: float) -> float | None:
    """When the call was over; None unless it was completed, as Twilio's schema says."""
    return call.ended_at if call.status_at(view) is CallStatus.COMPLETED else None


def read_page_request(query: Mapping[str, str]) -> PageRequest:
    """The page of calls that the query asks for. Raises as `read_place` does, and for a filter that cannot be."""
    size, page, token = read_place(query, ("PACA", "PBCA"))
    return PageRequest(_read_filter(query), size, page, token)


def read_place(query: Mapping[str, str], tokens: tuple[str, ...]) -> tuple[int, int, str | None]:
    """The size of a page (above 1000 means 1000), its number, and its token, which begins with one of `tokens`.

    Raises `ApiError` 400: 70002 for a page without its token, 20001 for values that mean nothing.
    """
    size, page = _whole_number(query, "PageSize", 50, least=1), _whole_number(query, "Page", 0, least=0)
    token = query.get("PageToken")
    if page > 0 and not token:
        raise missing_page_token()
    if token and not token.startswith(tokens):
        raise invalid("PageToken", token)
    return min(size, MAX_PAGE), page, token or None


def select_page(account: Account, request: PageRequest, now: float) -> Page:
    """Find the page's calls. Raises `ApiError` 400 when the token names no call of the account."""
    view = now - account.config.list_lag
    anchor = _anchor(account, request.token)
    walk = _walk(_row(account, request.filter.status), account.config.list_order, anchor, request.backwards)
    shown = (call for call in walk if call.sid in account.calls and request.filter.shows(call, view))
    found = tuple(islice(shown, request.size + 1))
    more, calls = len(found) > request.size, found[: request.size]
    if request.backwards:
        return Page(calls[::-1], more_after=True, more_before=more)
    return Page(calls, more_after=more, more_before=anchor is not None)


def _read_filter(query: Mapping[str, str]) -> CallFilter:
    status = query.get("Status")
    if status is not None and status not in set(CallStatus):
        raise invalid("Status", status)
    return CallFilter(
        CallStatus(status) if status is not None else None,
        query.get("To"),
        query.get("From"),
        query.get("ParentCallSid"),
        date_range(query.get("StartTime"), query.get("StartTime<"), query.get("StartTime>")),
        date_range(query.get("EndTime"), query.get("EndTime<"), query.get("EndTime>")),
    )


def _whole_number(query: Mapping[str, str], name: str, default: int, least: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10) or int(text) < least:
        raise invalid(name, text)
    return int(text)


def _row(account: Account, status: CallStatus | None) -> CallRow:
    """The shortest row that holds all calls of the status."""
    if status is CallStatus.QUEUED:
        return account.queued_calls
    live = status in (CallStatus.RINGING, CallStatus.IN_PROGRESS)
    return account.live_calls if live else account.all_calls


def _anchor(account: Account, token: str | None) -> Call | None:
    if token is None:
        return None
    call = account.calls.get(token[2:])
    if call is None:
        raise invalid("PageToken", token)
    return call


def _walk(row: CallRow, order: ListOrder, anchor: Call | None, backwards: bool) -> Iterator[Call]:
    if order is ListOrder.SHUFFLED:
        return _walk_shuffled(row, anchor, backwards)
    after = None if anchor is None else anchor.number
    if (order is ListOrder.OLDEST) is not backwards:
        return row.oldest_first(after)
    return row.newest_first(after)


def _walk_shuffled(row: Iterable[Call], anchor: Call | None, backwards: bool) -> Iterator[Call]:
    """SIDs are random, so their order is a shuffle that stays the same from page to page."""
    calls = sorted(row, key=lambda call: call.sid, reverse=backwards)
    if anchor is None:
        return iter(calls)
    return (call for call in calls if call.sid != anchor.sid and (call.sid < anchor.sid) is backwards)
