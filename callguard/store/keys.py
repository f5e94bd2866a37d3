"""Every key that CallGuard writes, with its type, writer and expiry.

The account's SID is the hash tag, so that all of one account's keys share a cluster slot and one script may
touch them together. Only the keys marked *permanent* have no expiry; their size is bounded by the settings.
"""

from dataclasses import dataclass

HEARTBEATS = "callguard:heartbeats"
"""HASH, permanent: process -> milliseconds of its last beat. Written by every process."""

PROCESSES = "callguard:processes"
"""HASH, 1 h: a process' name -> its kind, machine, version, digests of its settings, last beat, as JSON.

Written by every process. A process that starts removes entries of processes silent for long."""

WATCHERS = "callguard:{watch}:watchers"
"""ZSET, 1 h: a watcher by the end of its lease. Written by the watchers."""

WATCHED = "callguard:{watch}:accounts"
"""HASH, 1 h: an account -> its watcher, or since when it waits for one. Written by the watchers."""

WATCHERS_SHORT = "callguard:{watch}:short"
"""ZSET, 1 h: watchers that have fewer accounts than their part. Written by the watchers."""

NEWS = "callguard:{news}"
"""ZSET, a minute: accounts that a watcher should look at, by when there was news. Written by every process."""

WRITABLE = "callguard:writable"
"""STRING, a minute: shows readiness and `callguard_redis_up` that Redis takes writes. By web processes."""

WRITTEN = "callguard:written"
"""STRING, a minute: a write to wait for on replicas and disk. Written by `await_durability`."""

NOTICES = "callguard:{notices}:outbox"
"""STREAM, 30 d: what people are to be told. Written by `post_notice` and the relay."""


NOTICES_TAKEN = "callguard:{notices}:taken"
"""HASH, 30 d: notice -> the receivers that have it, while others do not. Written by the relay."""

NOTICE_RESULTS = "callguard:{notices}:results"
"""HASH, 30 d: result -> how many notices had it. Written by `post_notice` and the relay."""

API_REFUSED = "callguard:api_refused"
"""HASH, 30 d: reason -> how often the API refused a caller. Written by web processes."""

RELAY = "callguard:{notices}:relay"
"""STRING, seconds: the process that relays notices. Written by it, or by the process that starts it."""


def told(account_sid: str, name: str) -> str:
    """STRING, as long as it holds: what was posted under a name for an account. Written by `post_notice`.

    It shares the outbox's hash tag, not the account's, so that one script may touch both.
    """
    return f"callguard:{{notices}}:told:{account_sid}:{name}"


@dataclass(frozen=True, slots=True)
class AccountKeys:
    """The keys of one account."""

    account_sid: str

    def _key(self, name: str) -> str:
        return f"callguard:{{{self.account_sid}}}:{name}"

    @property
    def state(self) -> str:
        """HASH, permanent: state, generation, buckets, horizon, times. Written by nearly every script."""
        return self._key("state")

    @property
    def totals(self) -> str:
        """HASH, permanent: counters since ever, of closed sets. Written by every script."""
        return self._key("totals")

    @property
    def series(self) -> str:
        """HASH, 25 h: a ring of per-second counts. Written by `observe_calls` and `settle`."""
        return self._key("series")

    @property
    def queue(self) -> str:
        """ZSET, 25 h: the queue mirror: SID by creation. Written by `observe_calls`, drains, polls."""
        return self._key("queue")

    @property
    def protected(self) -> str:
        """ZSET, 25 h: the part of the mirror that is never cancelled. As `queue`."""
        return self._key("spared")

    @property
    def announced(self) -> str:
        """ZSET, 25 h: the part of the mirror that belongs to announced campaigns. As `queue`."""
        return self._key("announced")

    @property
    def out_of_scope(self) -> str:
        """ZSET, 25 h: the part of the mirror that the open incident leaves alone. As `queue`."""
        return self._key("outside")

    @property
    def unconfirmed(self) -> str:
        """HASH, 25 h: SID of a call that only its creator has told of -> the report. Written by `report_calls`."""
        return self._key("unconfirmed")

    @property
    def senders(self) -> str:
        """HASH, 25 h: `q` (queued) or `i` (initiated) and the keyed hash of From -> its bucket, and From masked.

        Written by `observe_calls`, pruned by the watcher.
        """
        return self._key("senders")

    @property
    def campaigns(self) -> str:
        """HASH, 30 d: id -> an announced campaign as JSON. Written by whoever announces and ends one."""
        return self._key("campaigns")

    @property
    def poll(self) -> str:
        """STRING, seconds: who reads Twilio's list for the account. Written by watchers and drains."""
        return self._key("poll")

    @property
    def incident(self) -> str:
        """HASH, 30 d: the open incident and its counts. Written by `trip` and whatever settles calls."""
        return self._key("incident")

    @property
    def ledger(self) -> str:
        """HASH, 30 d: SID -> outcome in the open incident. Written by whatever settles calls."""
        return self._key("ledger")

    @property
    def incidents(self) -> str:
        """ZSET, 30 d: incident ids by time of trip. Written by `trip`."""
        return self._key("incidents")

    @property
    def lease(self) -> str:
        """STRING, seconds: the drain that is alive. Written by drains."""
        return self._key("lease")

    @property
    def concurrency(self) -> str:
        """STRING, 10 min: how many requests at once Twilio bore. Written by drains."""
        return self._key("concurrency")

    @property
    def outages(self) -> str:
        """HASH, 30 d: present outages of Twilio's -> since when, ms. Written by watchers and drains."""
        return self._key("outages")

    @property
    def hold(self) -> str:
        """STRING, a minute: callers on hold by hold queue, as JSON. Written by the watcher."""
        return self._key("hold")

    @property
    def cancel_run(self) -> str:
        """HASH, 25 h: a `callguard cancel`: id, beginning, digest of the selection, counts. By `*_cancel_run`."""
        return self._key("clearing")

    @property
    def cancel_run_left(self) -> str:
        """ZSET, 25 h: the calls that it has not settled: SID by creation. As `cancel_run`."""
        return self._key("clearing:left")

    @property
    def cancel_run_outcomes(self) -> str:
        """HASH, 25 h: SID -> what became of it in the cancel run. As `cancel_run`."""
        return self._key("clearing:outcomes")

    @property
    def of_cancel_run(self) -> tuple[str, str, str]:
        """The three keys of a cancel run, as its scripts take them."""
        return self.cancel_run, self.cancel_run_left, self.cancel_run_outcomes

    def call(self, call_sid: str) -> str:
        """STRING, 25 h queued, 6 h after: the phases seen of a call, as bits, and above them a mark of its From.

        Written by `observe_calls` and whatever settles calls.
        """
        return self._key(f"call:{call_sid}")

    def live(self, call_sid: str) -> str:
        """STRING, 25 h: what was done with a live call, or that it is left alone. Written by `claim_live_call`."""
        return self._key(f"live:{call_sid}")

    def destination(self, destination: str) -> str:
        """STRING, or LIST from the second call on, `repeat_window_seconds`: when a destination was called lately.

        It is named by its keyed hash. Written by `observe_calls`.
        """
        return self._key(f"to:{destination}")

    def closed_incident(self, incident_id: str) -> str:
        """HASH, 30 d: a closed incident. Written by `rearm`."""
        return self._key(f"incident:{incident_id}")

    def closed_ledger(self, incident_id: str) -> str:
        """HASH, 30 d: a closed incident's SID -> outcome. Written by `rearm`."""
        return self._key(f"ledger:{incident_id}")
