"""Refused callers of the API: counted, slowed down if their key is wrong, and reported to people if many.

A right key is checked first and never waits, whoever else sends from the same address: behind a proxy all do, and
a stranger must not keep a person from the kill switch. So a key is protected by its length. This module makes
guessing over a connection slow and visible.
"""

import logging
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from ipaddress import IPv6Address, ip_address, ip_network
from threading import Lock

from callguard.clock import Clock
from callguard.detect.needs import Notices
from callguard.domain.notices import EVERY_ACCOUNT, Notice, NoticeKind
from callguard.domain.results import ApiRefusal
from callguard.errors import StoreUnavailable
from callguard.web.spaced_warning import SpacedWarning

FREE_TRIES = 10
"""So many wrong keys of one address are answered at once; then one a second."""

MAX_WAIT_SECONDS = 3.0
MAX_WAITING = 50
"""The most delayed answers of one process: each holds a connection."""

MAX_PEERS = 1_000
"""The number of addresses that are remembered, the latest ones."""

MANY = 100
MANY_SECONDS = 600.0
TOLD_EVERY_SECONDS = 6 * 3600

_log = logging.getLogger(__name__)


class Refusals:
    """The refusals of one process; any thread may use it."""

    def __init__(
        self,
        clock: Clock,
        notices: Notices,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`monotonic` and `sleep` are in seconds; under gevent only the request that sleeps waits."""
        self._clock, self._notices, self._monotonic, self._sleep = clock, notices, monotonic, sleep
        self._lock = Lock()
        self._uncounted: Counter[str] = Counter()
        self._due_at: OrderedDict[str, float] = OrderedDict()
        self._waiting = 0
        self._many_since, self._many = monotonic(), 0
        self._warning = SpacedWarning(
            "a wrong key or token was sent to /api or /metrics from %s; if it is a program of yours, give it a "
            "key of CALLGUARD_API_KEY",
            clock,
        )

    def note(self, reason: ApiRefusal, peer: str) -> None:
        """Count a refusal of an address, and sleep until its answer is due. `write` sends the counts to Redis."""
        with self._lock:
            self._uncounted[reason.value] += 1
        if reason is ApiRefusal.WRONG_KEY:
            self._wrong_key(peer)

    def _wrong_key(self, peer: str) -> None:
        self._warning.due(peer or "a Unix socket")
        with self._lock:
            are_many = self._are_many()
            wait = self._wait_of(_sender(peer))
        if are_many:
            self._tell()
        if wait:
            try:
                self._sleep(wait)
            finally:
                with self._lock:
                    self._waiting -= 1

    def write(self, add: Callable[[Mapping[str, int]], None]) -> None:
        """Pass uncounted refusals to `add`; they are kept if it raises `StoreUnavailable`."""
        with self._lock:
            counts, self._uncounted = self._uncounted, Counter()
        if not counts:
            return
        try:
            add(counts)
        except StoreUnavailable:
            with self._lock:
                self._uncounted.update(counts)
            raise

    def _wait_of(self, peer: str) -> float:
        now = self._monotonic()
        due_at = max(self._due_at.pop(peer, now), now) + 1.0
        self._due_at[peer] = min(due_at, now + FREE_TRIES + MAX_WAIT_SECONDS)
        if len(self._due_at) > MAX_PEERS:
            self._due_at.popitem(last=False)
        wait = min(due_at - now - FREE_TRIES, MAX_WAIT_SECONDS)
        if wait <= 0 or self._waiting >= MAX_WAITING:
            return 0.0
        self._waiting += 1
        return wait

    def _are_many(self) -> bool:
        now = self._monotonic()
        if now - self._many_since >= MANY_SECONDS:
            self._many_since, self._many = now, 0
        self._many += 1
        return self._many == MANY

    def _tell(self) -> None:
        text = (
            f"{MANY} wrong keys or tokens were sent to one web process within {MANY_SECONDS / 60:.0f} min. "
            "Somebody may be guessing, or a program has an old key. The log names addresses; see "
            "callguard_api_refused_total. Keys of 20 random characters cannot be guessed; keep /api and /metrics "
            "from the Internet where you can"
        )
        notice = Notice(EVERY_ACCOUNT, NoticeKind.WARNING, text, self._clock.now_ms())
        try:
            self._notices.post(notice, once="wrong keys", every_seconds=TOLD_EVERY_SECONDS)
        except StoreUnavailable as error:
            _log.info("nobody could be told of wrong keys: %s", error)


def _sender(peer: str) -> str:
    """Return the address, or the network of an IPv6 address: one sender has all addresses of it."""
    try:
        address = ip_address(peer)
    except ValueError:
        return peer
    if isinstance(address, IPv6Address) and not address.ipv4_mapped:
        return str(ip_network((address, 64), strict=False))
    return str(address)
