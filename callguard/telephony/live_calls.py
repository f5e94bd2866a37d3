"""Twilio's live calls, and the queues in which callers are on hold.

https://www.twilio.com/docs/voice/api/call-resource#update-a-call-resource
https://www.twilio.com/docs/voice/api/queue-resource, https://www.twilio.com/docs/voice/api/member-resource
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from twilio.rest.api.v2010.account.call import CallInstance
from twilio.rest.api.v2010.account.queue import QueueInstance

from callguard.config.accounts import Account
from callguard.domain.calls import OUTBOUND_API, CallStatus
from callguard.domain.hold_queues import HoldQueue
from callguard.domain.live_call import LiveCall
from callguard.domain.replies import LiveReply
from callguard.errors import TwilioRefused, TwilioUnavailable
from callguard.telephony.calls import PAGE_SIZE, TwilioCalls, unix_ms
from callguard.telephony.clients import account_of
from callguard.telephony.http_client import PooledHttpClient
from callguard.telephony.replies import NOT_FOUND, OVER, sid_of, status_of, text_of, translated

MAX_PAGES = 50

LIVE_STATUSES = (CallStatus.IN_PROGRESS, CallStatus.RINGING)


class TwilioLiveCalls:
    """Fulfils `LiveTelephony`, each account with its own credentials."""

    def __init__(
        self, accounts: Mapping[str, Account], api_url: str, http_client: PooledHttpClient, calls: TwilioCalls
    ) -> None:
        """Nothing is sent yet. Ringing calls are cancelled by `calls`."""
        self._account = cache(lambda sid: account_of(accounts[sid], api_url, http_client))
        self.cancel = calls.cancel

    def live_calls(self, account_sid: str) -> Iterator[list[LiveCall]]:
        """Follow `next_page_uri` through `Calls?Status=in-progress` and `Calls?Status=ringing`."""
        calls = self._account(account_sid).calls
        for status in LIVE_STATUSES:
            for page in _pages(lambda: calls.page(status=status.value, page_size=PAGE_SIZE)):  # noqa: B023
                with translated():
                    live = [_live(call, status) for call in page if call.status == status.value and call.sid]
                yield live

    def hang_up(self, account_sid: str, call_sid: str) -> LiveReply:
        """Send `Status=completed`. Only the operator's policy causes it."""
        return self._update(account_sid, call_sid, status=CallStatus.COMPLETED.value)

    def redirect(self, account_sid: str, call_sid: str, url: str) -> LiveReply:
        """Send `Url` with `Method=POST`."""
        return self._update(account_sid, call_sid, url=url, method="POST")

    def has_ended(self, account_sid: str, call_sid: str) -> bool:
        """Fetch the call."""
        try:
            with translated():
                status = status_of(self._account(account_sid).calls(call_sid).fetch().status)
        except TwilioRefused as error:
            if error.code == NOT_FOUND:
                return True
            raise
        return status is not None and status.is_over

    def hold_queues(self, account_sid: str) -> list[HoldQueue]:
        """Read `Queues.json` to its end."""
        queues = self._account(account_sid).queues
        pages = list(_pages(lambda: queues.page(page_size=PAGE_SIZE)))
        with translated():
            return [_queue(queue) for page in pages for queue in page]

    def on_hold(self, account_sid: str, queue_sid: str) -> list[str]:
        """Read `Queues/{sid}/Members.json` to its end."""
        members = self._account(account_sid).queues(queue_sid).members
        try:
            pages = list(_pages(lambda: members.page(page_size=PAGE_SIZE)))
        except TwilioRefused as error:
            if error.http_status == 404:
                return []
            raise
        with translated():
            return [sid_of(member.call_sid) for page in pages for member in page]

    def _update(self, account_sid: str, call_sid: str, **changes: str) -> LiveReply:
        """Send an update. A 2xx alone proves no change: the status in the reply is read."""
        hangs_up = "status" in changes
        try:
            with translated():
                status = status_of(self._account(account_sid).calls(call_sid).update(**changes).status)
        except TwilioRefused as error:
            if error.code in (OVER, NOT_FOUND):
                return LiveReply.OVER
            raise
        if status is None:
            return LiveReply.UNKNOWN
        if hangs_up:
            return LiveReply.DONE if status.is_over else LiveReply.UNKNOWN
        return LiveReply.DONE if status is CallStatus.IN_PROGRESS else LiveReply.OVER


def _pages(first: Callable[[], Any]) -> Iterator[list[Any]]:
    """Yield the pages of a list.

    Raises:
        TwilioUnavailable: it has more than `MAX_PAGES`, and is not known whole.
    """
    with translated():
        page = first()
        items = list(page)
    for _ in range(MAX_PAGES):
        yield items
        with translated():
            page = page.next_page()
            if page is None:
                return
            items = list(page)
    raise TwilioUnavailable(f"a list of more than {MAX_PAGES} pages")


def _queue(queue: QueueInstance) -> HoldQueue:
    sid, size = sid_of(queue.sid), queue.current_size if isinstance(queue.current_size, int) else None
    return HoldQueue(sid, text_of(queue.friendly_name) or sid, size)


def _live(call: CallInstance, status: CallStatus) -> LiveCall:
    # People may be talking: child legs, and calls without a direction, are left alone.
    return LiveCall(
        call_sid=sid_of(call.sid),
        status=status,
        created_ms=unix_ms(call.date_created) or 0,
        is_outbound_api=call.direction == OUTBOUND_API and not call.parent_call_sid,
        from_number=text_of(getattr(call, "_from", None)),
        to_number=text_of(call.to),
    )
