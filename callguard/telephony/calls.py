"""Twilio's Calls resource. https://www.twilio.com/docs/voice/api/call-resource"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from twilio.rest.api.v2010.account.call import CallContext, CallInstance

from callguard.config.accounts import Account
from callguard.domain.calls import CallStatus, ListedCall, ListedPage, is_in_rate_queue
from callguard.domain.history import NEVER_MS, HistoricCall
from callguard.domain.replies import CancelReply
from callguard.domain.selection import Selection
from callguard.errors import TwilioRefused, TwilioThrottled, TwilioUnavailable
from callguard.retries import asked_again
from callguard.telephony.clients import CallLists
from callguard.telephony.http_client import PooledHttpClient
from callguard.telephony.replies import (
    CANCEL_STATUS,
    OVER,
    gone_or_raised,
    milliseconds_of,
    reply_of,
    seen_in,
    sid_of,
    status_of,
    text_of,
    translated,
)

Page = TypeVar("Page")

PAGE_SIZE = 1000

HISTORY_TRIES = 8
INITIAL_HISTORY_PAUSE = 1.0

THROTTLED_TRIES = 6
INITIAL_THROTTLED_PAUSE = 0.05
MAX_THROTTLED_PAUSE = 2.0

LIST_TRIES = 6
INITIAL_LIST_PAUSE = 0.5


class TwilioCalls:
    """Fulfils `Telephony`, each account with its own credentials."""

    def __init__(self, accounts: Mapping[str, Account], api_url: str, http_client: PooledHttpClient) -> None:
        """Nothing is sent yet."""
        self._calls = CallLists(accounts, api_url, http_client)

    def queued_calls(self, account_sid: str) -> Iterator[ListedPage]:
        """Follow `next_page_uri` to the end of `Calls?Status=queued`.

        A page that is throttled is requested up to `THROTTLED_TRIES` times: sweeps leave Twilio little room.
        """
        first = partial(self._calls[account_sid].page, status=CallStatus.QUEUED.value, page_size=PAGE_SIZE)
        return _followed(first, _despite_throttling)

    def queued_patiently(
        self, account_sid: str, selection: Selection, rest: Callable[[float, str], None]
    ) -> Iterator[ListedPage]:
        """Follow `next_page_uri` as `queued_calls` does; a page is asked for up to `LIST_TRIES` times.

        Twilio filters by the selection's numbers, if it has only one of each. It never filters by the times, which
        it would compare with the time of dialling.
        """
        ask = partial(_patiently, rest=rest, tries=LIST_TRIES, pause=INITIAL_LIST_PAUSE)
        numbers = {"from_": selection.from_number, "to": selection.to_number}
        filters = {name: number for name, number in numbers.items() if number is not None}
        first = partial(self._calls[account_sid].page, status=CallStatus.QUEUED.value, page_size=PAGE_SIZE)
        return _followed(partial(first, **filters), ask)

    def cancel(self, account_sid: str, call_sid: str) -> CancelReply:
        """Send `Status=canceled`; where Twilio says that the call is over, fetch the call.

        A 2xx alone proves no cancel: the status in the reply does.
        """
        context = self._calls[account_sid](call_sid)
        try:
            with translated():
                return reply_of(context.update(status=CANCEL_STATUS))
        except TwilioRefused as error:
            if error.code != OVER:
                return gone_or_raised(error)
        return _fetched(context)

    def look_up(self, account_sid: str, call_sid: str) -> CancelReply:
        """Fetch the call; a call that Twilio does not know is gone."""
        try:
            return _fetched(self._calls[account_sid](call_sid))
        except TwilioRefused as error:
            return gone_or_raised(error)

    def history(
        self,
        account_sid: str,
        since: datetime,
        before: datetime | None = None,
        rest: Callable[[float, str], None] | None = None,
    ) -> Iterator[list[HistoricCall]]:
        """Yield pages of the account's calls, newest first, that were created from `since` on and before `before`.

        Twilio filters by the start time only, which cancelled calls do not have. So nothing is filtered, and the
        pages are followed until one holds no call created since. A page that was not served is asked for
        again: with `rest` up to `HISTORY_TRIES` times, and `rest` gets the seconds to wait and the reason. Without
        it, only if Twilio has too many requests at once, and after short pauses.

        Raises:
            TwilioRefused, TwilioThrottled, TwilioUnavailable: a page was not served; the history is not whole.
        """
        since_ms = unix_ms(since) or 0
        before_ms = unix_ms(before) or NEVER_MS
        ask = partial(_patiently, rest=rest) if rest else _despite_throttling
        page = ask(partial(self._calls[account_sid].page, page_size=PAGE_SIZE))
        while page is not None:
            with translated():
                past = [_historic(call) for call in page]
            yield [call for call in past if since_ms <= _created_ms(call) < before_ms]
            if past and all(_created_ms(call) < since_ms for call in past):
                return
            page = ask(page.next_page)


def _created_ms(call: HistoricCall) -> int:
    """Return when it was created; a call without that time counts as new."""
    return call.created_ms if call.created_ms is not None else (call.started_ms or NEVER_MS - 1)


def _followed(first: Callable[[], Any], ask: Callable[[Callable[[], Any]], Any]) -> Iterator[ListedPage]:
    """Yield pages of queued calls from the first on; `ask` sends a request and returns the page."""
    page = ask(first)
    while page is not None:
        with translated():
            listed = [_listed(call) for call in page if _waits(call)]
            is_last = page.next_page_url is None
        yield ListedPage(listed, is_last=is_last)
        page = ask(page.next_page)


def _waits(call: CallInstance) -> bool:
    """Return whether a call waits in the rate queue; legs of a `<Dial>` may be listed as queued, and never do."""
    return bool(call.status == CallStatus.QUEUED.value and is_in_rate_queue(call.direction, call.parent_call_sid))


def _despite_throttling(ask: Callable[[], Page]) -> Page:
    """Ask for a page; again, after a short pause, where Twilio has too many requests at once."""
    return asked_again(translated()(ask), _may_pass_soon, THROTTLED_TRIES, INITIAL_THROTTLED_PAUSE)


def _may_pass_soon(error: BaseException) -> bool:
    return isinstance(error, TwilioThrottled) and (error.retry_after or 0.0) <= MAX_THROTTLED_PAUSE


def _patiently(
    ask: Callable[[], Page],
    rest: Callable[[float, str], None],
    tries: int = HISTORY_TRIES,
    pause: float = INITIAL_HISTORY_PAUSE,
) -> Page:
    """Ask for a page up to `tries` times, also where Twilio does not answer."""
    return asked_again(translated()(ask), _may_pass, tries, pause, rest)


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, (TwilioThrottled, TwilioUnavailable))


def _historic(call: CallInstance) -> HistoricCall:
    return HistoricCall(
        call_sid=text_of(call.sid),
        created_ms=unix_ms(call.date_created),
        started_ms=unix_ms(call.start_time),
        ended_ms=unix_ms(call.end_time),
        queue_ms=milliseconds_of(call.queue_time),
        status=status_of(call.status) if call.status else None,
        is_child=not is_in_rate_queue(call.direction, call.parent_call_sid),
        from_number=text_of(getattr(call, "_from", None)),
        to_number=text_of(call.to),
    )


def unix_ms(moment: object) -> int | None:
    """Return a moment of the library's in milliseconds of Unix time; None for a value that is no moment."""
    return int(moment.timestamp() * 1000) if isinstance(moment, datetime) else None


def _fetched(context: CallContext) -> CancelReply:
    with translated():
        return seen_in(context.fetch())


def _listed(call: CallInstance) -> ListedCall:
    # The library returns unreadable dates as they are; such a call counts as new.
    created = call.date_created if isinstance(call.date_created, datetime) else datetime.now(UTC)
    return ListedCall(
        call_sid=sid_of(call.sid),
        created_ms=int(created.timestamp() * 1000),
        queue_ms=milliseconds_of(call.queue_time),
        from_number=text_of(getattr(call, "_from", None)),
        to_number=text_of(call.to),
    )
