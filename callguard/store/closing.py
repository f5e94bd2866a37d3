"""The end of an incident."""

from callguard.domain.incidents import incident_id
from callguard.store.keys import AccountKeys
from callguard.store.retention import ACCOUNT_MS, INCIDENT_MS
from callguard.store.scripts import Argument, Scripts


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
