"""The job that RQ runs. It builds its own connections: RQ rewrites the timeouts of the worker's."""

import os
import socket
from contextlib import suppress

from rq import get_current_job

from callguard.bootstrap import DrainParts, build_drain, process_name
from callguard.cancel.incident_drain import DrainEnd
from callguard.config.settings import Settings, load_settings
from callguard.errors import StoreUnavailable

_inherited: list[Settings] = []


def inherit(settings: Settings) -> None:
    """Let jobs of this process and its forks use `settings`: reading a thousand accounts takes long."""
    _inherited[:] = [settings]


def drain(account_sid: str, generation: int) -> str:
    """Drain an account that has tripped to `generation`; return why the run ended."""
    job = get_current_job()
    owner = owner_of(job.id, os.getpid()) if job is not None else process_name()
    parts = build_drain(_inherited[0] if _inherited else load_settings(), owner=owner)
    account = parts.accounts.get(account_sid)
    if account is None:
        return "unknown account"
    try:
        end = parts.incident_drain.run(account, generation, owner)
    except BaseException:
        give_leases_back(parts, account_sid, owner)
        raise
    if end is DrainEnd.YIELDED:  # behind the others that wait
        parts.drains.wake(account_sid, generation)
    return end.value


def owner_of(job_id: str, pid: int) -> str:
    """Return the name under which a job holds leases: its worker can derive it, and give them back."""
    return f"{socket.gethostname()}-{pid}-{job_id}"


def give_leases_back(parts: DrainParts, account_sid: str, owner: str) -> None:
    """Give the leases back at once, so that others can go on. Without Redis, leases end by themselves."""
    with suppress(StoreUnavailable):
        parts.stores.incidents.yield_drain(account_sid, owner)
        parts.stores.poll_lease.give_back(account_sid, owner)
