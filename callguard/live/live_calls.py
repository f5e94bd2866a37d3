"""Live calls of a runaway: hung up on or redirected, if the operator has explicitly chosen so."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from callguard.clock import Clock
from callguard.config.accounts import Account
from callguard.domain.campaigns import Campaign
from callguard.domain.hold_queues import HoldQueue
from callguard.domain.incidents import Incident
from callguard.domain.live_call import LiveCall, is_part_of, may_be_announced
from callguard.domain.notices import Notice, NoticeKind
from callguard.domain.policy import LiveCalls, Mode
from callguard.domain.snapshot import Snapshot
from callguard.errors import StoreUnavailable, TwilioRefused, TwilioThrottled, TwilioUnavailable
from callguard.live.attempt import Actor, LiveEnding
from callguard.live.needs import Campaigns, IncidentStore, LiveCallStore, LiveTelephony, Notices
from callguard.retries import asked_again

_log = logging.getLogger(__name__)

Read = TypeVar("Read")

LOOK_SECONDS = 1.0
PAUSE_SECONDS = 5.0
THROTTLED_SECONDS = 1.0

READ_TRIES = 6
INITIAL_READ_PAUSE = 0.1
"""Seconds before a throttled list is first read again, doubled each time; drains leave Twilio little room."""

MAX_THREADS = 10

BATCH = 25
"""So many calls are acted on before the hold queues are read again."""

HOLD_FRESH_SECONDS = 5.0
"""After so many seconds a reading of the hold queues is out of date."""

FEW_QUEUES = 20
"""Up to so many hold queues the empty ones are read too: a caller may just have been put into one."""

WARN_EVERY_SECONDS = 600

_NO_TWILIO = (TwilioUnavailable, TwilioThrottled, TwilioRefused)


class LiveCallsTask:
    """Looks for live calls of the open incident, and acts on each of them once. For one account.

    A caller on hold is in progress at Twilio. So the members of all hold queues are read before the live calls,
    and again before each batch; whoever was ever seen there is never touched. Where they cannot be read, nothing
    is done.
    """

    every_seconds = LOOK_SECONDS

    def __init__(
        self,
        account: Account,
        telephony: LiveTelephony,
        store: LiveCallStore,
        incidents: IncidentStore,
        campaigns: Campaigns,
        notices: Notices,
        clock: Clock,
        twiml_url: str,
    ) -> None:
        """Keep the ports. `twiml_url` is where calls are redirected to if the policy names no other place."""
        self._account = account
        self._telephony = telephony
        self._store = store
        self._incidents = incidents
        self._campaigns = campaigns
        self._notices = notices
        self._clock = clock
        self._twiml_url = twiml_url
        self._actor: Actor | None = None
        self._left: set[str] = set()
        self._paused_until = float("-inf")

    def wants(self, snapshot: Snapshot) -> bool:
        """Return whether there is anything to look for."""
        policy = self._account.policy
        chosen = policy.live_calls is not LiveCalls.LEAVE and Mode.OBSERVE not in (
            policy.mode,
            snapshot.mode_under(policy),
        )
        may_act = snapshot.state.has_open_incident and not snapshot.paused and not snapshot.capped
        return chosen and may_act and time.monotonic() >= self._paused_until

    def __call__(self, snapshot: Snapshot) -> None:
        """Take one look, and act.

        Raises:
            StoreUnavailable: a later look tries again.
        """
        incident = self._incidents.current(self._account.sid)
        if not self.wants(snapshot) or incident is None or incident.generation != snapshot.generation:
            return
        if incident.mode is Mode.OBSERVE:
            return
        with ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="live") as pool:
            try:
                self._look(incident, pool)
            except _NO_TWILIO as error:
                self._pause(PAUSE_SECONDS, getattr(error, "retry_after", None))
                self._warn(incident, str(error))

    def _look(self, incident: Incident, pool: Executor) -> None:
        actor = self._actor_for(incident)
        self._leave_alone(self._on_hold(pool))
        sid, hasher = self._account.sid, self._account.hasher
        listed = _patiently(lambda: [call for page in self._telephony.live_calls(sid) for call in page])
        actor.follow_up({call.call_sid for call in listed})
        wanted = [c for c in listed if c.call_sid not in actor.done and is_part_of(incident, c, hasher)]
        wanted.sort(key=lambda call: call.created_ms)
        campaigns = self._campaigns.campaigns(sid) if wanted else []
        room = self._account.policy.max_cancellations - sum(incident.live.values())
        for start in range(0, min(len(wanted), room), BATCH):
            if not self._act(actor, wanted[start : min(start + BATCH, room)], campaigns, pool):
                return

    def _act(self, actor: Actor, calls: Sequence[LiveCall], campaigns: Sequence[Campaign], pool: Executor) -> bool:
        """Act on a batch; return False if the task must stop for now."""
        good_until = time.monotonic() + HOLD_FRESH_SECONDS
        self._leave_alone(self._on_hold(pool))
        attempt = partial(self._attempt, actor, campaigns, good_until)
        endings = Counter(pool.map(attempt, [call for call in calls if call.call_sid not in self._left]))
        if settled := endings[LiveEnding.SETTLED]:
            what = "redirected" if actor.url else "hung up on"
            _log.warning("account %s: %d live calls of the runaway were %s", self._account.sid, settled, what)
        if LiveEnding.DENIED in endings:
            _log.error("account %s: Twilio refuses our credentials: check its auth token", self._account.sid)
        if LiveEnding.LATER in endings:
            self._pause(THROTTLED_SECONDS, actor.retry_after)
        return not endings.keys() & {LiveEnding.STOPPED, LiveEnding.LATER, LiveEnding.DENIED}

    def _attempt(
        self, actor: Actor, campaigns: Sequence[Campaign], good_until: float, call: LiveCall
    ) -> LiveEnding:
        if time.monotonic() >= good_until:
            return LiveEnding.STOPPED
        unheard = not may_be_announced(call, campaigns, self._account.hasher)
        try:
            return actor.attempt(call, self._clock.now_ms(), unheard=unheard)
        except StoreUnavailable as error:
            _log.warning("account %s: live calls wait: %s", self._account.sid, error)
            return LiveEnding.STOPPED

    def _actor_for(self, incident: Incident) -> Actor:
        policy = self._account.policy
        url = (policy.live_calls_url or self._twiml_url) if policy.live_calls is LiveCalls.REDIRECT else ""
        if self._actor is None or self._actor.generation != incident.generation:
            self._actor = Actor(self._account.sid, incident.generation, self._telephony, self._store, url)
            self._left.clear()
        self._actor.url = url
        return self._actor

    def _pause(self, seconds: float, asked: float | None) -> None:
        self._paused_until = time.monotonic() + max(seconds, asked or 0.0)

    def _on_hold(self, pool: Executor) -> set[str]:
        """Return all calls that are on hold."""
        sid = self._account.sid
        queues = _patiently(lambda: self._telephony.hold_queues(sid))
        read = queues if len(queues) <= FEW_QUEUES else [queue for queue in queues if queue.size != 0]

        def members(queue: HoldQueue) -> list[str]:
            return _patiently(lambda: self._telephony.on_hold(sid, queue.queue_sid))

        return {call_sid for on_hold in pool.map(members, read) for call_sid in on_hold}

    def _leave_alone(self, call_sids: set[str]) -> None:
        """Remember who is on hold, also for when an agent has answered and no queue shows them any more."""
        if fresh := call_sids - self._left:
            self._store.leave_alone(self._account.sid, sorted(fresh))
            self._left |= fresh

    def _warn(self, incident: Incident, why: str) -> None:
        text = f"live calls are left alone for now: ringing, talking and held calls could not be read: {why}"
        _log.warning("account %s: %s", self._account.sid, text)
        notice = Notice(self._account.sid, NoticeKind.WARNING, text, self._clock.now_ms())
        self._notices.post(notice, once=f"live:{incident.generation}", every_seconds=WARN_EVERY_SECONDS)


def _patiently(read: Callable[[], Read]) -> Read:
    """Read, and repeat where Twilio throttles: such a request was never processed."""
    return asked_again(read, _may_pass, READ_TRIES, INITIAL_READ_PAUSE)


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, TwilioThrottled) and error.retry_after is None
