"""A lease that is kept while its owner waits: one page of a list may take longer than a lease should last."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from callguard.ports import StoreUnavailable

KEEP_EVERY_SECONDS = 1.5


@contextmanager
def kept(keep: Callable[[], bool]) -> Iterator[None]:
    """Call `keep` now and then, until the block is over or the lease is another's.

    So a lease may be short, and whoever takes over from a killed process need not wait long.
    """
    over = threading.Event()

    def run() -> None:
        while not over.wait(KEEP_EVERY_SECONDS):
            try:
                if not keep():
                    return
            except StoreUnavailable:
                continue  # nobody else can take it either

    thread = threading.Thread(target=run, name="poll-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
