"""What people have decided: in Redis, in the memory of this process, and in the data directory."""

import json
import logging
import secrets
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from redis import Redis

from callguard.clock import Clock, SystemClock
from callguard.domain.decisions import Announced, Decided, StateLost, merged
from callguard.domain.incidents import incident_id
from callguard.domain.snapshot import Snapshot, Word
from callguard.store.connection import translated_errors
from callguard.store.decision_file import DecisionFile, UnreadableMemory
from callguard.store.keys import AccountKeys
from callguard.store.retention import ACCOUNT_MS, CAMPAIGN_MS, INCIDENT_MS
from callguard.store.scripts import Argument, Scripts, pairs

_log = logging.getLogger(__name__)

HOLD_FIELDS = (
    *("paused", "paused_since", "paused_by", "paused_reason", "paused_until"),
    *("resumed_since", "resumed_by", "resumed_reason", "lost", "reset_generation"),
)
"""Fields of the state that a person's latest decision has left. Settings that are changed live belong here too."""

_FIELDS = ("epoch", "server", "decision", "said", "released", "generation", "state", "campaigns", *HOLD_FIELDS)

OTHERS_FIRST_SECONDS = 2.0
"""Seconds for which other processes leave a repair to the watcher, whose memory is the freshest."""

SERVER_SECONDS = 1.0
FOLLOW_SECONDS = 1.0
MAX_TRIES = 5


@dataclass(frozen=True, slots=True)
class _Held:
    """What Redis holds, and marks that show whether it has changed since it was read."""

    decided: Decided
    server: str
    text: Mapping[str, str]
    was_adopted: bool

    @property
    def has_open_incident(self) -> bool:
        return self.text.get("state", "armed") != "armed"


class RedisDecisions:
    """Compares Redis with what is remembered, and restores what it has lost.

    Scripts that trip, drain or record outcomes refuse where `lua/parts/trust.lua` says so. Until the state is
    restored nothing is tripped and nothing cancelled, whichever process asks.
    """

    def __init__(
        self,
        connection: Redis,
        scripts: Scripts,
        clock: Clock | None = None,
        file: DecisionFile | None = None,
        *,
        others_first_seconds: float = 0.0,
        tell: Callable[[StateLost], None] = lambda _lost: None,
    ) -> None:
        """Keep the parts. `tell` is called with each loss after this process has restored it."""
        self._redis = connection
        self._scripts = scripts
        self._clock = clock or SystemClock()
        self._file = file
        self._others_first_seconds = others_first_seconds
        self._tell = tell
        self._known: dict[str, Decided] = {}
        self._read_ns: dict[str, int] = {}
        self._doubted_at: dict[str, float] = {}
        self._server = ("", float("-inf"))
        self._followed_at = float("-inf")

    def go_first(self) -> None:
        """Restore losses at once: this process looks at every account many times a second."""
        self._others_first_seconds = 0.0

    def latest(self, account_sid: str) -> int:
        """Return the number of the latest decision that this process knows; 0 for none."""
        known = self._known.get(account_sid)
        return known.number if known is not None else 0

    def check(self, snapshot: Snapshot, account_sid: str) -> bool:
        """Compare a snapshot with what is remembered; return whether it has to be read again.

        Raises:
            StoreUnavailable: a later check tries again.
        """
        known, mark = self._known.get(account_sid), snapshot.mark
        file_ns = self._file.changed_ns() if self._file is not None else 0
        if (
            known is not None
            and (mark.epoch, mark.decision) == (known.epoch, known.number)
            and mark.server == self._server_id()
            and not self._is_news(account_sid, file_ns)
        ):
            if snapshot.generation > known.generation:
                self._known[account_sid] = replace(known, generation=snapshot.generation)
            return False
        return self.make_good(account_sid)

    def _is_news(self, account_sid: str, file_ns: int) -> bool:
        """Return whether the file holds a decision that this process does not know."""
        if self._file is None or self._read_ns.get(account_sid) == file_ns:
            return False
        self._read_ns[account_sid] = file_ns
        try:
            kept = self._file.read(account_sid)
        except UnreadableMemory:
            return False
        return kept is not None and self._known[account_sid].lacks(kept)

    def doubted(self, account_sid: str) -> bool:
        """Note that a script refused to act; return whether the state is restored, so that it can be run again.

        Raises:
            StoreUnavailable: as `check` does.
        """
        now = time.monotonic()
        since = self._doubted_at.get(account_sid, float("-inf"))
        if now - since > 10 * max(1.0, self._others_first_seconds):
            since = self._doubted_at[account_sid] = now
        if now - since < self._others_first_seconds and not self._is_new(account_sid):
            return False
        self._doubted_at.pop(account_sid, None)
        return self.make_good(account_sid)

    def remember(self, account_sid: str) -> bool:
        """Remember what Redis holds, after a decision by this process; return whether a file has it too."""
        held = self._read(account_sid).decided
        try:
            known = self._remembered(account_sid)
        except UnreadableMemory:
            known = self._known.get(account_sid)
        self._note(account_sid, merged(known or Decided(), held))
        return self._keep(account_sid)

    def leave_pause(self, account_sid: str, word: Word) -> bool:
        """Leave a pause that Redis did not take in the file, where the watcher finds it; False without a file."""
        if self._file is None:
            return False
        fields = {"paused": "1", "paused_since": str(word.since_ms), "paused_by": word.by}
        fields |= {"paused_reason": word.reason}
        fields |= {"paused_until": str(word.until_ms)} if word.until_ms else {}
        try:
            known = self._file.read(account_sid) or Decided()
        except UnreadableMemory:
            known = Decided()
        number = max(word.since_ms, known.number + 1)
        hold = {"reset_generation": known.hold.get("reset_generation", "0"), **fields}
        return self._file.add(account_sid, replace(known, number=number, said=number, hold=hold))

    def follow(self, account_sids: Collection[str]) -> None:
        """Remember new decisions, for a process that does not `check`; restore nothing.

        It asks Redis once a second at most.
        """
        if time.monotonic() - self._followed_at < FOLLOW_SECONDS:
            return
        self._followed_at = time.monotonic()
        states = [AccountKeys(account_sid).state for account_sid in account_sids]
        marks = self._scripts.fields_each(states, "epoch", "decision")
        for account_sid, (epoch, decision) in zip(account_sids, marks, strict=True):
            known = self._known.get(account_sid)
            if epoch and (known is None or int(decision or 0) > known.number):
                self.remember(account_sid)

    @property
    def kept_at(self) -> str:
        """The file of the memory; empty where there is none."""
        return str(self._file.path) if self._file is not None else ""

    def make_good(self, account_sid: str) -> bool:
        """Compare Redis with what is remembered, restore what it lacks, and mark it as trusted."""
        for _ in range(MAX_TRIES):
            if (done := self._make_good_once(account_sid)) is not None:
                return done
        return False

    def _make_good_once(self, account_sid: str) -> bool | None:
        held, now_ms, doubt = self._read(account_sid), self._clock.now_ms(), ""
        try:
            known = self._remembered(account_sid)
        except UnreadableMemory as error:
            known, doubt = self._known.get(account_sid), f"{error}"
        if known is None and not held.decided.epoch and held.was_adopted:
            doubt = doubt or "no process remembers it"
        was_emptied = not held.decided.epoch and (known is not None or bool(doubt))
        is_unknown = was_emptied and known is None
        known = (known or Decided()).as_of(now_ms)
        lacking = held.decided.as_of(now_ms).lacks(known)
        want = merged(known, held.decided)
        if is_unknown:
            want = replace(want, hold={**want.hold, "lost": str(now_ms)}, number=max(want.number + 1, now_ms))
        if was_emptied or lacking:
            want = replace(want, losses=want.losses + 1)
        want = replace(want, epoch=want.epoch or secrets.token_hex(8))
        self._close_again(account_sid, held, want, now_ms)
        if not self._vouch(account_sid, held, want, was_emptied=was_emptied, now_ms=now_ms):
            return None
        self._note(account_sid, want)
        self._keep(account_sid)
        if was_emptied or lacking:
            self._tell(StateLost(account_sid, was_emptied, is_unknown, doubt, _words(want), now_ms))
        return True

    def _is_new(self, account_sid: str) -> bool:
        """Whether nothing shows that the account was ever guarded."""
        try:
            if self._remembered(account_sid) is not None:
                return False
        except UnreadableMemory:
            return False
        held = self._read(account_sid)
        return not held.decided.epoch and not held.was_adopted

    def _remembered(self, account_sid: str) -> Decided | None:
        """Return what this process and the file remember together."""
        known = self._known.get(account_sid)
        if self._file is None:
            return known
        self._read_ns[account_sid] = self._file.changed_ns()
        kept = self._file.read(account_sid)
        if kept is None or known is None:
            return kept or known
        return merged(kept, known)

    def _note(self, account_sid: str, decided: Decided) -> None:
        self._known[account_sid] = decided.as_of(self._clock.now_ms())

    def _keep(self, account_sid: str) -> bool:
        if self._file is None or not self.latest(account_sid):
            return False
        return self._file.add(account_sid, self._known[account_sid])

    def _read(self, account_sid: str) -> _Held:
        keys = AccountKeys(account_sid)
        fields, records, totals = self._scripts.read(
            (keys.state, f"HMGET {' '.join(_FIELDS)}"),
            (keys.campaigns, "HGETALL"),
            (keys.totals, "HMGET adopted state_lost"),
        )
        text = {name: value for name, value in zip(_FIELDS, fields, strict=True) if value is not None}
        number, said, released, generation = (
            int(float(text.get(name, 0))) for name in ("decision", "said", "released", "generation")
        )
        decided = Decided(
            text.get("epoch", ""),
            number,
            said,
            {name: text[name] for name in HOLD_FIELDS if name in text},
            {name: _announced(record) for name, record in pairs(records).items()},
            released,
            generation,
            int(totals[1] or 0),
        )
        return _Held(decided.as_of(self._clock.now_ms()), text.get("server", ""), text, totals[0] is not None)

    def _close_again(self, account_sid: str, held: _Held, want: Decided, now_ms: int) -> None:
        """Close an incident again that a person has reset: the server has lost the reset."""
        generation = held.decided.generation
        if held.has_open_incident and generation <= int(want.hold.get("reset_generation", 0)):
            close_incident(self._scripts, account_sid, generation, "reset before, and lost", now_ms, force=True)

    def _vouch(self, account_sid: str, held: _Held, want: Decided, *, was_emptied: bool, now_ms: int) -> bool:
        keys = AccountKeys(account_sid)
        before = held.text.get("campaigns", "")
        missing = {name: c for name, c in want.campaigns.items() if name not in held.decided.campaigns}
        since = min((c.starts_ms for c in missing.values() if c.over_ms > now_ms), default=None)
        hold = [want.hold.get(name, "") for name in HOLD_FIELDS]
        arguments: list[Argument] = [
            *(held.text.get("epoch", ""), held.text.get("decision", ""), before),
            *(want.epoch, want.number, want.said, want.released_ms, want.generation, want.losses),
            *(int(was_emptied), _open_text(before, want, was_emptied=was_emptied)),
            *("" if since is None else since, CAMPAIGN_MS, ACCOUNT_MS, len(HOLD_FIELDS)),
            *HOLD_FIELDS,
            *hold,
            *(text for name, c in want.campaigns.items() for text in (name, c.record)),
        ]
        touched = [keys.state, keys.campaigns, keys.totals, keys.queue, keys.announced, keys.senders]
        return bool(self._scripts.run("vouch", touched, arguments))

    def _server_id(self) -> str:
        run_id, asked_at = self._server
        if time.monotonic() - asked_at >= SERVER_SECONDS:
            with translated_errors():
                told: Any = self._redis.info("server")
            run_id = str(told.get("run_id", ""))
            self._server = (run_id, time.monotonic())
        return run_id


def _announced(record: str) -> Announced:
    held = json.loads(record)
    ended_ms = held.get("ended_ms", 0)
    over_ms = ended_ms or held["until_ms"]
    calls = 0 if held.get("released_ms") else held["calls"]
    return Announced(record, held["sender"], calls, held["starts_ms"], over_ms, bool(ended_ms))


def _open_text(before: str, want: Decided, *, was_emptied: bool) -> str:
    """Return the text of the open campaigns. Lost ones wait for all their calls again, unless they have ended.

    A server that was emptied has forgotten which calls belong to campaigns. So one that has ended takes back those
    of its calls that were created before, unless a person has made them ordinary calls.
    """
    entries = {entry.split(",")[0]: entry for entry in before.split(";") if entry}
    for name, campaign in want.campaigns.items():
        takes_back = was_emptied and campaign.over_ms > want.released_ms and not campaign.is_released
        if name not in entries and (not campaign.has_ended or takes_back):
            entries[name] = f"{name},{campaign.sender},{campaign.over_ms},{campaign.calls}"
        elif campaign.has_ended and not was_emptied:
            entries.pop(name, None)
    return "".join(f"{entry};" for entry in entries.values())


def _words(decided: Decided) -> str:
    return "; ".join(_said(decided)) or "nothing was held back"


def _said(decided: Decided) -> Iterator[str]:
    if decided.hold.get("paused") == "1":
        yield f"paused by {decided.hold.get('paused_by') or 'somebody'}"
    open_ones = sum(not campaign.has_ended for campaign in decided.campaigns.values())
    if open_ones:
        yield f"{open_ones} announced campaign{'s' if open_ones > 1 else ''}"


def close_incident(
    scripts: Scripts, account_sid: str, generation: int, reason: str, now_ms: int, *, force: bool, by: str = ""
) -> bool:
    """Close the incident and keep it for `INCIDENT_MS`; `by` is the person who wants it, empty for the guard."""
    keys = AccountKeys(account_sid)
    name = incident_id(account_sid, generation)
    touched = [
        *(keys.state, keys.incident, keys.ledger),
        *(keys.closed_incident(name), keys.closed_ledger(name), keys.queue, keys.protected),
        *(keys.out_of_scope, keys.senders),
    ]
    arguments: list[Argument] = [generation, int(force), now_ms, reason, INCIDENT_MS, ACCOUNT_MS, by]
    return bool(scripts.run("rearm", touched, arguments))
