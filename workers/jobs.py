"""The job that RQ runs. It builds its own connections: RQ rewrites the timeouts of the worker's."""

from callguard.bootstrap import build, process_name
from callguard.config.settings import load_settings
from callguard.drain.drain import DrainEnd


def drain(account_sid: str, generation: int) -> str:
    """Drain an account that has tripped to `generation`; return why the run ended."""
    services = build(load_settings())
    account = services.accounts.get(account_sid)
    if account is None:
        return "unknown account"
    end = services.drain.run(account, generation, process_name())
    if end is DrainEnd.YIELDED:  # behind the others that wait
        services.drains.wake(account_sid, generation)
    return end.value
