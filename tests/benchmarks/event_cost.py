"""What one callback costs, from request to answer, beside many accounts, a full queue and a long history."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from werkzeug.test import Client, EnvironBuilder

from callguard.bootstrap import WebParts, build_web
from callguard.config.settings import load_settings
from callguard.domain.calls import CallEvent, CallStatus
from callguard.domain.policy import Mode
from callguard.domain.snapshot import Finding, Rule
from callguard.domain.sources import Source
from callguard.domain.tally import Outcome
from callguard.processes.embedded_valkey import EmbeddedValkey
from callguard.web import create_app
from tests.callback_requests import PATH, signed_callback

PUBLIC_URL, TOKEN = "http://127.0.0.1", "0123456789abcdef0123456789abcdef"
ACCOUNTS, QUEUED, INCIDENTS, CALLS_OF_EACH = 1_000, 86_400, 100, 1_000
CALLBACKS, ROUNDS = 300, 9
HOUR_MS = 3_600_000
QUIET = {
    "INITIATED_BURST": "1000000",
    "SPIKE_BURST": "1000000",
    "MAX_BACKLOG": "1000000",
    "MAX_DRAIN_SECONDS": "86400",
    "PLATEAU_SECONDS": "86400",
    "CPS": "100",
}
"""Nothing trips meanwhile: a trip would be another cost."""


@dataclass(frozen=True)
class _Scene:
    """A guard whose callbacks are timed."""

    name: str
    services: WebParts
    client: Client

    def seconds(self) -> float:
        """Return how long a callback takes, in seconds; the callbacks go round the accounts."""
        accounts = cycle(self.services.accounts)
        requests = [_environ(signed_callback(PUBLIC_URL, next(accounts), TOKEN)) for _ in range(CALLBACKS)]
        began = time.perf_counter()
        for environ in requests:
            _, status, _ = self.client.run_wsgi_app(environ)
            if status != "204 NO CONTENT":
                raise RuntimeError(f"a callback was answered {status}")
        return (time.perf_counter() - began) / CALLBACKS


def measure() -> Iterator[str]:
    """Yield the lines of the report, as they come."""
    with TemporaryDirectory() as folder, EmbeddedValkey(Path(folder)) as valkey:
        scenes = [
            _scene("one account, nothing queued, no history", valkey, folder, 0, lambda _: None),
            _scene(f"{ACCOUNTS:,} accounts, taking turns", valkey, folder, 1, lambda _: None, ACCOUNTS),
            _scene(f"{QUEUED:,} calls queued", valkey, folder, 2, _fill),
            _scene(f"{INCIDENTS} incidents of {CALLS_OF_EACH:,} calls behind it", valkey, folder, 3, _live_long),
        ]
        taken = [[scene.seconds() for scene in scenes] for _ in range(ROUNDS)]
    for number, scene in enumerate(scenes):
        each = [round_[number] for round_ in taken]
        share = median(round_[number] / round_[0] for round_ in taken)
        yield f"{scene.name + ':':45s} {median(each) * 1e6:5,.0f} us, {share:.2f} of the first"
    yield f"(median of {ROUNDS} rounds of {CALLBACKS} callbacks each, one after the other; wanted: no growth)"


def _scene(
    name: str,
    valkey: EmbeddedValkey,
    folder: str,
    database: int,
    prepare: Callable[[WebParts], None],
    accounts: int = 1,
) -> _Scene:
    services = build_web(load_settings(_environment(valkey, folder, database, accounts)))
    prepare(services)
    return _Scene(name, services, Client(create_app(services)))


def _environment(valkey: EmbeddedValkey, folder: str, database: int, accounts: int) -> Mapping[str, str]:
    config = Path(folder) / f"{database}.toml"
    sids = [f"AC{number:032x}" for number in range(1, accounts + 1)]
    config.write_text("".join(f'[[accounts]]\nsid = "{sid}"\nauth_token_env = "ALL"\n' for sid in sids))
    return {
        "CALLGUARD_CONFIG": str(config),
        "ALL": TOKEN,
        "CALLGUARD_PUBLIC_URL": PUBLIC_URL,
        "CALLGUARD_REDIS_URL": f"{valkey.url}?db={database}",
        "CALLGUARD_DATA_DIR": f"{folder}/{database}",
        **{f"CALLGUARD_POLICY__{name}": value for name, value in QUIET.items()},
    }


def _fill(services: WebParts) -> None:
    """Let a whole day's calls be queued."""
    now_ms = services.clock.now_ms()
    _queue(services, [now_ms - HOUR_MS + n for n in range(QUEUED)])


def _live_long(services: WebParts) -> None:
    """Open and close incidents whose calls are all cancelled."""
    (account,) = services.accounts.values()
    finding = Finding(Rule.MANUAL, 1, 1, "manual", services.clock.now_ms())
    for generation in range(INCIDENTS):
        now_ms = services.clock.now_ms()
        sids = _queue(services, [now_ms] * CALLS_OF_EACH, generation)
        services.stores.incidents.trip(account.sid, generation, finding, Mode.ENFORCE, now_ms)
        services.stores.incidents.start_drain(account.sid, generation + 1, "benchmark", Mode.ENFORCE)
        outcomes = [(sid, Outcome.CANCELLED) for sid in sids]
        services.stores.incidents.settle_all(account.sid, generation + 1, outcomes, now_ms)
        services.stores.incidents.rearm(account.sid, generation + 1, "benchmark", now_ms, force=True)


def _queue(services: WebParts, times_ms: list[int], lap: int = 0) -> list[str]:
    (account,) = services.accounts.values()
    sids = [f"CA{lap:08x}{number:024x}" for number in range(len(times_ms))]
    events = [CallEvent(sid, CallStatus.QUEUED, at) for sid, at in zip(sids, times_ms, strict=True)]
    services.stores.tracker.observe(account.sid, events, account.policy, services.clock.now_ms(), Source.POLL)
    return sids


def _environ(request: bytes) -> dict[str, Any]:
    """Return the WSGI environment of an HTTP request's bytes."""
    head, _, body = request.partition(b"\r\n\r\n")
    lines = (line.partition(": ") for line in head.decode().split("\r\n")[1:])
    headers = [(name, value) for name, _, value in lines]
    builder = EnvironBuilder(path=PATH, base_url=PUBLIC_URL, method="POST", headers=headers, data=body)
    return builder.get_environ()
