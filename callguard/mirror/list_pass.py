"""One walk through Twilio's list of queued calls, which may be broken off and taken up again."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from itertools import pairwise
from threading import Thread

from callguard.clock import Clock
from callguard.domain.calls import ListedCall, ListedPage, by_creation


class ListPass:
    """Hands out the list's pages, and remembers what they showed.

    Attributes:
        started_ms: when the first page was asked for, in milliseconds of Unix time.
        listed: SIDs of all calls shown so far.
        oldest: creation and call of the oldest shown so far, None before any; `newest` likewise.
        newest_first: whether all pages so far came newest first. Twilio's examples do; nothing promises it.
        pages: how many have been read.
        is_whole: whether the last page has been read.
    """

    def __init__(self, pages: Iterator[ListedPage], clock: Clock) -> None:
        """Begin; nothing is asked of Twilio yet."""
        self._pages = pages
        self._clock = clock
        self.started_ms = clock.now_ms()
        self.listed: set[str] = set()
        self.oldest: tuple[int, ListedCall] | None = None
        self.newest: tuple[int, ListedCall] | None = None
        self.newest_first = True
        self.pages = 0
        self.is_whole = False
        self._ahead: Future[ListedPage] | None = None

    def next_page(self) -> list[tuple[int, ListedCall]]:
        """Return the next page's calls, oldest first, each with its creation; `is_whole` if it was the last.

        Raises:
            TwilioUnavailable, TwilioThrottled, TwilioRefused: the pass cannot be continued.
        """
        ahead, self._ahead = self._ahead, None
        page = ahead.result() if ahead else next(self._pages)
        self.pages += 1
        self.is_whole = page.is_last
        self.newest_first = self.newest_first and _descends(page.calls) and self._follows(page.calls)
        calls = by_creation(page.calls, self._clock.now_ms())
        if calls:
            self.oldest = min(self.oldest or calls[0], calls[0], key=_age)
            self.newest = max(self.newest or calls[-1], calls[-1], key=_age)
        self.listed.update(call.call_sid for call in page.calls)
        return calls

    def read_ahead(self) -> None:
        """Ask for the next page already, while this one is worked on: the oldest calls come last."""
        if self._ahead is None and not self.is_whole:
            self._ahead = Future()
            # A daemon: a process that ends does not wait for Twilio.
            Thread(target=_fulfil, args=(self._ahead, self._pages), name="list", daemon=True).start()

    def _follows(self, calls: Sequence[ListedCall]) -> bool:
        return not calls or self.oldest is None or calls[0].created_ms <= self.oldest[1].created_ms


def _fulfil(ahead: "Future[ListedPage]", pages: Iterator[ListedPage]) -> None:
    try:
        ahead.set_result(next(pages))
    except BaseException as error:  # passed on to the waiting reader, whatever it is
        ahead.set_exception(error)


def _descends(calls: Sequence[ListedCall]) -> bool:
    """Return whether a page certainly comes newest first; calls of one second may have any order."""
    ages = [(call.created_ms, call.queue_ms or 0) for call in calls]
    return all(newer >= older for newer, older in pairwise(ages)) and (len(ages) < 2 or ages[0] > ages[-1])


def _age(call: tuple[int, ListedCall]) -> tuple[int, int]:
    created_ms, listed = call
    return created_ms, listed.queue_ms or 0
