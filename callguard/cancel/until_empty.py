"""The loop of drains and cancel runs: sweep, then read Twilio's list, until two lists in a row are empty."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import Enum
from functools import partial
from threading import Thread
from typing import TypeVar

from callguard.errors import StoreUnavailable

EMPTY_LISTS_WANTED = 2

Answer = TypeVar("Answer")
End = TypeVar("End")


class Listed(Enum):
    """What a reading of Twilio's list has shown. `UNCLEAR` proves neither of the other two."""

    NOTHING = "nothing to cancel"
    CALLS = "calls to cancel"
    UNCLEAR = "unclear"


async def until_empty(
    sweep: Callable[[], Awaitable[End | None]],
    read_list: Callable[[], Awaitable[Listed | End]],
    finish: Callable[[], End],
    wait_for_store: Callable[[StoreUnavailable, int], Awaitable[None]],
) -> End:
    """Return why the loop has ended: the result of `finish`, or an earlier one of `sweep` or `read_list`.

    `sweep` cancels the known calls, and returns None to go on with the list. `read_list` makes its own pause
    between two lists. `wait_for_store` gets the number of failed rounds in a row; it may raise the error.
    """
    empty_lists = failures = 0
    while True:
        try:
            if (end := await sweep()) is not None:
                return end
            shown = await read_list()
            if not isinstance(shown, Listed):
                return shown
            failures = 0
            if shown is not Listed.UNCLEAR:
                empty_lists = empty_lists + 1 if shown is Listed.NOTHING else 0
            if empty_lists >= EMPTY_LISTS_WANTED:
                return finish()
        except StoreUnavailable as error:
            failures += 1
            await wait_for_store(error, failures)


def in_thread(work: Callable[[], Answer]) -> "asyncio.Future[Answer]":
    """Read a list in a daemon thread, so that the run can end while Twilio takes seconds for a page."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Answer] = loop.create_future()
    future.add_done_callback(lambda done: done.cancelled() or done.exception())  # marks the error as retrieved

    def run() -> None:
        try:
            fulfil = partial(future.set_result, work())
        except BaseException as error:
            fulfil = partial(future.set_exception, error)
        with suppress(RuntimeError):  # the run is over, and with it the loop
            loop.call_soon_threadsafe(lambda: future.done() or fulfil())

    Thread(target=run, name="list", daemon=True).start()
    return future
