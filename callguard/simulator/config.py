"""What a simulated Twilio is told at its start."""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

from callguard.simulator.faults import Faults

SANDBOX_ACCOUNT_SID = "AC5a0db0c5a0db0c5a0db0c5a0db0c5a00"
SANDBOX_AUTH_TOKEN = "5a0db0c5a0db0c5a0db0c5a0db0c5a0d"  # noqa: S105  no secret: it opens the sandbox only


class ListOrder(StrEnum):
    """In which order a list of calls comes. Twilio promises none; its examples show the newest first."""

    NEWEST = "newest"
    OLDEST = "oldest"
    SHUFFLED = "shuffled"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What happens to a call once it is dialled. Shares are weights; they need not add up to 1."""

    ring_seconds: float = 4.0
    talk_seconds: float = 20.0
    answered: float = 0.7
    busy: float = 0.1
    no_answer: float = 0.15
    failed: float = 0.05

    def __post_init__(self) -> None:
        if min(self.ring_seconds, self.talk_seconds, *self.shares) < 0 or not sum(self.shares) > 0:
            raise ValueError("ring_seconds, talk_seconds and shares must not be below 0, nor all shares 0")

    @property
    def shares(self) -> tuple[float, float, float, float]:
        """The weights of answered, busy, no_answer and failed."""
        return self.answered, self.busy, self.no_answer, self.failed


@dataclass(frozen=True, slots=True)
class SharedKey:
    """Signs callbacks with HMAC-SHA256 in the auth token's place.

    https://www.twilio.com/docs/usage/webhooks/webhook-shared-keys
    """

    key_id: str
    secret: str


@dataclass(frozen=True, slots=True)
class AccountConfig:
    """One account. Raises `ValueError` for values that Twilio could not have.

    `ceiling` is how many REST requests may be in flight at once; one more is answered with 429.
    `others` is how many of them are other programs' at the start. `tells_concurrency`: whether replies have
    `Twilio-Concurrent-Requests`.
    `latency` is in seconds for each REST request, spread by up to `latency_jitter` (a share of it).
    `list_lag`: lists show the calls as they were that many seconds ago; fetches are always fresh.
    `api_keys`: pairs of an API key and its secret, which open it as the auth token does.
    `parent_sid`: an account whose credentials open this one too.
    `event_sink`: where Event Streams tells of every call, whether or not its creator asked for callbacks.
    """

    sid: str = SANDBOX_ACCOUNT_SID
    auth_token: str = SANDBOX_AUTH_TOKEN
    cps: float = 1.0
    ceiling: int = 100
    others: int = 0
    tells_concurrency: bool = True
    latency: float = 0.1
    latency_jitter: float = 0.0
    list_order: ListOrder = ListOrder.NEWEST
    list_lag: float = 0.0
    behaviour: Behaviour = field(default_factory=Behaviour)
    faults: Faults = field(default_factory=Faults)
    cancel_callbacks: bool = True  # whether a call cancelled while queued sends its `completed` callback
    refuse_cancel_in_progress: bool = False  # 400/21220 for `canceled` on a live call, else 200 unchanged
    api_keys: tuple[tuple[str, str], ...] = ()
    shared_key: SharedKey | None = None
    parent_sid: str | None = None
    event_sink: "EventSink | None" = None
    keep_ended: int = 200_000  # ended calls beyond this number are forgotten, oldest end first

    def __post_init__(self) -> None:
        if not re.fullmatch("AC[0-9a-fA-F]{32}", self.sid):
            raise ValueError(f"an account SID is AC and 32 hex digits, not {self.sid!r}")
        if not self.auth_token:
            raise ValueError("the auth token is empty")
        if not 0 < self.cps <= 100_000:
            raise ValueError(f"cps must be above 0 and at most 100000, not {self.cps}")
        if self.ceiling < 1 or min(self.others, self.keep_ended) < 0:
            raise ValueError("ceiling must be 1 or more, others and keep_ended 0 or more")
        if min(self.latency, self.list_lag) < 0 or not 0 <= self.latency_jitter <= 1:
            raise ValueError("latency and list_lag must be 0 or more, latency_jitter from 0 to 1")


@dataclass(frozen=True, slots=True)
class SimulatorConfig:
    """The server and its accounts. Port 0 takes a free one. The same seed gives the same SIDs and luck."""

    accounts: tuple[AccountConfig, ...] = field(default_factory=lambda: (AccountConfig(),))
    host: str = "127.0.0.1"
    port: int = 0
    seed: int = 1
    callback_concurrency: int = 100

    def __post_init__(self) -> None:
        if not self.accounts or len({account.sid for account in self.accounts}) < len(self.accounts):
            raise ValueError("there must be one account or more, each with its own SID")
        if self.callback_concurrency < 1:
            raise ValueError("callback_concurrency must be 1 or more")


CREATED = "com.twilio.voice.api-request.call.created"
STATUS_CALLBACK = "com.twilio.voice.status-callback.call."
EVENT_TYPES = frozenset(
    {CREATED, *(STATUS_CALLBACK + e for e in ("initiated", "ringing", "answered", "completed"))}
)


@dataclass(frozen=True, slots=True)
class EventSink:
    """A webhook sink and its subscription. Raises `ValueError` for what could not be one.

    An event is ready to go `latency` seconds after it happened. What is ready goes out every `batch_seconds`, at
    most `batch_size` events in a request, one request at a time. A batch that is not answered with 2xx is sent
    again, up to `attempts` times in all, after `retry_seconds`, then twice that, and so on. (Twilio goes on for
    four hours.) When `most_waiting` events wait, the next are lost.
    """

    url: str
    types: frozenset[str] = EVENT_TYPES
    batch_size: int = 100
    batch_seconds: float = 0.05
    latency: float = 0.0
    attempts: int = 5
    retry_seconds: float = 0.2
    most_waiting: int = 100_000

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.fragment or parts.port == 0:
            raise ValueError(f"a sink's URL is http or https and has no fragment, not {self.url!r}")
        if unknown := self.types - EVENT_TYPES:
            raise ValueError(f"unknown event types: {', '.join(sorted(unknown))}")
        if min(self.batch_size, self.attempts, self.most_waiting) < 1:
            raise ValueError("batch_size, attempts and most_waiting must be 1 or more")
        if self.batch_seconds < 0.005 or min(self.latency, self.retry_seconds) < 0:
            raise ValueError("batch_seconds must be 0.005 or more, latency and retry_seconds 0 or more")
