"""Trips, drains and incidents in Redis."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from redis import Redis

from callguard.domain.culprits import Culprit
from callguard.domain.histograms import CANCEL_DURATION, DETECTION_DELAY
from callguard.domain.incidents import Incident, LiveOutcome, incident_id
from callguard.domain.policy import Mode
from callguard.domain.scope import EVERY_CALL, Scope
from callguard.domain.snapshot import Finding, Word
from callguard.domain.tally import Outcome
from callguard.errors import StoreUnavailable
from callguard.store.connection import translated_errors
from callguard.store.decisions import RedisDecisions, close_incident
from callguard.store.keys import AccountKeys
from callguard.store.retention import (
    ACCOUNT_MS,
    BATCH,
    CONCURRENCY_MS,
    INCIDENT_MS,
    LEASE_MS,
    LEFT_CALL_MS,
    RING_SECONDS,
)
from callguard.store.scripts import Argument, Scripts, pairs
from callguard.store.snapshots import finding_from


class RedisIncidentStore:
    """Fulfils `IncidentStore`. Every method may raise `StoreUnavailable`."""

    def __init__(self, connection: Redis, scripts: Scripts, decisions: RedisDecisions | None = None) -> None:
        """Use `connection` for reads and `scripts` for everything that compares and sets.

        `decisions` remembers what people have decided; without it this store keeps a memory of its own.
        """
        self._redis = connection
        self._scripts = scripts
        self._decisions = decisions or RedisDecisions(connection, scripts)

    def trip(
        self,
        account_sid: str,
        generation: int,
        finding: Finding,
        mode: Mode,
        now_ms: int,
        culprits: Sequence[Culprit] = (),
        scope: Scope = EVERY_CALL,
        *,
        unqueued: bool = False,
    ) -> bool:
        """Open incident `<account>-<generation + 1>`."""
        keys = AccountKeys(account_sid)
        delay = max(0.0, (now_ms - finding.onset_ms) / 1000)
        name = incident_id(account_sid, generation + 1)
        fields = ("value", finding.observed, "threshold", finding.threshold)
        named = json.dumps([asdict(culprit) for culprit in culprits])
        more = ("setting", finding.setting, "onset", finding.onset_ms, "culprits", named)
        return self._acted(
            account_sid,
            "trip",
            [keys.state, keys.incident, keys.ledger, keys.incidents, keys.totals],
            [
                *(generation, now_ms, mode.value, name, INCIDENT_MS, finding.rule.value),
                *(DETECTION_DELAY.field(delay), delay, _scope_text(scope), int(unqueued), *fields, *more),
            ],
        )

    def take_queue(self, account_sid: str, generation: int, now_ms: int) -> bool:
        """Remove the mark of an incident without a queue."""
        keys = AccountKeys(account_sid)
        return self._acted(account_sid, "take_queue", [keys.state, keys.incident], [generation, now_ms])

    def go_on(self, account_sid: str, generation: int) -> bool:
        """Reopen the closed incident of `generation`."""
        keys = AccountKeys(account_sid)
        name = incident_id(account_sid, generation)
        closed = (keys.closed_incident(name), keys.closed_ledger(name))
        touched = [keys.state, keys.incident, keys.ledger, *closed]
        return self._acted(account_sid, "go_on", touched, [generation, INCIDENT_MS])

    def widen(self, account_sid: str, generation: int, scope: Scope) -> bool:
        """Store the scope."""
        keys = AccountKeys(account_sid)
        return self._won("widen", [keys.state, keys.incident], [generation, _scope_text(scope)])

    def start_drain(self, account_sid: str, generation: int, owner: str, mode: Mode) -> bool:
        """Take the lease for `LEASE_MS`."""
        keys = AccountKeys(account_sid)
        arguments: list[Argument] = [generation, owner, LEASE_MS, mode.value]
        # If the state may not be acted on, other processes restore it: a job has no memory of its own.
        known = self._decisions.latest(account_sid)
        reply = self._scripts.run("start_drain", [keys.state, keys.lease, keys.incident], [*arguments, known])
        return bool(reply == 1)

    def keep_drain(self, account_sid: str, generation: int, owner: str) -> bool:
        """Renew the lease for `LEASE_MS`.

        Raises:
            StoreUnavailable: Redis did not answer, or what was decided has to be looked up first.
        """
        keys = AccountKeys(account_sid)
        arguments: list[Argument] = [generation, owner, LEASE_MS, self._decisions.latest(account_sid)]
        kept: int = self._scripts.run("keep_drain", [keys.state, keys.lease], arguments)
        self._demand_trust(account_sid, kept)
        return bool(kept)

    def change_mode(self, account_sid: str, generation: int, mode: Mode) -> bool:
        """Change the mode of the open incident."""
        keys = AccountKeys(account_sid)
        return self._acted(account_sid, "change_mode", [keys.state, keys.incident], [generation, mode.value])

    def unobserve(self, account_sid: str, generation: int) -> int:
        """Walk through the queue, `BATCH` calls at a time."""
        keys, taken, start = AccountKeys(account_sid), 0, 0
        touched = [keys.state, keys.queue, keys.incident, keys.ledger]
        while True:
            with translated_errors():
                batch: Any = self._redis.zrange(keys.queue, start, start + BATCH - 1)
            if not batch:
                return taken
            taken += self._scripts.run("unobserve", touched, [generation, *batch])
            start += BATCH

    def settle_all(
        self, account_sid: str, generation: int, outcomes: Sequence[tuple[str, Outcome]], now_ms: int
    ) -> bool:
        """Record outcomes in the ledger, `BATCH` at a time; what has been recorded may be given again.

        Raises:
            StoreUnavailable: Redis did not answer, or what was decided has to be looked up first.
        """
        batches = [outcomes[i : i + BATCH] for i in range(0, len(outcomes), BATCH)] or [()]
        may_cancel = [self._settle(account_sid, generation, batch, now_ms) for batch in batches][-1]
        self._demand_trust(account_sid, may_cancel)
        return bool(may_cancel)

    def _settle(
        self, account_sid: str, generation: int, outcomes: Sequence[tuple[str, Outcome]], now_ms: int
    ) -> int:
        keys = AccountKeys(account_sid)
        name = incident_id(account_sid, generation)
        settings = (generation, now_ms, LEFT_CALL_MS, INCIDENT_MS, RING_SECONDS, ACCOUNT_MS)
        calls = [text for call_sid, outcome in outcomes for text in (call_sid, outcome.value)]
        may_cancel: int = self._scripts.run(
            "settle",
            [
                *(keys.state, keys.queue, keys.incident, keys.ledger, keys.totals, keys.series),
                *(keys.closed_incident(name), keys.closed_ledger(name)),
                *(keys.protected, keys.announced, keys.out_of_scope),
                *(keys.call(call_sid) for call_sid, _ in outcomes),
            ],
            [*settings, *calls, self._decisions.latest(account_sid)],
        )
        return may_cancel

    def concurrency(self, account_sid: str) -> float | None:
        """Read what was last noted, in the last ten minutes."""
        with translated_errors():
            held: Any = self._redis.get(AccountKeys(account_sid).concurrency)
        return float(held) if held else None

    def note_concurrency(self, account_sid: str, limit: float) -> None:
        """Keep it for ten minutes."""
        with translated_errors():
            self._redis.set(AccountKeys(account_sid).concurrency, f"{limit:.1f}", px=CONCURRENCY_MS)

    def yield_drain(self, account_sid: str, owner: str) -> None:
        """Give the lease back."""
        self._scripts.run("release_lease", [AccountKeys(account_sid).lease], [owner])

    def finish_drain(self, account_sid: str, generation: int, owner: str, now_ms: int, *, capped: bool) -> bool:
        """Go to cooling and note how long the drain took."""
        keys = AccountKeys(account_sid)
        with translated_errors():
            tripped: Any = self._redis.hget(keys.incident, "tripped")
        seconds = max(0.0, (now_ms - int(tripped or now_ms)) / 1000)
        return self._won(
            "finish_drain",
            [keys.state, keys.lease, keys.queue, keys.incident, keys.totals],
            [generation, owner, now_ms, int(capped), CANCEL_DURATION.field(seconds), seconds],
        )

    def continue_drain(
        self, account_sid: str, generation: int, now_ms: int = 0, *, by: str = "", reason: str = ""
    ) -> bool:
        """Lift the cap's stop."""
        keys = AccountKeys(account_sid)
        return self._won("continue_drain", [keys.state, keys.incident], [generation, now_ms, by, reason])

    def reopen(self, account_sid: str, generation: int) -> bool:
        """Go back to draining."""
        keys = AccountKeys(account_sid)
        return self._acted(account_sid, "reopen", [keys.state, keys.queue], [generation])

    def rearm(
        self, account_sid: str, generation: int, reason: str, now_ms: int, *, force: bool, by: str = ""
    ) -> bool:
        """Close the incident and keep it for `INCIDENT_MS`."""
        return close_incident(self._scripts, account_sid, generation, reason, now_ms, force=force, by=by)

    def pause(self, account_sid: str, reason: str, now_ms: int, *, by: str = "", until_ms: int = 0) -> None:
        """Set the kill switch, also on a server that is full."""
        self._won("pause", [AccountKeys(account_sid).state], [now_ms, by, reason, until_ms or ""])

    def resume(
        self, account_sid: str, now_ms: int = 0, *, by: str = "", reason: str = "", since_ms: int = 0
    ) -> bool:
        """Clear the kill switch, also on a server that is full."""
        return self._won("resume", [AccountKeys(account_sid).state], [now_ms, by, reason, since_ms or ""])

    def has_lease(self, account_sid: str) -> bool:
        """Look for the lease."""
        with translated_errors():
            return bool(self._redis.exists(AccountKeys(account_sid).lease))

    def current(self, account_sid: str) -> Incident | None:
        """Read the open incident with its live counts."""
        keys = AccountKeys(account_sid)
        flat, remaining, protected = self._scripts.read(
            (keys.incident, "HGETALL"), (keys.queue, "ZCARD"), (keys.protected, "ZCARD")
        )
        fields = pairs(flat)
        return (
            _incident(account_sid, fields | {"remaining": remaining, "still_spared": protected})
            if "id" in fields
            else None
        )

    def recent(self, account_sid: str, count: int) -> list[Incident]:
        """Read closed incidents, newest first."""
        keys = AccountKeys(account_sid)
        with translated_errors():
            names: Any = self._redis.zrevrange(keys.incidents, 0, count)
            with self._redis.pipeline(transaction=False) as pipe:
                for name in names:
                    pipe.hgetall(keys.closed_incident(name))
                closed = pipe.execute()
        return [_incident(account_sid, fields) for fields in closed if fields][:count]

    def _acted(self, account_sid: str, script: str, keys: list[str], arguments: list[Any]) -> bool:
        """Run a script that answers -1 if the state may not be acted on; repeat it once that is restored."""
        done = self._scripts.run(script, keys, [*arguments, self._decisions.latest(account_sid)])
        if done == -1 and self._decisions.doubted(account_sid):
            done = self._scripts.run(script, keys, [*arguments, self._decisions.latest(account_sid)])
        return bool(done == 1)

    def _demand_trust(self, account_sid: str, reply: int) -> None:
        if reply == -1:
            self._decisions.doubted(account_sid)
            raise StoreUnavailable(
                "Redis may lack what was decided lately; it is compared with what is remembered"
            )

    def _won(self, script: str, keys: list[str], arguments: list[Any]) -> bool:
        return bool(self._scripts.run(script, keys, arguments))


def _incident(account_sid: str, fields: dict[str, Any]) -> Incident:
    outcomes = {outcome: int(fields[outcome.value]) for outcome in Outcome if outcome.value in fields}
    return Incident(
        id=fields["id"],
        account_sid=account_sid,
        generation=int(fields["generation"]),
        finding=finding_from(
            fields["rule"],
            *(fields.get(name) for name in ("value", "threshold", "setting", "onset")),
        ),
        mode=Mode(fields["mode"]),
        tripped_ms=int(fields["tripped"]),
        cooled_ms=int(fields.get("cooled", 0)),
        closed_ms=int(fields.get("closed", 0)),
        reason=fields.get("reason", ""),
        closed_by=fields.get("closed_by", ""),
        continued=Word(
            fields.get("continued_by", ""), fields.get("continued_reason", ""), int(fields.get("continued", 0))
        ),
        culprits=tuple(Culprit(**culprit) for culprit in json.loads(fields.get("culprits", "[]"))),
        scope=_scope(fields.get("scope", "")),
        cap_from=int(fields.get("cap_from", 0)),
        outcomes=outcomes,
        remaining=int(fields["remaining"]) if "remaining" in fields else 0,
        protected=int(fields.get("still_spared", 0)),
        unqueued=fields.get("unqueued") == "1",
        live={o: int(fields[f"live_{o.value}"]) for o in LiveOutcome if f"live_{o.value}" in fields},
    )


def _scope_text(scope: Scope) -> str:
    return f"{scope.since_ms}:{','.join(sorted(scope.senders))}"


def _scope(text: str) -> Scope:
    since, _, senders = text.partition(":")
    return Scope(int(since or 0), frozenset(filter(None, senders.split(","))))
