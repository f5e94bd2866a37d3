"""Reads Twilio's list of queued calls while a person waits."""

from collections.abc import Callable
from typing import Protocol

from callguard.cancel.needs import QueuedCalls
from callguard.domain.calls import ListedCall
from callguard.domain.selection import Selection
from callguard.errors import TwilioRefused

MAX_BEGINNINGS = 3


class ListTeller(Protocol):
    """Is told how the reading goes, and may end it by raising an error of its own."""

    def page(self, pages: int, listed: int, meant: int) -> None:
        """Tell how many pages and calls were read, and how many of the calls match."""

    def rest(self, seconds: float, reason: str) -> None:
        """Wait for so many seconds before the page is asked for again."""

    def restart(self, reason: str) -> None:
        """Tell that the list is read from its beginning again."""


def find(
    telephony: QueuedCalls,
    account_sid: str,
    selection: Selection,
    told: ListTeller,
    is_meant: Callable[[ListedCall], bool] | None = None,
) -> list[ListedCall]:
    """Return all queued calls that match, each once, in the order of the list.

    Calls leave the queue while it is read. If Twilio no longer knows the next page, the list is read from its
    beginning, `MAX_BEGINNINGS` times at most. `is_meant` narrows the selection further.

    Raises:
        TwilioUnavailable, TwilioThrottled, TwilioRefused: the list could not be read whole.
    """
    found: dict[str, ListedCall] = {}
    for beginning in range(1, MAX_BEGINNINGS + 1):
        pages = listed = 0
        try:
            for page in telephony.queued_patiently(account_sid, selection, told.rest):
                pages, listed = pages + 1, listed + len(page.calls)
                meant = [call for call in selection.of(page.calls) if is_meant is None or is_meant(call)]
                found.update((call.call_sid, call) for call in meant if call.call_sid)
                told.page(pages, listed, len(found))
            break
        except TwilioRefused as error:
            if error.is_denial or not pages or beginning == MAX_BEGINNINGS:
                raise
            told.restart(str(error))
    return list(found.values())
